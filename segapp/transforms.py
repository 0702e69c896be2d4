"""Augmentation: presets of ours and any transform of albumentations, as a function of a seed.

Ours that move pixels (`Flips`, `Affine`, the first half of a preset) are drawn before a crop is read, so that
exactly the pixels they need are read and one interpolation does all of it.
"""

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TypeAlias

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or every import asks the network for a newer version

import albumentations as A
import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError, SegappError


class Geometry(ABC):
    """Where the pixels of a crop come from: a linear map about its centre, drawn before it is read."""

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """(2, 2) float: from (x, y) relative to the crop's centre to the same in the stored image."""


class Flips(Geometry):
    """Mirror images, each way with probability 1/2; `turns` adds the four quarter turns."""

    def __init__(self, horizontal: bool = True, vertical: bool = False, turns: bool = False) -> None:
        self.horizontal, self.vertical, self.turns = horizontal, vertical, turns

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """One of up to eight signed permutations: no pixel is interpolated."""
        left, up = rng.integers(2, size=2)
        turns = int(rng.integers(4))
        mirrored = np.diag([1 - 2.0 * (self.horizontal and left), 1 - 2.0 * (self.vertical and up)])
        return mirrored @ _quarter_turns(turns if self.turns else 0)


class Affine(Geometry):
    """Rotation by up to `rotate` degrees either way, zoom by a factor in `scale` (2 doubles sizes), shear.

    Args:
        rotate: Largest angle in degrees.
        scale: Lowest and highest zoom; drawn evenly in its logarithm.
        shear: Largest angle in degrees.
        p: Probability.
    """

    def __init__(
        self,
        rotate: float = 15.0,
        scale: tuple[float, float] = (0.8, 1.25),
        shear: float = 0.0,
        p: float = 0.5,
    ) -> None:
        if not 0 < scale[0] <= scale[1]:
            raise MisuseError(f"Affine: scale is a lowest and a highest zoom above 0, got {scale}.")
        if not abs(shear) < 90:
            raise MisuseError(f"Affine: shear lies below 90 degrees, got {shear}.")
        if not 0 <= p <= 1:
            raise MisuseError(f"Affine: p is a probability, got {p}.")
        self.rotate, self.scale, self.shear, self.p = rotate, scale, shear, p

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """The identity with probability 1 - p."""
        chance, *even = rng.random(4)
        if chance >= self.p:
            return np.eye(2)
        angle, shear = np.deg2rad([self.rotate, self.shear]) * (2 * np.array(even[:2]) - 1)
        zoom = self.scale[0] * (self.scale[1] / self.scale[0]) ** even[2]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return turn @ np.array([[1, np.tan(shear)], [0, 1]]) / zoom


class Preset(ABC):
    """A geometry and transforms of pixel values that suit one kind of image."""

    geometry: tuple[Geometry, ...]

    @abstractmethod
    def values(self, channels: int) -> Sequence[A.BasicTransform | A.BaseCompose]:
        """What changes values, for images of so many channels."""


class Natural(Preset):
    """Photographs: mirrored left to right, turned by up to 10°, zoomed by 0.75 to 1.5; colour and blur."""

    def __init__(self) -> None:
        self.geometry = (Flips(), Affine(rotate=10, scale=(0.75, 1.5)))

    def values(self, channels: int) -> list[A.BasicTransform]:
        """Hue and saturation exist for 3 channels; other images vary in brightness and contrast."""
        colour = (
            A.ColorJitter((0.7, 1.3), (0.7, 1.3), (0.7, 1.3), (-0.04, 0.04), p=0.5)
            if channels == 3
            else A.RandomBrightnessContrast(0.3, 0.3, p=0.5)
        )
        return [colour, A.GaussianBlur(sigma_limit=(0.5, 1.5), p=0.1)]


class Microscopy(Preset):
    """Images without an up: all mirrorings and turns, zoom by 0.75 to 1.33; brightness, gamma, blur, noise."""

    def __init__(self) -> None:
        self.geometry = (
            Flips(horizontal=True, vertical=True, turns=True),
            Affine(rotate=45, scale=(0.75, 1.33), p=0.3),
        )

    def values(self, channels: int) -> list[A.BasicTransform]:
        """The same for any number of channels."""
        return [
            A.RandomBrightnessContrast(0.2, 0.2, p=0.5),
            A.RandomGamma((70, 150), p=0.3),
            A.GaussianBlur(sigma_limit=(0.5, 1.5), p=0.1),
            A.GaussNoise(std_range=(0.01, 0.06), p=0.15),
        ]


class Medical(Preset):
    """Scans with an up and a side: turned by up to 15°, zoomed by 0.7 to 1.4, never mirrored; as nnU-Net."""

    def __init__(self) -> None:
        self.geometry = (Affine(rotate=15, scale=(0.7, 1.4), p=0.4),)

    def values(self, channels: int) -> list[A.BasicTransform]:
        """The same for any number of channels."""
        return [
            A.GaussNoise(std_range=(0.01, 0.1), p=0.1),
            A.GaussianBlur(sigma_limit=(0.5, 1.0), p=0.1),
            A.RandomBrightnessContrast(0.25, 0.25, p=0.3),
            A.RandomGamma((70, 150), p=0.3),
        ]


