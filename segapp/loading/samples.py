"""Make training samples: sample the position of a crop, then read only the pixels that it needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from segapp.batch import IGNORE_INDEX, Batch, Sample
from segapp.datasets.source import Item, find_pixel_size
from segapp.errors import SegappError
from segapp.loading.class_counts import ClassScan
from segapp.loading.permutation import is_permutation, permute
from segapp.loading.reader import Reader
from segapp.mirror import mirror_indices

Size = tuple[int, int]
Pair = tuple[np.ndarray, np.ndarray]
"""An image (H, W, C) and its mask (H, W)."""

OUTSIDE_DIVISOR = 16
"""A random crop reaches beyond the image by at most its size divided by this."""

Key = tuple[int, int]
"""Epoch and index of a sample: with the seed they determine everything random in it."""


class Augment(Protocol):
    """The interface of `segapp.transforms.Augmenter`."""

    def sample_matrix(self, rng: np.random.Generator) -> np.ndarray:
        """Sample (2, 2): from the crop's (x, y) to the stored image's, both relative to the centre."""

    def change_values(self, image: np.ndarray, mask: np.ndarray, seed: int) -> Pair:
        """Change the values; the size may change too."""

    def warp(
        self, image: np.ndarray, mask: np.ndarray, matrix: np.ndarray, centre: tuple[float, float], size: Size
    ) -> Pair:
        """Warp a crop around `centre` out of a window."""

    def resize(self, image: np.ndarray, mask: np.ndarray, size: Size) -> Pair:
        """Resize both to `size`."""


@dataclass(frozen=True)
class Sampling:
    """How training samples are taken from images: by `crop` or by `resize`; complete images if both are None."""

    crop: Size | None = None
    resize: Size | None = None
    per_image: int = 1
    """Crops of each image in an epoch."""
    oversample: float = 0.0
    """Fraction of the crops that are centred on a pixel of an evenly sampled class."""
    seed: int = 0


@dataclass(frozen=True)
class Failure:
    """What a worker returns instead of a batch: an error whose message the trainer reports."""

    error: SegappError


class TrainSet(torch.utils.data.Dataset[Sample]):
    """Samples as a function of (seed, epoch, index): no state, so any worker may make any of them at any time."""

    def __init__(self, reader: Reader, sampling: Sampling, augment: Augment, scan: ClassScan | None = None) -> None:
        self.reader, self.sampling, self.augment, self.scan = reader, sampling, augment, scan

    def __len__(self) -> int:
        return len(self.reader) * self.sampling.per_image

    def __getitem__(self, key: Key) -> Sample:
        """Sample of (epoch, index); SegappError names the image and a transform that fails."""
        epoch, index = key
        rng = np.random.default_rng([self.sampling.seed, epoch, index])
        rare, *uniform = rng.random(4)
        seed, matrix = int(rng.integers(2**32)), self.augment.sample_matrix(rng)
        item, middle = index % len(self.reader), None
        if self.scan is not None and rare < self.sampling.oversample:
            item, middle = self.scan.sample_pixel(uniform, item)
        with self.reader.name_in_errors(item):
            size = self.reader.read_size(item)
            image, mask = self._crop(item, matrix, middle, uniform)
            self.reader.trace.start_augmenting(item)
            image, mask = self.augment.change_values(image, mask, seed)
            if (fixed := self.sampling.crop or self.sampling.resize) is not None:
                image, mask = crop_or_pad(image, mask, fixed)
        return make_sample(self.reader.items[item], image, mask, size)

    def __getitems__(self, keys: Sequence[Key]) -> Batch | Failure:
        """Return a complete batch: its pixels are copied only once."""
        return make_batch(self, keys)

    def _crop(self, item: int, matrix: np.ndarray, middle: Size | None, uniform: Sequence[float]) -> Pair:
        size = self.reader.read_size(item)
        if self.sampling.resize is not None:
            small = self.augment.resize(*self.reader.read_window(item, 0, 0, *size), self.sampling.resize)
            if np.array_equal(matrix, np.eye(2)):
                return small
            height, width = self.sampling.resize
            return self.augment.warp(*small, matrix, (height / 2, width / 2), self.sampling.resize)
        crop = self.sampling.crop or size
        exact = is_permutation(matrix)
        # a complete image that is rotated by quarter turns keeps its pixels and changes its shape
        covered = crop if exact and self.sampling.crop is None else _measure_covered(matrix, crop)
        centre = _sample_centre(size, covered, uniform) if middle is None else _find_centre(middle, matrix, crop)
        if exact:
            y, x = _choose_corner(size, covered, centre)
            pixels = self.reader.read_padded(item, y, x, *covered)
            return permute(pixels[0], matrix), permute(pixels[1], matrix)
        y, x, h, w = _locate_window(matrix, centre, crop)
        return self.augment.warp(
            *self.reader.read_padded(item, y, x, h, w), matrix, (centre[0] - y, centre[1] - x), crop
        )


class EvaluationSet(torch.utils.data.Dataset[Sample]):
    """Every item as it is stored."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __len__(self) -> int:
        return len(self.reader)

    def __getitem__(self, key: Key) -> Sample:
        """Sample of (epoch, index): the epoch makes no difference."""
        _, index = key
        with self.reader.name_in_errors(index):
            size = self.reader.read_size(index)
            image, mask = self.reader.read_window(index, 0, 0, *size)
        item = self.reader.items[index]
        sample = make_sample(item, image, mask, size)
        if (pixel_size := find_pixel_size(item.image)) is not None:
            sample["pixel_size"] = pixel_size
        return sample

    def __getitems__(self, keys: Sequence[Key]) -> Batch | Failure:
        """Return a batch of one size."""
        return make_batch(self, keys)


