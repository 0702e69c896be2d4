"""Augmentation: a function of the seed, image and mask stay together, nothing outside is learnt."""

from typing import Any

import albumentations as A
import numpy as np
import pytest

from segapp.errors import MisuseError, SegappError
from segapp.transforms import Affine, Augmenter, Flips, Medical, Microscopy, Natural, Photometric, Preset, Transform

CENTRE, SIZE = (20.0, 20.0), (40, 40)


def pair(channels: int, dtype: Any = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    """An image whose every channel says where its mask is 1."""
    y, x = np.mgrid[:40, :40]
    mask = ((y - 14) ** 2 + (x - 24) ** 2 < 60).astype(np.uint8)
    top = 200 if dtype == np.uint8 else 0.8
    return np.repeat((mask * top).astype(dtype)[..., None], channels, axis=2), mask


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("preset", [Natural, Microscopy, Medical, Photometric])
def test_presets_take_any_channels_and_repeat_with_the_seed(preset: type[Preset], channels: int, dtype: Any) -> None:
    image, mask = pair(channels, dtype)
    given = image.copy()
    one, other = Augmenter([preset()], channels), Augmenter([preset()], channels)
    changed = [one.change(image, mask, seed) for seed in range(20)]
    again = [other.change(image, mask, seed) for seed in reversed(range(20))][::-1]
    for (first, first_mask), (second, _) in zip(changed, again, strict=True):
        assert (first.shape, first.dtype) == (image.shape, image.dtype)
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first_mask, mask)
        assert dtype == np.uint8 or (first.min() >= 0 and first.max() <= 1)
    assert len({values.tobytes() for values, _ in changed}) > 3
    np.testing.assert_array_equal(image, given)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("geometry", [Affine(45, (0.6, 1.5), 10, p=1), Flips(True, True, True)])
def test_image_and_mask_move_together(geometry: Transform, channels: int) -> None:
    image, mask = pair(channels)
    augmenter = Augmenter([geometry], channels)
    for seed in range(20):
        matrix = augmenter.draw(np.random.default_rng(seed))
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
    drawn = np.array([Affine(15, (0.5, 2), p=0.5).draw(rng) for _ in range(400)])
    zoom = np.sqrt(np.linalg.det(drawn))
    angle = np.degrees(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0]))
    assert 0.5 <= zoom.min() < 0.6 and 1.8 < zoom.max() <= 2
    assert -15 <= angle.min() < -12 and 12 < angle.max() <= 15
    assert 0.4 < (zoom == 1).mean() < 0.6
    flips = {tuple(Flips(True, True, True).draw(rng).ravel() + 0.0) for _ in range(200)}
    assert len(flips) == 8
    assert {tuple(Flips().draw(rng).ravel()) for _ in range(50)} == {(1, 0, 0, 1), (-1, 0, 0, 1)}


def test_albumentations_beside_ours_in_one_list() -> None:
    image, mask = pair(3)
    both = Augmenter([Natural(), A.OneOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], p=1)], 3)
    moved, moved_mask = both.change(image, mask, 1)
    assert not np.array_equal(moved_mask, mask)
    assert ((moved[..., 0] > 60) == (moved_mask == 1)).mean() > 0.95


def test_what_albumentations_pulls_in_is_ignored() -> None:
    image, mask = np.zeros((20, 20, 1), np.uint8), np.ones((20, 20), np.uint8)
    rotated = Augmenter([A.Affine(rotate=(45, 45), p=1)], 1).change(image, mask, 0)[1]
    assert set(np.unique(rotated)) == {1, 255}


def test_a_fill_of_the_persons_own_is_kept_if_it_is_a_class() -> None:
    image, mask = np.zeros((20, 20, 1), np.uint8), np.ones((20, 20), np.uint8)
    rotated = Augmenter([A.Affine(rotate=(45, 45), p=1, fill_mask=2)], 1, 3).change(image, mask, 0)[1]
    assert set(np.unique(rotated)) == {1, 2}
    hidden = Augmenter([A.CoarseDropout(p=1, fill_mask=0)], 1, 3).change(image, mask, 0)[1]
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
        Augmenter([A.HorizontalFlip(p=1), A.CLAHE(p=1)], 5).change(image, mask, 0)


@pytest.mark.parametrize("settings", [{"scale": (0, 1)}, {"scale": (2, 1)}, {"shear": 90}, {"p": 2}])
def test_impossible_affines(settings: dict[str, Any]) -> None:
    with pytest.raises(MisuseError, match="Affine"):
        Affine(**settings)


@pytest.mark.parametrize("hiding", [A.CoarseDropout(p=1), A.GridDropout(p=1), A.Erasing(p=1)])
def test_what_is_only_hidden_is_still_to_be_recognised(hiding: A.BasicTransform) -> None:
    image, mask = pair(3)
    changed, same = Augmenter([hiding], 3).change(image + 9, mask, 0)
    assert not np.array_equal(changed, image + 9)
    np.testing.assert_array_equal(same, mask)


def tried(transforms: list[Any], channels: int = 3, dtype: Any = np.uint8, fixed: bool = True) -> None:
    Augmenter(transforms, channels, 3).try_once((40, 40), np.dtype(dtype), fixed)


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
        np.testing.assert_array_equal(tried_first.change(image, mask, seed)[0], fresh.change(image, mask, seed)[0])


def test_a_geometry_that_is_no_matrix_is_refused() -> None:
    class Flat(Affine):
        def draw(self, rng: np.random.Generator) -> np.ndarray:
            return np.zeros((2, 2))

    with pytest.raises(MisuseError, match="Flat"):
        tried([Flat()])