class Photometric(Preset):
    """Changes of values alone: light and colour of photographs, contrast and gamma of others, focus and resolution.

    Args:
        noise: Largest standard deviation of Gaussian noise, of the range [0, 1]; 0 for none.
    """

    def __init__(self, noise: float = 0.0) -> None:
        if not 0 <= noise < 1:
            raise MisuseError(f"Photometric: noise is a standard deviation in [0, 1), got {noise}.")
        self.geometry = ()
        self.noise = noise

    def values(self, channels: int) -> list[A.BasicTransform | A.BaseCompose]:
        """Return colour jitter for 3 channels; for others brightness, contrast, and gamma of the image or its negative.

        The gamma of the negative, the blur and the lower resolution are those of nnU-Net (Isensee et al. 2021).
        """
        gamma = A.RandomGamma((70, 150), p=1.0)
        negative = A.Sequential([A.InvertImg(p=1.0), gamma, A.InvertImg(p=1.0)], p=0.1)
        colour = A.ColorJitter((0.7, 1.3), (0.7, 1.3), (0.7, 1.3), (-0.04, 0.04), p=0.5)
        grey = [A.RandomBrightnessContrast(0.2, 0.2, p=0.5), A.RandomGamma((70, 150), p=0.3), negative]
        sharpness = [A.GaussianBlur(sigma_limit=(0.5, 1.5), p=0.1), A.Downscale(scale_range=(0.5, 0.9), p=0.1)]
        noisy = [A.GaussNoise(std_range=(self.noise / 5, self.noise), p=0.15)] if self.noise else []
        return [*([colour] if channels == 3 else grey), *sharpness, *noisy]


Transform: TypeAlias = Geometry | Preset | A.BasicTransform | A.BaseCompose
"""What a list of augmentations may hold, in any order; geometries act first, while the crop is read."""


class Augmenter:
    """A list of transforms as two functions without state: one of where pixels lie, one of their values."""

    def __init__(self, transforms: Sequence[Transform], channels: int, num_classes: int = IGNORE_INDEX) -> None:
        self._geometry = tuple(chain.from_iterable(_geometries(t) for t in transforms))
        values = list(chain.from_iterable(_values(t, channels) for t in transforms))
        for transform in _leaves(values):
            _require_known_arguments(transform)
            _ignore_outside(transform, num_classes)
        self._values = A.Compose(values) if values else None

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """(2, 2): from the crop's pixels to the stored image's, both relative to the centre."""
        matrix = np.eye(2)
        for geometry in self._geometry:
            matrix = matrix @ geometry.draw(rng)
        return matrix

    def change(self, image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """(H, W, C) uint8 or float32 and (H, W) uint8, changed; the size may change too.

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
                f"the transform {_culprit(error)} fails on {height} x {width} x {channels} {image.dtype}: "
                f"{str(error).strip() or type(error).__name__}"
            ) from error
        return changed["image"].reshape(*changed["image"].shape[:2], -1), changed["mask"]

    @staticmethod
    def warp(
        image: np.ndarray, mask: np.ndarray, matrix: np.ndarray, centre: tuple[float, float], size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """A crop of `size` around `centre` (y, x, in pixels from the top left corner) of a window, mapped.

        Images are interpolated linearly, masks by nearest; what lies outside the mask becomes 255.
        """
        shift = np.array(centre[::-1]) - 0.5 - matrix @ (np.array(size[::-1]) / 2 - 0.5)
        inverse = np.column_stack([matrix, shift])
        pixels = _by_fours(
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
        """Both to `size` (height, width): by area when it shrinks, else linearly; masks by nearest."""
        shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
        smooth = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = _by_fours(image, lambda part: cv2.resize(part, size[::-1], interpolation=smooth))
        return resized, cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)


def use_one_thread() -> None:
    """Keep OpenCV from starting threads of its own: for the workers of a loader, which are many already."""
    cv2.setNumThreads(0)


def _quarter_turns(count: int) -> np.ndarray:
    return np.rint(np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), count))


def _by_fours(image: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """OpenCV's geometry takes up to 4 channels, and returns one channel without its axis."""
    parts = []
    for start in range(0, image.shape[2], 4):
        part = function(np.ascontiguousarray(image[..., start : start + 4]))
        parts.append(part if part.ndim == 3 else part[..., None])
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)


def _geometries(transform: Transform) -> Sequence[Geometry]:
    if isinstance(transform, Geometry):
        return [transform]
    return transform.geometry if isinstance(transform, Preset) else []


def _values(transform: Transform, channels: int) -> Sequence[A.BasicTransform | A.BaseCompose]:
    if isinstance(transform, Preset):
        return transform.values(channels)
    return [] if isinstance(transform, Geometry) else [transform]


def _leaves(transforms: Sequence[A.BasicTransform | A.BaseCompose]) -> Iterator[A.BasicTransform]:
    for transform in transforms:
        if isinstance(transform, A.BaseCompose):
            yield from _leaves(transform.transforms)
        else:
            yield transform


def _require_known_arguments(transform: A.BasicTransform) -> None:
    """albumentations warns of a misspelt argument and goes on without it."""
    if transform.invalid_args:
        names = ", ".join(transform.invalid_args)
        raise MisuseError(f"albumentations.{type(transform).__name__} has no argument {names}.")


def _ignore_outside(transform: A.BasicTransform, num_classes: int) -> None:
    """What albumentations pulls into a mask from outside is nothing: 255, not its default, class 0.

    None says of what is only hidden (`CoarseDropout`) that the mask stays: it is to be recognised all the same. What
    a person gives is kept.
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


def _culprit(error: BaseException) -> str:
    """The class of the innermost transform whose method raised."""
    name, trace = "albumentations.Compose", error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, A.BasicTransform):
            name = f"{type(owner).__module__.split('.')[0]}.{type(owner).__name__}"
        trace = trace.tb_next
    return name
