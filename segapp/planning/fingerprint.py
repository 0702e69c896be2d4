"""Measure a data set in one pass over its images and masks."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from tqdm import tqdm

from segapp.batch import IGNORE_INDEX
from segapp.datasets.source import Item
from segapp.datasets.value_counts import count_values
from segapp.errors import MisuseError, SegappError
from segapp.planning.object_sizes import ObjectSizes, measure_objects
from segapp.planning.symmetry import MOTIONS, Arrangement, Symmetry, describe_arrangement, measure_symmetry
from segapp.planning.unreadable import are_few
from segapp.system.limits import count_usable_cores

MAX_IMAGES = 5000
"""Images that are read at most: with more, fractions and sizes hardly change."""
THUMBNAIL = 24
"""Side of the images by which neighbours are compared."""
MIN_IMAGES = 3
"""Fewest images of which some can be trained on and others validated on."""
REDUCED = 128
"""Longest side of the image from which a thumbnail is made, where nothing else is measured in it."""
MAX_SIDE = 1024
"""Longest side at which an image is measured; larger ones are reduced, and their objects' sizes scaled back."""


@dataclass(frozen=True)
class ImageFacts:
    """Measurements of one image and its mask."""

    name: str
    group: str
    size: tuple[int, int]
    """Height, width in stored pixels."""
    dtype: str
    """uint8, or float32 for images that are scaled to [0, 1]."""
    is_grey: bool
    """All channels are equal (also true of one channel)."""
    mean: np.ndarray
    """(C,) mean value per channel in [0, 1]."""
    variance: np.ndarray
    """(C,) variance per channel, in units of [0, 1] squared."""
    histogram: np.ndarray
    """(32,) fraction of values in each of 32 equal bins of [0, 1], over all channels."""
    counts: np.ndarray
    """(K,) int64 pixels of each class, in stored pixels."""
    ignored: int
    """Pixels that are 255 (ignore)."""
    objects: tuple[ObjectSizes, ...]
    arrangement: Arrangement | None
    """None where it was not asked for."""
    thumbnail: np.ndarray
    """(THUMBNAIL, THUMBNAIL) float32 mean of the channels in [0, 1]."""


