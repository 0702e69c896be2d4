"""Geometry and values together, and transforms of albumentations."""

import albumentations as A
import numpy as np
import pytest

from segapp.errors import MisuseError, SegappError
from segapp.transforms import Affine, Augmenter, Flips, Natural, Transform
from tests.transforms.common import pair

CENTRE, SIZE = (20.0, 20.0), (40, 40)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("geometry", [Affine(45, (0.6, 1.5), 10, p=1), Flips(True, True, True)])
def test_image_and_mask_move_together(geometry: Transform, channels: int) -> None:
    image, mask = pair(channels)
    augmenter = Augmenter([geometry], channels)
    for seed in range(20):
        matrix = augmenter.sample_matrix(np.random.default_rng(seed))
        moved, moved_mask = augmenter.warp(image, mask, matrix, CENTRE, SIZE)
        inside = moved_mask != 255
        agree = (moved[..., -1] > 100) == (moved_mask == 1)
        assert agree[inside].mean() > 0.985  # they may differ where linear and nearest cut the edge
        assert set(np.unique(moved_mask)) <= {0, 1, 255}


def test_outside_is_255_in_the_mask_and_reflected_in_the_image() -> None:
    image, mask = np.full((20, 20, 1), 90, np.uint8), np.ones((20, 20), np.uint8)
    moved, moved_mask = Augmenter([], 1).warp(image, mask, np.eye(2) * 2, (10.0, 10.0), (20, 20))
    assert (moved == 90).all()
    assert (moved_mask[6:14, 6:14] == 1).all()
    assert (moved_mask[:4] == 255).all() and (moved_mask[:, -4:] == 255).all()


def test_albumentations_beside_ours_in_one_list() -> None:
    image, mask = pair(3)
    both = Augmenter([Natural(), A.OneOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], p=1)], 3)
    moved, moved_mask = both.change_values(image, mask, 1)
    assert not np.array_equal(moved_mask, mask)
    assert ((moved[..., 0] > 60) == (moved_mask == 1)).mean() > 0.95


def test_what_albumentations_pulls_in_is_ignored() -> None:
    image, mask = np.zeros((20, 20, 1), np.uint8), np.ones((20, 20), np.uint8)
    rotated = Augmenter([A.Affine(rotate=(45, 45), p=1)], 1).change_values(image, mask, 0)[1]
    assert set(np.unique(rotated)) == {1, 255}


def test_a_fill_of_the_persons_own_is_kept_if_it_is_a_class() -> None:
    image, mask = np.zeros((20, 20, 1), np.uint8), np.ones((20, 20), np.uint8)
    rotated = Augmenter([A.Affine(rotate=(45, 45), p=1, fill_mask=2)], 1, 3).change_values(image, mask, 0)[1]
    assert set(np.unique(rotated)) == {1, 2}
    hidden = Augmenter([A.CoarseDropout(p=1, fill_mask=0)], 1, 3).change_values(image, mask, 0)[1]
    assert set(np.unique(hidden)) == {0, 1}
    with pytest.raises(
        MisuseError, match=r"albumentations\.Affine: fill_mask=3\.0 is neither a class \(0 … 2\) nor 255"
    ):
        Augmenter([A.Affine(fill_mask=3)], 1, 3)


def test_misspelt_arguments_are_errors() -> None:
    with pytest.warns(UserWarning, match="rotat"):
        wrong = A.Affine(rotat=3)  # type: ignore[call-arg]
    with pytest.raises(MisuseError, match=r"albumentations\.Affine has no argument rotat"):
        Augmenter([A.Compose([wrong])], 3)


def test_a_failing_transform_is_named() -> None:
    image, mask = pair(5)
    with pytest.raises(SegappError, match=r"albumentations\.CLAHE fails on 40 x 40 x 5 uint8: "):
        Augmenter([A.HorizontalFlip(p=1), A.CLAHE(p=1)], 5).change_values(image, mask, 0)


@pytest.mark.parametrize("hiding", [A.CoarseDropout(p=1), A.GridDropout(p=1), A.Erasing(p=1)])
def test_what_is_only_hidden_is_still_to_be_recognised(hiding: A.BasicTransform) -> None:
    image, mask = pair(3)
    changed, same = Augmenter([hiding], 3).change_values(image + 9, mask, 0)
    assert not np.array_equal(changed, image + 9)
    np.testing.assert_array_equal(same, mask)
