"""Try transforms of albumentations once before training: their images must be like those of validation."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import albumentations as A
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError

LibraryTransform: TypeAlias = A.BasicTransform | A.BaseCompose

RESCALING = (A.Resize, A.LongestMaxSize, A.SmallestMaxSize)
"""Transforms that bring every image to one size, so that training would see another scale than validation."""

MOST_PIXELS = 2**26
"""Most pixels between two transforms, unless samples are as large themselves."""

TOLERANCE = 1e-3  # of the range of float images: what rounding may add


@dataclass(frozen=True)
class Contract:
    """The images and masks that transforms take and must return.

    Attributes:
        size: Height and width.
        channels: Of the image.
        dtype: uint8, or float32 in [0, 1].
        num_classes: The mask holds 0 … num_classes - 1, and 255.
        size_matters: Whether a constant other size is refused.
    """

    size: tuple[int, int]
    channels: int
    dtype: np.dtype[Any]
    num_classes: int
    size_matters: bool

    def __str__(self) -> str:
        values = "in 0 … 255" if self.dtype == np.uint8 else "in 0 … 1"
        return f"height x width x {self.channels} {self.dtype} {values}"

    def make_noise(self) -> "_Pair":
        """Return noise with a mask of every class."""
        rng = np.random.default_rng(0)
        noise = rng.random((*self.size, self.channels), np.float32)
        image = (noise * 255).astype(np.uint8) if self.dtype == np.uint8 else noise.astype(self.dtype)
        known = np.array([*range(min(self.num_classes, IGNORE_INDEX)), IGNORE_INDEX], np.uint8)
        return _Pair(image, np.resize(known, self.size))

    def find_fault(self, pair: "_Pair") -> str | None:
        """Return what is wrong with an image or its mask, or None."""
        image, mask = pair.image, pair.mask
        for what, pixels in (("image", image), ("mask", mask)):
            if not isinstance(pixels, np.ndarray):
                return f"makes a {type(pixels).__module__}.{type(pixels).__name__} of the {what}"
        if image.dtype != self.dtype:
            return f"makes {image.dtype} of {self.dtype} images"
        if image.ndim < 2 or image.reshape(*image.shape[:2], -1).shape[2] != self.channels:
            return f"makes images of shape {image.shape}, where height x width x {self.channels} is needed"
        if self.dtype != np.uint8 and not (image.min() >= -TOLERANCE and image.max() <= 1 + TOLERANCE):
            return f"makes values of {image.min():.3g} … {image.max():.3g}"
        return self._find_mask_fault(mask, image.shape[:2])

    def _find_mask_fault(self, mask: np.ndarray, size: tuple[int, ...]) -> str | None:
        if mask.dtype != np.uint8 or mask.shape != size:
            return f"makes a mask of shape {mask.shape} and {mask.dtype} for an image of {size[0]} x {size[1]}"
        unknown = sorted({int(value) for value in np.unique(mask) if self.num_classes <= value < IGNORE_INDEX})
        return f"puts {', '.join(map(str, unknown[:5]))} into the mask, which is no class" if unknown else None


@dataclass(frozen=True)
class _Pair:
    image: Any
    mask: Any


def require_contract(transforms: Sequence[LibraryTransform], contract: Contract) -> None:
    """Raise MisuseError naming a transform that fails or breaks the contract, however rarely it acts."""
    copies = copy.deepcopy(list(transforms))
    _, broken = _run_all(copies, contract.make_noise(), contract)
    if broken is not None:
        raise _explain_fault(*broken, contract)
    sizes = {_measure_size(copies, contract, seed) for seed in range(3)} if contract.size_matters else {contract.size}
    if len(sizes) == 1 and sizes != {contract.size}:
        height, width = sizes.pop()
        culprit = next(
            (t for t in _list_leaves(copies) if _measure_size([t], contract, 0) == (height, width)), copies[-1]
        )
        raise MisuseError(
            f"augment: {_format_name(culprit)} makes {height} x {width} pixels of a sample of {contract.size[0]} x "
            f"{contract.size[1]}: set data.crop (or data.resize) to the size that you want, and leave it out."
        )


def find_failed_transform(error: BaseException) -> str:
    """Return the class of the innermost transform whose method raised."""
    name, trace = "albumentations.Compose", error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, A.BasicTransform):
            name = _format_name(owner)
        trace = trace.tb_next
    return name


_Fault: TypeAlias = tuple[LibraryTransform, str] | None
"""The transform after which an image or its mask breaks the contract, and how."""


def _run_all(
    transforms: Sequence[LibraryTransform], pair: _Pair, contract: Contract, certain: bool = True
) -> tuple[_Pair, _Fault]:
    """Run transforms one after the other, each with probability 1; a later one may restore what one breaks."""
    broken: _Fault = None
    for transform in transforms:
        pair, found = _run(transform, pair, contract, certain)
        if found is not None and not isinstance(pair.image, np.ndarray):
            return pair, found
        broken = None if contract.find_fault(pair) is None else broken or found
    return pair, broken


def _run(transform: LibraryTransform, pair: _Pair, contract: Contract, certain: bool) -> tuple[_Pair, _Fault]:
    certain = certain and transform.p == 1
    if isinstance(transform, A.OneOf | A.SomeOf | A.OneOrOther):
        for child in transform.transforms:
            if (found := _run(child, pair, contract, certain=False)[1]) is not None:
                raise _explain_fault(*found, contract)
        return pair, None
    if isinstance(transform, A.Compose | A.Sequential):
        return _run_all(transform.transforms, pair, contract, certain)
    after = _apply(transform, pair)
    if isinstance(transform, RESCALING) and after.image.shape[:2] != pair.image.shape[:2]:
        raise MisuseError(
            f"augment: {_format_name(transform)} rescales every training image to {after.image.shape[0]} x "
            f"{after.image.shape[1]}, but validation and prediction use another scale: leave it out, and set "
            "data.resize, which all of them use."
        )
    _refuse_many_pixels(transform, after, contract)
    fault = contract.find_fault(after)
    if not certain and contract.find_fault(pair) is not None:
        return pair, None  # it may not act, so it restores nothing
    if not certain and fault is not None:
        raise _explain_fault(transform, fault, contract)
    return after, None if fault is None else (transform, fault)


def _refuse_many_pixels(transform: LibraryTransform, pair: _Pair, contract: Contract) -> None:
    """Raise MisuseError before the next transform enlarges what is too large already."""
    if not isinstance(pair.image, np.ndarray):
        return
    height, width = (*pair.image.shape, 1, 1)[:2]
    if height * width > max(MOST_PIXELS, 4 * prod(contract.size)):
        raise MisuseError(
            f"augment: {_format_name(transform)} makes {height} x {width} pixels of a sample of {contract.size[0]} x "
            f"{contract.size[1]}, at most {MOST_PIXELS:,} are possible: make it smaller."
        )


def _apply(transform: LibraryTransform, pair: _Pair) -> _Pair:
    transform.p = 1.0
    return _run_composed([transform], pair, 0)


def _measure_size(transforms: Sequence[LibraryTransform], contract: Contract, seed: int) -> tuple[int, int]:
    height, width = _run_composed(transforms, contract.make_noise(), seed).image.shape[:2]
    return height, width


def _run_composed(transforms: Sequence[LibraryTransform], pair: _Pair, seed: int) -> _Pair:
    try:
        found = A.Compose(list(transforms), seed=seed)(image=pair.image.copy(), mask=pair.mask.copy())
    except Exception as error:
        height, width = pair.image.shape[:2]
        channels = pair.image.shape[2] if pair.image.ndim > 2 else 1
        raise MisuseError(
            f"augment: the transform {find_failed_transform(error)} fails on {height} x {width} x {channels} "
            f"{pair.image.dtype}: {str(error).strip() or type(error).__name__}"
        ) from error
    return _Pair(found["image"], found["mask"])


def _list_leaves(transforms: Sequence[LibraryTransform]) -> list[A.BasicTransform]:
    return [
        leaf
        for transform in transforms
        for leaf in (_list_leaves(transform.transforms) if isinstance(transform, A.BaseCompose) else [transform])
    ]


def _explain_fault(transform: LibraryTransform, fault: str, contract: Contract) -> MisuseError:
    inside = isinstance(transform, A.Normalize | A.ToFloat | A.ToTensorV2)
    hint = " (the network normalises its input itself)" if inside else ""
    return MisuseError(
        f"augment: {_format_name(transform)} {fault}, but validation and prediction give the network {contract}: "
        f"leave it out{hint}."
    )


def _format_name(transform: LibraryTransform) -> str:
    return f"{type(transform).__module__.split('.')[0]}.{type(transform).__name__}"
