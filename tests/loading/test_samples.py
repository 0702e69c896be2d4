"""Training samples: crops, geometry, padding, layout."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segapp.datasets import Contiguous, Folder, Item
from segapp.loading.class_counts import ClassScan
from segapp.loading.reader import Reader
from segapp.loading.samples import Sampling, TrainSet
from segapp.transforms import Affine, Augmenter, Flips, Geometry, Microscopy
from tests.datasets.look_alikes import write_pair
from tests.loading.conftest import Pixels, batches, data_module

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


class Spy:
    """An image and mask that write down which windows are read, and hold their own coordinates."""

    dtype = np.dtype(np.float32)

    def __init__(self, height: int, width: int, channels: int) -> None:
        self.shape: Any = (height, width, channels) if channels else (height, width)
        self.windows: list[tuple[int, int, int, int]] = []

    def read(self) -> np.ndarray:
        return self.read_window(0, 0, *self.shape[:2])

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        height, width = self.shape[:2]
        assert 0 <= y < y + h <= height and 0 <= x < x + w <= width
        self.windows.append((y, x, h, w))
        if len(self.shape) == 2:
            return np.zeros((h, w), np.uint8)
        return np.stack(np.mgrid[y : y + h, x : x + w] / 1000, axis=2).astype(np.float32)


def spied(height: int, width: int, sampling: Sampling, augment: list[Any]) -> tuple[TrainSet, Spy]:
    image, mask = Spy(height, width, 2), Spy(height, width, 0)
    return TrainSet(Reader([Item("spy", "spy", image, mask)]), sampling, Augmenter(augment, 2)), image


class Fixed(Geometry):
    """No chance."""

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        return self.matrix


GEOMETRIES = [[], [Flips(True, True, True)], [Affine(45, (0.5, 2), p=1)], [Flips(True, True, True), Affine(45, p=0.5)]]


@pytest.mark.parametrize("augment", [[], [Flips(True, True, True)]])
def test_a_crop_reads_its_own_pixels_only(augment: list[Any]) -> None:
    samples, image = spied(1000, 800, Sampling(crop=(20, 30)), augment)
    for epoch in range(40):
        sample = samples[epoch, 0]
        assert sample["image"].shape == (2, 20, 30)
        height, width = image.windows[-1][2:]  # fewer where the crop reaches beyond the image
        assert max(height, width) <= 30 and min(height, width) <= 20
    tops, lefts = np.array(image.windows)[:, 0], np.array(image.windows)[:, 1]
    assert tops.min() < 150 and tops.max() > 850 and lefts.min() < 150 and lefts.max() > 650


@pytest.mark.parametrize("crop", [(20, 30), (21, 31)])
@pytest.mark.parametrize("mirror", [np.diag([1.0, 1]), np.diag([-1.0, 1]), np.diag([1.0, -1])], ids=str)
@pytest.mark.parametrize("turn", [np.eye(2), np.array([[0.0, -1], [1, 0]])], ids=str)
def test_turning_pixels_is_what_interpolating_them_would_give(
    mirror: np.ndarray, turn: np.ndarray, crop: tuple[int, int]
) -> None:
    matrix = mirror @ turn
    exact, _ = spied(100, 90, Sampling(crop=crop), [Fixed(matrix)])
    warped, _ = spied(100, 90, Sampling(crop=crop), [Fixed(matrix * (1 + 1e-9))])
    for epoch in range(5):
        np.testing.assert_allclose(exact[epoch, 0]["image"], warped[epoch, 0]["image"], atol=6e-4)


def test_a_turned_crop_reads_little_more_and_interpolates_the_right_place() -> None:
    samples, image = spied(1000, 800, Sampling(crop=(20, 30)), [Affine(45, (0.8, 1.25), p=1)])
    for epoch in range(40):
        middle = samples[epoch, 0]["image"][:, 9:11, 14:16].mean(axis=(1, 2)) * 1000
        y, x, h, w = image.windows[-1]
        assert h <= 50 and w <= 50
        np.testing.assert_allclose(middle, [y + h / 2 - 0.5, x + w / 2 - 0.5], atol=0.6)


@pytest.mark.parametrize("augment", [[], [Affine(30, (0.5, 2), p=1)], [Microscopy()]])
@pytest.mark.parametrize("size", [(10, 12), (1, 1), (10, 90), (31, 40)])
def test_images_smaller_than_the_crop_are_padded(size: tuple[int, int], augment: list[Any]) -> None:
    samples, _ = spied(*size, Sampling(crop=(32, 40)), augment)
    for epoch in range(10):
        sample = samples[epoch, 0]
        assert sample["image"].shape == (2, 32, 40) and sample["mask"].shape == (32, 40)
        assert set(np.unique(sample["mask"])) <= {0, 255}
    if not augment:
        inside = (sample["mask"] == 0).sum()
        assert inside == min(size[0], 32) * min(size[1], 40)


@pytest.mark.parametrize("augment", GEOMETRIES, ids=["none", "flips", "affine", "both"])
@pytest.mark.parametrize("crop", [(8, 8), (9, 12), (64, 70), (32, 60)])
@pytest.mark.parametrize("pixel", [(0, 0), (7, 41), (39, 49), (20, 1)])
def test_a_sampled_pixel_is_at_the_centre_of_its_crop_also_at_the_border(
    augment: list[Any], crop: tuple[int, int], pixel: tuple[int, int]
) -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[pixel] = 1
    reader = Reader([Item("a", "a", Pixels(np.zeros((40, 50, 1), np.uint8)), Pixels(mask))])
    sampling = Sampling(crop=crop, oversample=1.0)
    samples = TrainSet(reader, sampling, Augmenter(augment, 1), ClassScan(reader, 2, excluded=0))
    for epoch in range(12):
        sample = samples[epoch, 0]["mask"]
        if max(crop) < 40 or (augment and isinstance(augment[0], Affine)):
            assert sample[crop[0] // 2, crop[1] // 2] == 1
        assert (sample == 1).any()  # an image smaller than the crop stays complete instead


def test_pixels_at_the_edges_are_learnt_too() -> None:
    """With corners inside the image, the outer 2 of 64 pixels (12.1 % of the area) were 0.9 % of what was learnt."""
    image = np.zeros((64, 64, 1), np.uint8)
    image[2:-2, 2:-2] = 1
    reader = Reader([Item("a", "a", Pixels(image), Pixels(np.zeros((64, 64), np.uint8)))])
    samples = TrainSet(reader, Sampling(crop=(32, 32)), Augmenter([], 1))
    drawn = [samples[epoch, 0] for epoch in range(300)]
    learnt = [sample["mask"] == 0 for sample in drawn]
    outer = sum(int((sample["image"][0][inside] == 0).sum()) for sample, inside in zip(drawn, learnt, strict=True))
    assert outer / np.sum(learnt) > 0.05
    assert np.mean(learnt) > 0.92  # little is spent beyond the image


def test_whole_images_of_many_sizes_make_one_batch(tmp_path: Path) -> None:
    for i, (height, width) in enumerate([(20, 30), (25, 22), (9, 9), (9, 9)]):
        write_pair(tmp_path, f"{i}", np.full((height, width), 80, np.uint8), np.zeros((height, width), np.uint8))
    folder = Folder(tmp_path, ["background", "dot"], split=Contiguous(0.25))
    (batch,) = data_module(folder, crop=None, batch_size=3, augment=[]).train_dataloader()
    assert batch["image"].shape == (3, 1, 25, 30) and bool((batch["image"] == 80).all())
    for size, mask in zip(batch["size"].tolist(), batch["mask"], strict=True):
        assert int((mask == 0).sum()) == size[0] * size[1]


def test_resized_images_keep_their_classes(folder: Folder) -> None:
    data = data_module(folder, crop=None, resize=(20, 25), augment=[])
    for _, images, masks in batches(data):
        assert images.shape == (2, 3, 20, 25)
        assert set(np.unique(masks)) <= {0, 1}
    assert (data.spec.resize, data.spec.window) == ((20, 25), (20, 25))


def test_batches_are_contiguous_with_channels_last(folder: Folder) -> None:
    batch = next(iter(data_module(folder).train_dataloader()))
    assert (batch["image"].dtype, batch["mask"].dtype, batch["size"].dtype) == (
        torch.uint8,
        torch.uint8,
        torch.int64,
    )
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