@dataclass(frozen=True)
class Fingerprint:
    """Measurements of a data set, for the decisions of `segapp plan`."""

    classes: tuple[str, ...]
    background: int | None
    images: tuple[ImageFacts, ...]
    """The measured images, in the order of their names."""
    total: int
    """Number of images in the data set, of which some are measured if it is very large."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Name and error of images that are left out."""
    cuts_images: bool = False
    """Whether these are blocks of larger images, which are predicted whole and so never reduced."""

    @cached_property
    def class_fractions(self) -> np.ndarray:
        """(K,) fraction of each class among the labelled pixels."""
        counts = self.class_counts
        return counts / max(int(counts.sum()), 1)

    @cached_property
    def class_counts(self) -> np.ndarray:
        """(K,) int64 pixels of each class over all images."""
        return np.sum([image.counts for image in self.images], axis=0)

    @cached_property
    def images_with(self) -> np.ndarray:
        """(K,) int64 images in which each class occurs."""
        return np.sum([image.counts > 0 for image in self.images], axis=0)

    @cached_property
    def sizes(self) -> np.ndarray:
        """(n, 2) int64 height and width of every image."""
        return np.array([image.size for image in self.images], np.int64)

    @cached_property
    def mean(self) -> np.ndarray:
        """(C,) mean value per channel over all images, each image counting the same."""
        return np.mean([image.mean for image in self.images], axis=0)

    @cached_property
    def std(self) -> np.ndarray:
        """(C,) standard deviation per channel over all pixels of all images, each image counting the same."""
        within = np.mean([image.variance for image in self.images], axis=0)
        between = np.var([image.mean for image in self.images], axis=0)
        return np.sqrt(within + between)

    @cached_property
    def is_grey(self) -> bool:
        """Whether all channels are equal in every image."""
        return all(image.is_grey for image in self.images)

    def leave_out(self, names: Collection[str]) -> "Fingerprint":
        """Return the same data set without images of these names, or raise MisuseError: nothing to learn is left."""
        images = tuple(image for image in self.images if image.name not in names)
        left = replace(self, images=images, total=self.total - len(names))
        _require_two_classes(left, " for training and validation")
        return left

    def convert_to_grey(self) -> "Fingerprint":
        """Return the same data set read as one channel, where all are equal."""
        images = tuple(replace(image, mean=image.mean[:1], variance=image.variance[:1]) for image in self.images)
        return replace(self, images=images)

    def measure_extent(self, quantile: float) -> float:
        """Return a quantile of the objects' longer sides, in stored pixels; every object counts by its area.

        Weighted by area, small specks do not matter: it is the size of the object that a pixel of an object lies in.
        """
        objects = [o for image in self.images for o in image.objects if o.class_index != self.background]
        extents = np.concatenate([o.extents for o in objects] or [np.zeros(0)])
        areas = np.concatenate([o.areas for o in objects] or [np.zeros(0)])
        if not len(extents):
            return 0.0
        order = np.argsort(extents)
        reached = np.cumsum(areas[order]) / areas.sum()
        return float(extents[order][min(int(np.searchsorted(reached, quantile)), len(order) - 1)])

    @cached_property
    def thicknesses(self) -> np.ndarray:
        """(K,) median over images of the mean width of each class, in stored pixels; NaN where it never occurs."""
        objects = [o for image in self.images for o in image.objects]
        widths = [[o.thickness for o in objects if o.class_index == index] for index in range(len(self.classes))]
        return np.array([np.median(found) if found else np.nan for found in widths])

    @cached_property
    def thinnest(self) -> float:
        """The smallest thickness of a class that occurs; a background of thin lines between objects is one too."""
        return float(np.nanmin(self.thicknesses))

    @cached_property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """How the data set changes when its images are mirrored or turned."""
        arrangements = [image.arrangement for image in self.images if image.arrangement is not None]
        return tuple(measure_symmetry(arrangements, motion) for motion in MOTIONS)


