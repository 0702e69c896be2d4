"""The plane of a training is that of its checkpoints' principal components."""

import numpy as np
import pytest
import torch

from segapp.errors import MisuseError
from segapp.lab.landscape.trajectory import make_axis, project_trajectory


def random_weights(seed):
    generator = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(3, 2, generator=generator), "b": torch.randn(5, generator=generator)}


def flat(weights):
    return np.concatenate([value.double().numpy().ravel() for value in weights.values()])


def test_directions_are_principal_components():
    final, checkpoints = random_weights(9), [random_weights(seed) for seed in range(6)]
    found = project_trajectory(final, checkpoints)
    moves = np.stack([flat(weights) - flat(final) for weights in checkpoints])
    _, values, components = np.linalg.svd(moves - moves.mean(0))
    for mine, component in zip(found.directions, components[:2], strict=True):
        assert abs(flat(mine) @ component) == pytest.approx(1, abs=1e-5)
        assert np.linalg.norm(flat(mine)) == pytest.approx(1, abs=1e-5)
    assert found.explained == pytest.approx((values[:2] ** 2 / (values**2).sum()).tolist(), rel=1e-4)
    for column, mine in zip(found.path.T, found.directions, strict=True):
        assert column == pytest.approx(moves @ flat(mine), rel=1e-4, abs=1e-5)
        assert column[0] >= 0


def test_a_path_in_a_plane_is_found_whole():
    one, two = random_weights(1), random_weights(2)
    final = random_weights(3)
    corners = [(3.0, 1.0), (2.0, -1.0), (1.0, 0.5), (0.0, 0.0)]
    checkpoints = [{name: final[name] + x * one[name] + y * two[name] for name in final} for x, y in corners]
    found = project_trajectory(final, checkpoints)
    assert sum(found.explained) == pytest.approx(1, abs=1e-6)
    assert found.path[-1] == pytest.approx([0, 0], abs=1e-5)
    for place, weights in zip(found.path, checkpoints, strict=True):
        back = flat(final) + place[0] * flat(found.directions[0]) + place[1] * flat(found.directions[1])
        assert back == pytest.approx(flat(weights), abs=1e-4)


@pytest.mark.parametrize("seeds", [[], [1], [1, 2], [1, 1, 1]])
def test_too_few_checkpoints_span_no_plane(seeds):
    with pytest.raises(MisuseError, match="three or more"):
        project_trajectory(random_weights(0), [random_weights(seed) for seed in seeds])


def test_checkpoints_on_a_line_span_no_plane():
    one, final = random_weights(1), random_weights(0)
    line = [{name: final[name] + t * one[name] for name in final} for t in (0.0, 1.0, 2.0, 4.0)]
    with pytest.raises(MisuseError, match="do not span a plane"):
        project_trajectory(final, line)


def test_an_axis_reaches_beyond_the_path_and_the_end():
    assert make_axis(np.array([1.0, 4.0]), 3).tolist() == [-1.0, 2.0, 5.0]


def test_a_parameter_of_one_number_is_a_part_of_the_plane():
    """A learnable temperature ended in an IndexError."""
    checkpoints = [
        {"scale": torch.tensor(x), "bias": torch.tensor([y])} for x, y in ((0.0, 0.0), (3.0, 0.0), (0.0, 1.0))
    ]
    found = project_trajectory(checkpoints[0], checkpoints)
    assert found.directions[0]["scale"].shape == ()
    assert sum(found.explained) == pytest.approx(1)