def make_sample(item: Item, image: np.ndarray, mask: np.ndarray, size: Size) -> Sample:
    """Return the sample of an image (H, W, C) of this item and its mask."""
    sample = Sample(image=image.transpose(2, 0, 1), mask=mask, name=item.name, size=size)
    if item.looked_for is not None:
        sample["looked_for"] = np.array(item.looked_for)
    return sample


def make_batch(samples: "TrainSet | EvaluationSet", keys: Sequence[Key]) -> Batch | Failure:
    """Stack the samples, or return the SegappError of one as a Failure."""
    try:
        return stack_samples([samples[key] for key in keys])
    except SegappError as error:
        return Failure(error)


def stack_samples(samples: Sequence[Sample]) -> Batch:
    """Stack one batch, channels last in memory; smaller samples are padded by reflection, their masks with 255."""
    height, width = (max(sample["mask"].shape[axis] for sample in samples) for axis in (0, 1))
    first = samples[0]["image"]
    images = np.empty((len(samples), height, width, len(first)), first.dtype)
    masks = np.empty((len(samples), height, width), np.uint8)
    for index, sample in enumerate(samples):
        images[index], masks[index] = crop_or_pad(sample["image"].transpose(1, 2, 0), sample["mask"], (height, width))
    batch = Batch(
        image=torch.from_numpy(images).permute(0, 3, 1, 2),
        mask=torch.from_numpy(masks),
        name=[sample["name"] for sample in samples],
        size=torch.tensor([sample["size"] for sample in samples], dtype=torch.int64),
    )
    if any("pixel_size" in sample for sample in samples):
        batch["pixel_size"] = [sample.get("pixel_size") for sample in samples]
    partial = [sample["looked_for"] for sample in samples if "looked_for" in sample]
    if partial:
        complete = np.ones_like(partial[0])
        batch["looked_for"] = torch.from_numpy(np.stack([sample.get("looked_for", complete) for sample in samples]))
    return batch


def crop_or_pad(image: np.ndarray, mask: np.ndarray, size: Size) -> Pair:
    """Crop the middle of a larger pair, or pad a smaller one: the image by reflection, the mask with 255."""
    for axis, length in enumerate(size):
        stored = mask.shape[axis]
        if stored == length:
            continue
        start = (stored - length) // 2
        indices = mirror_indices(start, start + length, stored)
        image, mask = image.take(indices, axis), mask.take(indices, axis)
        position = np.arange(start, start + length)
        outside = (position < 0) | (position >= stored)
        mask[outside if axis == 0 else (slice(None), outside)] = IGNORE_INDEX
    return image, mask


def _sample_centre(size: Size, covered: Size, uniform: Sequence[float]) -> tuple[float, float]:
    """Return the centre (y, x) of a random crop that covers (height, width) of an image.

    It is any pixel of the image, moved until the crop reaches beyond the image by a sixteenth of its size at most: so
    pixels at the edges are sampled as often as others, and few samples lie outside.
    """

    def sample_along(axis: int) -> float:
        length = covered[axis]
        room = size[axis] - length
        if room <= 0:
            return size[axis] / 2
        reach = min(length // OUTSIDE_DIVISOR, room)
        return min(max(int(uniform[axis] * size[axis]) - length // 2, -reach), room + reach) + length / 2

    return sample_along(0), sample_along(1)


def _find_centre(middle: Size, matrix: np.ndarray, crop: Size) -> tuple[float, float]:
    """Return the centre (y, x) of the mapped crop whose pixel (height // 2, width // 2) is this one of the image."""
    beside = np.array([0.0 if length % 2 else 0.5 for length in crop[::-1]])  # of even crops, from the centre
    x, y = matrix @ beside
    return middle[0] + 0.5 - y, middle[1] + 0.5 - x


def _choose_corner(size: Size, covered: Size, centre: tuple[float, float]) -> Size:
    """Return the top left corner of a crop; along an axis where the image is smaller, all of the image stays inside."""
    y, x = (math.floor(centre[axis] - covered[axis] / 2) for axis in (0, 1))
    room = size[0] - covered[0], size[1] - covered[1]
    return (min(max(y, room[0]), 0) if room[0] <= 0 else y, min(max(x, room[1]), 0) if room[1] <= 0 else x)


def _measure_covered(matrix: np.ndarray, crop: Size) -> Size:
    """Return the height and width of a mapped crop's bounding box in the stored image."""
    (xx, xy), (yx, yy) = np.abs(matrix).tolist()
    return round(yx * crop[1] + yy * crop[0]), round(xx * crop[1] + xy * crop[0])


def _locate_window(matrix: np.ndarray, centre: tuple[float, float], crop: Size) -> tuple[int, int, int, int]:
    """Locate the stored pixels (y, x, h, w) under a mapped crop, with one more around for interpolation."""
    reach_x, reach_y = np.abs(matrix) @ (np.array(crop[::-1]) / 2)
    top, left = (int(np.floor(centre[0] - reach_y)) - 1, int(np.floor(centre[1] - reach_x)) - 1)
    bottom, right = (int(np.ceil(centre[0] + reach_y)) + 1, int(np.ceil(centre[1] + reach_x)) + 1)
    return top, left, bottom - top, right - left
