"""Transforms of albumentations tried once, before training: what they deliver must be what validation delivers."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import albumentations as A
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError

Foreign: TypeAlias = A.BasicTransform | A.BaseCompose

RESCALING = (A.Resize, A.LongestMaxSize, A.SmallestMaxSize)
"""Bring every image to one size, so that training would see another scale than validation."""

TOLERANCE = 1e-3  # of the range of float images: what rounding may add


@dataclass(frozen=True)
class Contract:
    """What transforms are given and have to deliver.

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

    def sample(self) -> "_Pair":
        """Return noise with a mask of every class."""
        rng = np.random.default_rng(0)
        noise = rng.random((*self.size, self.channels), np.float32)
        image = (noise * 255).astype(np.uint8) if self.dtype == np.uint8 else noise.astype(self.dtype)
        known = np.array([*range(min(self.num_classes, IGNORE_INDEX)), IGNORE_INDEX], np.uint8)
        return _Pair(image, np.resize(known, self.size))

    def fault(self, pair: "_Pair") -> str | None:
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
        return self._fault_of_mask(mask, image.shape[:2])

    def _fault_of_mask(self, mask: np.ndarray, size: tuple[int, ...]) -> str | None:
        if mask.dtype != np.uint8 or mask.shape != size:
            return f"makes a mask of shape {mask.shape} and {mask.dtype} for an image of {size[0]} x {size[1]}"
        unknown = sorted({int(value) for value in np.unique(mask) if self.num_classes <= value < IGNORE_INDEX})
        return f"puts {', '.join(map(str, unknown[:5]))} into the mask, which is no class" if unknown else None


@dataclass(frozen=True)
class _Pair:
    image: Any
    mask: Any


def require_contract(transforms: Sequence[Foreign], contract: Contract) -> None:
    """Raise MisuseError naming the transform that fails, or changes what it must not, however rarely it acts."""
    own = copy.deepcopy(list(transforms))
    _, broken = _run_all(own, contract.sample(), contract)
    if broken is not None:
        raise _refused(*broken, contract)
    sizes = {_sized(own, contract, seed) for seed in range(3)} if contract.size_matters else {contract.size}
    if len(sizes) == 1 and sizes != {contract.size}:
        height, width = sizes.pop()
        culprit = next((t for t in _leaves(own) if _sized([t], contract, 0) == (height, width)), own[-1])
        raise MisuseError(
            f"augment: {_name(culprit)} makes {height} x {width} pixels of a sample of {contract.size[0]} x "
            f"{contract.size[1]}: set data.crop (or data.resize) to the size that you want, and leave it out."
        )


def transform_that_failed(error: BaseException) -> str:
    """Return the class of the innermost transform whose method raised."""
    name, trace = "albumentations.Compose", error.__traceback__
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, A.BasicTransform):
            name = _name(owner)
        trace = trace.tb_next
    return name


_Broken: TypeAlias = tuple[Foreign, str] | None
"""The transform after which an image or its mask is not as it has to be, and how."""


def _run_all(
    transforms: Sequence[Foreign], pair: _Pair, contract: Contract, certain: bool = True
) -> tuple[_Pair, _Broken]:
    """Run transforms one after the other, each for certain; what one breaks a later one may restore."""
    broken: _Broken = None
    for transform in transforms:
        pair, found = _run(transform, pair, contract, certain)
        if found is not None and not isinstance(pair.image, np.ndarray):
            return pair, found
        broken = None if contract.fault(pair) is None else broken or found
    return pair, broken


def _run(transform: Foreign, pair: _Pair, contract: Contract, certain: bool) -> tuple[_Pair, _Broken]:
    certain = certain and transform.p == 1
    if isinstance(transform, A.OneOf | A.SomeOf | A.OneOrOther):
        for child in transform.transforms:
            if (found := _run(child, pair, contract, certain=False)[1]) is not None:
                raise _refused(*found, contract)
        return pair, None
    if isinstance(transform, A.Compose | A.Sequential):
        return _run_all(transform.transforms, pair, contract, certain)
    after = _applied(transform, pair)
    if isinstance(transform, RESCALING) and after.image.shape[:2] != pair.image.shape[:2]:
        raise MisuseError(
            f"augment: {_name(transform)} rescales every training image to {after.image.shape[0]} x "
            f"{after.image.shape[1]}, and validation and prediction see another scale: leave it out, and set "
            "data.resize, which acts on all."
        )
    fault = contract.fault(after)
    if not certain and contract.fault(pair) is not None:
        return pair, None  # it may not act, so it restores nothing
    if not certain and fault is not None:
        raise _refused(transform, fault, contract)
    return after, None if fault is None else (transform, fault)


def _applied(transform: Foreign, pair: _Pair) -> _Pair:
    transform.p = 1.0
    return _composed([transform], pair, 0)


def _sized(transforms: Sequence[Foreign], contract: Contract, seed: int) -> tuple[int, int]:
    height, width = _composed(transforms, contract.sample(), seed).image.shape[:2]
    return height, width


def _composed(transforms: Sequence[Foreign], pair: _Pair, seed: int) -> _Pair:
    try:
        found = A.Compose(list(transforms), seed=seed)(image=pair.image.copy(), mask=pair.mask.copy())
    except Exception as error:
        height, width = pair.image.shape[:2]
        channels = pair.image.shape[2] if pair.image.ndim > 2 else 1
        raise MisuseError(
            f"augment: the transform {transform_that_failed(error)} fails on {height} x {width} x {channels} "
            f"{pair.image.dtype}: {str(error).strip() or type(error).__name__}"
        ) from error
    return _Pair(found["image"], found["mask"])


def _leaves(transforms: Sequence[Foreign]) -> list[A.BasicTransform]:
    return [
        leaf
        for transform in transforms
        for leaf in (_leaves(transform.transforms) if isinstance(transform, A.BaseCompose) else [transform])
    ]


def _refused(transform: Foreign, fault: str, contract: Contract) -> MisuseError:
    inside = isinstance(transform, A.Normalize | A.ToFloat | A.ToTensorV2)
    hint = " (the network normalises its input itself)" if inside else ""
    return MisuseError(
        f"augment: {_name(transform)} {fault}, while validation and prediction feed the network {contract}: leave it "
        f"out{hint}."
    )


def _name(transform: Foreign) -> str:
    return f"{type(transform).__module__.split('.')[0]}.{type(transform).__name__}"
