"""Flips and affine maps by hand."""

from typing import Any

import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.transforms import Affine, Augmenter, Flips
from tests.transforms.common import tried


def test_zoom_and_rotation_by_hand() -> None:
    image = np.zeros((21, 21, 1), np.uint8)
    image[10, 15] = 255  # 5 to the right of the centre
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])  # the crop's (0, -5) comes from the image's (5, 0)
    moved, _ = Augmenter([], 1).warp(image, image[..., 0], quarter, (10.5, 10.5), (21, 21))
    assert np.argwhere(moved[..., 0] == 255).tolist() == [[5, 10]]
    fifth, _ = Augmenter([], 1).warp(image, image[..., 0], np.eye(2) * 5, (10.5, 10.5), (3, 3))
    assert np.argwhere(fifth[..., 0] == 255).tolist() == [[1, 2]]


def test_draws_stay_in_their_ranges() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([Affine(15, (0.5, 2), p=0.5).sample(rng) for _ in range(400)])
    zoom = np.sqrt(np.linalg.det(drawn))
    angle = np.degrees(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    assert 0.5 <= zoom.min() < 0.6 and 1.8 < zoom.max() <= 2
    assert -15 <= angle.min() < -12 and 12 < angle.max() <= 15
    assert 0.4 < (zoom == 1).mean() < 0.6
    flips = {tuple(Flips(True, True, True).sample(rng).ravel() + 0.0) for _ in range(200)}
    assert len(flips) == 8
    assert {tuple(Flips().sample(rng).ravel()) for _ in range(50)} == {(1, 0, 0, 1), (-1, 0, 0, 1)}


@pytest.mark.parametrize("settings", [{"scale": (0, 1)}, {"scale": (2, 1)}, {"shear": 90}, {"p": 2}])
def test_impossible_affines(settings: dict[str, Any]) -> None:
    with pytest.raises(MisuseError, match="Affine"):
        Affine(**settings)


def test_a_geometry_that_is_no_matrix_is_refused() -> None:
    class Flat(Affine):
        def sample(self, rng: np.random.Generator) -> np.ndarray:
            return np.zeros((2, 2))

    with pytest.raises(MisuseError, match="Flat"):
        tried([Flat()])