def read_fingerprint(
    items: Sequence[Item], classes: Sequence[str], background: int | None, progress: bool = True
) -> Fingerprint:
    """Read images and masks once, in parallel threads, with a progress bar; pixels are not kept.

    Of more than `MAX_IMAGES` items so many are read, evenly over their order.

    A few images that cannot be read are left out.

    Raises:
        MisuseError: there is nothing to learn; reading a file raises its own errors, which name it.
    """

    def describe_or_fail(item: Item) -> ImageFacts | SegappError:
        try:
            return _describe_item(item, len(classes))
        except SegappError as error:
            return error

    sample = [items[number * len(items) // MAX_IMAGES] for number in range(MAX_IMAGES)]
    sample = list(items) if len(items) <= MAX_IMAGES else sample
    with ThreadPoolExecutor(min(8, count_usable_cores())) as pool:
        found = pool.map(describe_or_fail, sample)
        described = list(
            tqdm(found, "reading images and masks", len(sample), leave=False, disable=not progress, delay=1)
        )
    facts = tuple(found for found in described if isinstance(found, ImageFacts))
    failed = tuple(
        (item.name, found) for item, found in zip(sample, described, strict=True) if isinstance(found, SegappError)
    )
    if not are_few(len(failed), len(sample)) or len(facts) < MIN_IMAGES:
        raise failed[0][1] if failed else MisuseError(f"{len(facts)} readable images are too few.")
    unreadable = tuple((name, str(error)) for name, error in failed)
    fingerprint = Fingerprint(tuple(classes), background, facts, len(items) - len(failed), unreadable)
    _require_two_classes(fingerprint)
    return fingerprint


def _describe_item(item: Item, num_classes: int) -> ImageFacts:
    if item.mask is None:
        raise MisuseError("has no mask; segapp plan needs a mask for every image.")
    height, width, _ = item.image.shape
    if item.mask.shape != (height, width):
        raise MisuseError(
            f"the image is {height} x {width} pixels and its mask {' x '.join(map(str, item.mask.shape))}."
        )
    return describe_item(item, item.image.read(), item.mask.read(), num_classes)


def describe_item(
    item: Item,
    image: np.ndarray,
    mask: np.ndarray,
    num_classes: int,
    background: int | None = None,
    is_for_plan: bool = True,
) -> ImageFacts:
    """Describe the pixels of one item.

    Args:
        item: For its names.
        image: (H, W, C) uint8, or float32 in [0, 1].
        mask: (H, W) uint8 class indices, 255 = ignore.
        num_classes: Classes of the data set.
        background: The class whose objects are not measured.
        is_for_plan: Whether to measure also what only a plan needs: the arrangement and how thick classes are.
    """
    height, width, _ = image.shape
    counts = count_values(mask)
    scale = max(1.0, max(height, width) / MAX_SIDE)
    if scale > 1:
        image = reduce_image(image, MAX_SIDE)
        mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    mean, variance, histogram = _describe_values(image)
    grey = average_channels(image if is_for_plan else reduce_image(image, REDUCED))
    return ImageFacts(
        name=item.name,
        group=item.group,
        size=(height, width),
        dtype=str(image.dtype),
        is_grey=_is_grey(image),
        mean=mean,
        variance=variance,
        histogram=histogram,
        counts=counts[:num_classes],
        ignored=int(counts[IGNORE_INDEX]),
        objects=tuple(measure_objects(mask, background, scale, is_for_plan)),
        arrangement=describe_arrangement(grey, mask, num_classes) if is_for_plan else None,
        thumbnail=cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA),
    )


def reduce_image(image: np.ndarray, side: int) -> np.ndarray:
    """Return an image (H, W, C) of at most `side` pixels along each side, its pixels averaged."""
    height, width, channels = image.shape
    scale = max(1.0, max(height, width) / side)
    size = max(1, round(width / scale)), max(1, round(height / scale))
    if size == (width, height):
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], channels)


def _is_grey(image: np.ndarray) -> bool:
    """Return whether all channels are equal; colours are mostly seen in a few pixels."""
    few = image[::8, ::8]
    return bool((few == few[..., :1]).all()) and all(
        np.array_equal(image[..., 0], image[..., index]) for index in range(1, image.shape[2])
    )


def average_channels(image: np.ndarray) -> np.ndarray:
    """Return the mean of the channels, (H, W) float32 in [0, 1]."""
    scale = 1 / 255 if image.dtype == np.uint8 else 1.0
    channels = image.shape[2]
    if channels > 4:  # more than OpenCV takes
        return image.mean(axis=2, dtype=np.float32) * np.float32(scale)
    weights = np.full((1, channels), scale / channels)
    return cv2.transform(image.astype(np.float32), weights).reshape(image.shape[:2])


def _describe_values(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean (C,), variance (C,) and the histogram (32,) of an image (H, W, C), in units of [0, 1].

    All three follow from counts of 256 values, which is much faster than numpy's functions for an 8-bit image.
    """
    stored = image if image.dtype == np.uint8 else np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    counts = np.stack([count_values(stored, channel) for channel in range(stored.shape[2])])
    fractions = counts / counts.sum(axis=1, keepdims=True)
    values = np.arange(256) / 255
    mean = fractions @ values
    return mean, fractions @ values**2 - mean**2, fractions.mean(axis=0).reshape(32, 8).sum(axis=1)


def _require_two_classes(fingerprint: Fingerprint, which: str = "") -> None:
    present = [name for name, count in zip(fingerprint.classes, fingerprint.class_counts, strict=True) if count]
    if len(present) > 1:
        return
    found = f"only the class {present[0]!r}" if present else "no labelled pixel at all"
    raise MisuseError(
        f"there is nothing to learn: the masks of all {len(fingerprint.images)} images{which} hold {found}. "
        "Check that the masks belong to the images, and how their values are read (`mask` of the source in --data "
        "FILE)."
    )
