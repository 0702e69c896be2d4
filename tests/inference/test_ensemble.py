"""Views and ensembles: averages of the same networks' logits, exact where the network does not care about a view."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from segapp.errors import MisuseError
from segapp.inference.engine import Engine
from segapp.inference.ensemble import Averaged, average_networks, list_views, turn, turn_back
from segapp.inference.exported_runtime import NumpyRuntime
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import TorchRuntime
from tests.inference.checkpoints import make_spec

ALL = list_views(["horizontal", "rotations"])


class Pixelwise(NumpyRuntime):
    """Logits of each pixel by itself: the same whichever way it is turned."""

    def __init__(self, factor=1.0):
        self.factor, self.shapes = factor, []

    def __call__(self, images):
        self.shapes.append(images.shape[2:])
        grey = images.astype(np.float32).mean(1, keepdims=True) / 40 * self.factor
        return np.concatenate([grey * (4 - grey), grey, grey * 0 + 2], axis=1)  # no sine: numpy's depends on the layout


class Place(NumpyRuntime):
    """Logits that depend on the place in the window alone."""

    def __call__(self, images):
        y, x = np.mgrid[: images.shape[2], : images.shape[3]].astype(np.float32)
        return np.broadcast_to(np.stack([x, y, x * 0]), (len(images), 3, *images.shape[2:])).copy()


def images(height=6, width=10, batch=2):
    return np.random.default_rng(0).integers(0, 256, (batch, 3, height, width), dtype=np.uint8)


@pytest.mark.parametrize(
    ("symmetries", "count"),
    [
        ([], 1),
        (["horizontal"], 2),
        (["vertical"], 2),
        (["horizontal", "vertical"], 4),
        (["rotations"], 4),
        (["rotations", "vertical"], 8),
        (["rotations", "horizontal", "vertical"], 8),
    ],
)
def test_symmetries_combine_to_a_group(symmetries, count):
    found = list_views(symmetries)
    assert len(found) == len({turn(images(), view).tobytes() for view in found}) == count
    assert found[0] == (0, False)


def test_views_are_those_of_numpy():
    pixels = images()
    assert (turn(pixels, (1, False)) == np.rot90(pixels, axes=(2, 3))).all()
    assert (turn(pixels, (0, True)) == pixels[..., ::-1]).all()
    assert list_views(["vertical"])[1] == (2, True)
    assert (turn(pixels, (2, True)) == pixels[:, :, ::-1]).all()


@pytest.mark.parametrize("view", ALL)
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_turning_back_undoes_turning(view, kind):
    pixels = kind(images())
    assert (turn_back(turn(pixels, view), view) == pixels).all()


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_a_network_that_is_equivariant_gives_exactly_its_own_classes(average):
    network = Pixelwise()
    once, often = network(images()), Averaged([network], ALL, (1.0,), average)(images())
    if average == "logits":
        assert (once == often).all()  # eight equal numbers, added and divided by eight
    assert (once.argmax(1) == often.argmax(1)).all()
    assert np.allclose(network.compute_probabilities(often), network.compute_probabilities(once), atol=1e-6)


def test_logits_are_the_mean_over_views():
    found = Averaged([Place()], list_views(["horizontal"]), (1.0,), "logits")(images(4, 5, 1))
    assert (found[0, 0] == 2).all()  # x and 4 - x
    assert (found[0, 1] == np.arange(4)[:, None]).all()


def test_probabilities_are_the_mean_over_networks():
    one, two = Pixelwise(1), Pixelwise(5)
    together = Averaged([one, two], [(0, False)], (1.0,), "probabilities")(images())
    expected = (one.compute_probabilities(one(images())) + two.compute_probabilities(two(images()))) / 2
    assert np.allclose(one.compute_probabilities(together), expected, atol=1e-6)


def test_a_probability_of_zero_stays_finite():
    class Sure(NumpyRuntime):
        def __call__(self, images):
            return np.stack([np.full(images[:, 0].shape, 1e4, np.float32), np.zeros(images[:, 0].shape, np.float32)], 1)

    assert np.isfinite(Averaged([Sure()], ALL, (1.0,), "probabilities")(images())).all()


def test_scales_are_seen_and_come_back_at_the_windows_size():
    network = Pixelwise()
    found = Averaged([network], list_views(["rotations"]), (1.0, 0.5), "logits")(images(6, 10))
    assert found.shape == (2, 3, 6, 10)
    assert set(network.shapes) == {(6, 10), (10, 6), (3, 5), (5, 3)}
    flat = np.full((1, 3, 6, 10), 77, np.uint8)
    assert np.allclose(Averaged([network], [(0, False)], (0.5, 1.5), "logits")(flat), network(flat), atol=1e-6)


def test_torch_and_numpy_agree():
    class Net(nn.Module):
        def forward(self, images):
            grey = images.float().mean(1, keepdim=True) / 40
            wide = grey + grey.roll(1, 3)
            return torch.cat([grey.sin(), wide.cos(), grey * 0], 1)

    class Same(NumpyRuntime):
        def __call__(self, images):
            return Net()(torch.from_numpy(np.ascontiguousarray(images))).numpy()

    for average in ("logits", "probabilities"):
        one = Averaged([TorchRuntime(Net())], ALL, (1.0, 1.5), average)(images()).numpy()
        two = Averaged([Same()], ALL, (1.0, 1.5), average)(images())
        assert np.allclose(one, two, atol=1e-5)


def test_one_network_seen_once_is_not_wrapped_and_the_engine_takes_the_others():
    network, spec = Pixelwise(), make_spec(classes=("a", "b", "c"), palette=((0, 0, 0),) * 3, window=(8, 8))
    assert average_networks([network], spec) is network
    image = ArrayImage(images(30, 21, 1)[0].transpose(1, 2, 0))
    better = replace(spec, symmetries=("rotations",), average="logits")
    assert (
        Engine(average_networks([network], better), better).segment(image) == Engine(network, spec).segment(image)
    ).all()


@pytest.mark.parametrize(
    "bad", [{"symmetries": ("diagonal",)}, {"scales": ()}, {"scales": (9.0,)}, {"average": "votes"}]
)
def test_unknown_choices_are_refused(bad):
    with pytest.raises(MisuseError):
        make_spec(**bad)


@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_the_temperature_of_one_network_changes_probabilities_and_no_class(average):
    found = []
    for temperature in (1.0, 3.0):
        network = Pixelwise()
        network.temperature = temperature
        spec = replace(make_spec(classes=("a", "b", "c"), palette=((0, 0, 0),) * 3), average=average)
        for engine in (Engine(network, spec), Engine(Averaged([network], ALL, (1.0,), average), spec)):
            probabilities = np.zeros((3, 40, 50), np.float32)
            image = ArrayImage(images(40, 50)[0].transpose(1, 2, 0))
            found.append((engine.segment(image, probabilities), probabilities, list(engine.compute_bands(image))))
    for (one, _, _), (other, softened, bands) in zip(found[:2], found[2:], strict=True):
        assert np.array_equal(one, other)
        expected = torch.from_numpy(np.concatenate([band.logits for band in bands], axis=1) / 3).softmax(0).numpy()
        assert np.allclose(softened, expected, atol=1e-6)
        assert engine.sum_confidence(bands[0]) == pytest.approx(expected[:, : bands[0].logits.shape[1]].max(0).sum())


def test_every_network_of_an_ensemble_has_its_temperature():
    one, two = Pixelwise(1), Pixelwise(5)
    one.temperature, two.temperature = 2.0, 0.5
    spec = make_spec()
    logits = one(images()) / 2, two(images()) * 2
    assert np.allclose(average_networks([one, two], replace(spec, average="logits"))(images()), sum(logits) / 2)
    together = average_networks([one, two], spec)
    expected = sum(one.compute_probabilities(each) for each in logits) / 2
    assert np.allclose(one.compute_probabilities(together(images())), expected, atol=1e-6)
    assert together.temperature == 1
