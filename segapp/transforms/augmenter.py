"""Apply a list of transforms: first those of positions, as one matrix, then those of values."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

import albumentations as A
import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError, SegappError
from segapp.transforms.contract import Contract, find_failed_transform, require_contract
from segapp.transforms.geometry import Geometry
from segapp.transforms.presets import Preset

Transform: TypeAlias = Geometry | Preset | A.BasicTransform | A.BaseCompose
"""What a list of augmentations may hold, in any order; geometries act first, while the crop is read."""


class Augmenter:
    """A list of transforms as two functions without state: one of pixel positions, one of pixel values."""

    def __init__(self, transforms: Sequence[Transform], channels: int, num_classes: int = IGNORE_INDEX) -> None:
        self._geometry = tuple(chain.from_iterable(_get_geometries(t) for t in transforms))
        values = list(chain.from_iterable(_get_value_transforms(t, channels) for t in transforms))
        for transform in _iterate_leaves(values):
            _require_known_arguments(transform)
            _ignore_outside(transform, num_classes)
        self._values = A.Compose(values) if values else None
        self._library_transforms = [t for t in transforms if isinstance(t, A.BasicTransform | A.BaseCompose)]
        self._channels, self._num_classes = channels, num_classes

    def try_once(self, size: tuple[int, int], dtype: np.dtype, size_matters: bool) -> None:
        """Run the transforms on noise; MisuseError names the first that changes more than it may.

        Args:
            size: Height and width of the samples.
            dtype: What images are stored as, uint8 or float32.
            size_matters: Whether all samples have this size.
        """
        matrix = self.sample_matrix(np.random.default_rng(0))
        if matrix.shape != (2, 2) or not np.isfinite(matrix).all() or not np.linalg.det(matrix):
            names = ", ".join(type(geometry).__name__ for geometry in self._geometry)
            raise MisuseError(f"augment: {names} must make invertible 2 x 2 matrices, got {matrix.tolist()}.")
        contract = Contract(size, self._channels, np.dtype(dtype), self._num_classes, size_matters)
        require_contract(self._library_transforms, contract)

    def sample_matrix(self, rng: np.random.Generator) -> np.ndarray:
        """Sample (2, 2): from the crop's pixels to the stored image's, both relative to the centre."""
        matrix = np.eye(2)
        for geometry in self._geometry:
            matrix = matrix @ geometry.sample(rng)
        return matrix

    def change_values(self, image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Change (H, W, C) uint8 or float32 and (H, W) uint8; the size may change too.

        Raises SegappError naming the transform that fails.
        """
        if self._values is None:
            return image, mask
        self._values.set_random_seed(seed)
        try:
            changed = self._values(image=image, mask=mask)
        except Exception as error:
            height, width, channels = image.shape
            raise SegappError(
                f"the transform {find_failed_transform(error)} fails on {height} x {width} x {channels} {image.dtype}: "
                f"{str(error).strip() or type(error).__name__}"
            ) from error
        return changed["image"].reshape(*changed["image"].shape[:2], -1), changed["mask"]

    @staticmethod
    def warp(
        image: np.ndarray, mask: np.ndarray, matrix: np.ndarray, centre: tuple[float, float], size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Warp a crop of `size` around `centre` (y, x, in pixels from the top left corner) out of a window.

        Images are interpolated linearly, masks by nearest; what lies outside the mask becomes 255.
        """
        shift = np.array(centre[::-1]) - 0.5 - matrix @ (np.array(size[::-1]) / 2 - 0.5)
        inverse = np.column_stack([matrix, shift])
        pixels = _apply_to_channels(
            image,
            lambda part: cv2.warpAffine(
                part,
                inverse,
                size[::-1],
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            ),
        )
        indices = cv2.warpAffine(
            mask,
            inverse,
            size[::-1],
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=IGNORE_INDEX,
        )
        return pixels, indices

    @staticmethod
    def resize(image: np.ndarray, mask: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Resize both to `size` (height, width): by area when it shrinks, else linearly; masks by nearest."""
        shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
        smooth = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = _apply_to_channels(image, lambda part: cv2.resize(part, size[::-1], interpolation=smooth))
        return resized, cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def use_one_thread() -> None:
    """Keep OpenCV from starting threads, in the workers of a loader, which are many already."""
    cv2.setNumThreads(0)


def _apply_to_channels(image: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply a function to four channels at a time.

    OpenCV's geometry takes up to 4, and returns one channel without its axis.
    """
    parts = []
    for start in range(0, image.shape[2], 4):
        part = function(np.ascontiguousarray(image[..., start : start + 4]))
        parts.append(part if part.ndim == 3 else part[..., None])
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _get_geometries(transform: Transform) -> Sequence[Geometry]:
    if isinstance(transform, Geometry):
        return [transform]
    return transform.geometry if isinstance(transform, Preset) else []


def _get_value_transforms(transform: Transform, channels: int) -> Sequence[A.BasicTransform | A.BaseCompose]:
    if isinstance(transform, Preset):
        return transform.make_transforms(channels)
    return [] if isinstance(transform, Geometry) else [transform]


def _iterate_leaves(transforms: Sequence[A.BasicTransform | A.BaseCompose]) -> Iterator[A.BasicTransform]:
    for transform in transforms:
        if isinstance(transform, A.BaseCompose):
            yield from _iterate_leaves(transform.transforms)
        else:
            yield transform


def _require_known_arguments(transform: A.BasicTransform) -> None:
    """Require known arguments: albumentations only warns of a misspelt one and ignores it."""
    if transform.invalid_args:
        names = ", ".join(transform.invalid_args)
        raise MisuseError(f"albumentations.{type(transform).__name__} has no argument {names}.")


def _ignore_outside(transform: A.BasicTransform, num_classes: int) -> None:
    """Ignore the pixels that albumentations adds to a mask from outside: they become 255, not its default, class 0.

    Hidden pixels (`fill_mask` None of `CoarseDropout`) keep their class, which is to be recognised all the same. A
    value that the user gives is kept.
    """
    value = vars(transform).get("fill_mask")
    if value is None:
        return
    argument = inspect.signature(type(transform)).parameters.get("fill_mask")
    if argument is None or value == argument.default:
        transform.fill_mask = IGNORE_INDEX
    elif value not in (*range(num_classes), IGNORE_INDEX):
        raise MisuseError(
            f"albumentations.{type(transform).__name__}: fill_mask={value} is neither a class (0 … {num_classes - 1}) "
            f"nor {IGNORE_INDEX} (ignore)."
        )
