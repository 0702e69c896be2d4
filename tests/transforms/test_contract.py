"""Transforms that change more than they may are refused by name."""

from typing import Any

import albumentations as A
import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.transforms import Augmenter, Natural
from tests.transforms.common import pair, tried


def half(image: np.ndarray, **_: Any) -> np.ndarray:
    return (image // 2).astype(np.uint8)


def double(image: np.ndarray, **_: Any) -> np.ndarray:
    return image.astype(np.float64)


def two_channels(image: np.ndarray, **_: Any) -> np.ndarray:
    return image[..., :2]


def wide(mask: np.ndarray, **_: Any) -> np.ndarray:
    return mask.astype(np.int64)


def three(mask: np.ndarray, **_: Any) -> np.ndarray:
    return mask * 0 + 3


@pytest.mark.parametrize(
    ("transforms", "named"),
    [
        ([A.Normalize()], "Normalize"),
        ([A.HorizontalFlip(), A.ToFloat(p=0.01)], "ToFloat"),
        ([A.ToTensorV2()], "ToTensorV2"),
        ([A.OneOf([A.Blur(), A.Normalize(p=0.1)], p=0.1)], "Normalize"),
        ([A.Compose([A.Sequential([A.ToFloat()])])], "ToFloat"),
        ([A.ToFloat(), A.FromFloat(dtype="uint8", p=0.5)], "ToFloat"),
        ([A.Resize(20, 20)], "Resize"),
        ([A.Resize(80, 80), A.RandomCrop(40, 40)], "Resize"),
        ([A.SmallestMaxSize(60), A.CenterCrop(40, 40)], "SmallestMaxSize"),
        ([A.HorizontalFlip(), A.RandomCrop(16, 24)], "RandomCrop"),
        ([A.PadIfNeeded(64, 64)], "PadIfNeeded"),
        ([A.GridDistortion(mask_interpolation=1, p=0.3)], "GridDistortion"),
        ([A.Lambda(image=double, p=0.2)], "Lambda"),
        ([A.Lambda(mask=wide)], "Lambda"),
        ([A.Lambda(mask=three)], "Lambda"),
        ([A.Lambda(image=two_channels)], "Lambda"),
        ([A.RandomCrop(50, 50)], "RandomCrop"),
    ],
)
def test_what_changes_more_than_it_may_is_named_before_training(transforms: list[Any], named: str) -> None:
    with pytest.raises(MisuseError, match=rf"^augment: .*albumentations\.{named}\b"):
        tried(transforms)


def test_floats_outside_their_range_are_refused() -> None:
    with pytest.raises(MisuseError, match="Normalize"):
        tried([A.Normalize(mean=0.5, std=0.25, max_pixel_value=1.0)], 1, np.float32)
    with pytest.raises(MisuseError, match="CLAHE"):
        tried([A.CLAHE()], 5)


@pytest.mark.parametrize(
    "transforms",
    [
        [Natural(), A.Affine(rotate=(-45, 45)), A.ElasticTransform(), A.CoarseDropout(), A.GaussNoise()],
        [A.Lambda(image=half), A.RandomScale(), A.D4(), A.RandomResizedCrop((40, 40))],
        [A.RandomScale(), A.PadIfNeeded(40, 40), A.RandomCrop(40, 40)],
        [A.ToFloat(p=1), A.RandomBrightnessContrast(), A.FromFloat(dtype="uint8", p=1)],
        [A.OneOf([A.Blur(), A.MedianBlur()]), A.SomeOf([A.HorizontalFlip(), A.Transpose()], n=1)],
        [A.Resize(40, 40)],
        [],
    ],
)
def test_what_keeps_to_it_is_taken(transforms: list[Any]) -> None:
    tried(transforms)


def test_whole_images_may_be_cut_but_not_rescaled() -> None:
    tried([A.RandomCrop(16, 24), A.PadIfNeeded(64, 64)], fixed=False)
    with pytest.raises(MisuseError, match=r"Resize.*data\.resize"):
        tried([A.Resize(16, 24)], fixed=False)


def test_trying_changes_no_sample() -> None:
    image, mask = pair(3)
    tried_first, fresh = (Augmenter([A.GaussNoise(p=0.5), A.D4(p=0.5)], 3) for _ in range(2))
    tried_first.try_once((40, 40), np.dtype(np.uint8), True)
    for seed in range(6):
        np.testing.assert_array_equal(
            tried_first.change_values(image, mask, seed)[0], fresh.change_values(image, mask, seed)[0]
        )


def test_pixels_between_two_transforms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each may enlarge what the one before has enlarged, until no memory is left."""
    monkeypatch.setattr("segapp.transforms.contract.MOST_PIXELS", 100**2)
    tried([A.PadIfNeeded(80, 80), A.RandomCrop(40, 40)])
    with pytest.raises(MisuseError, match="PadIfNeeded makes 120 x 120 pixels"):
        tried([A.PadIfNeeded(120, 120), A.RandomCrop(40, 40)])
