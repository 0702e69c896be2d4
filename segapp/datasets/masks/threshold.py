"""Binary masks whose values a codec or a resize has changed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.datasets.masks.decision_log import DecisionLog
from segapp.datasets.masks.encoding import Labels, MaskFile, PixelEncoding
from segapp.datasets.masks.pixel_checks import ignore_missing, require_opaque, take_one_band
from segapp.errors import MisuseError
from segapp.io import MaskPixels

SPREAD = 64
"""Difference of red, green and blue, of 255, up to which a pixel counts as grey: JPEG tints edges."""


class Threshold(PixelEncoding):
    """One kind of object in grey masks of JPEG or smoothed origin: brighter than `threshold` is the object.

    `above` is the objects' class (default: the first that is not the background), the rest is background. It is logged
    how many pixels were neither 0 nor white and so were decided by the threshold.
    """

    tolerant = True

    def __init__(self, threshold: float = 127, above: str | None = None) -> None:
        self.threshold, self.above = threshold, above
        self._binary = BinaryReader(threshold)

    def decode(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels], labels: Labels) -> np.ndarray:
        """Raise MisuseError for colours."""
        default = next(name for i, name in enumerate(labels.classes) if i != labels.background)
        above = labels.index(self.above or default, "mask.above")
        mask = np.where(self._binary.read(files[0].path, pixels[0]), above, labels.background).astype(np.uint8)
        return ignore_missing(mask, pixels)


class BinaryReader:
    """Reads grey mask files as binary by a threshold, and logs how many pixels that decided."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._decided = DecisionLog(f"The threshold of {threshold:g}")

    def read(self, path: Path, pixels: MaskPixels) -> np.ndarray:
        """Return (H, W) bool; MisuseError for colours."""
        band = _to_grey(path, pixels)
        decided = int(((band != 0) & (band != pixels.largest)).sum())
        self._decided.add(path, decided, band.size)
        return band > self._threshold


def _to_grey(path: Path, pixels: MaskPixels) -> np.ndarray:
    if pixels.palette is not None or pixels.values.shape[2] == 1:
        return take_one_band(path, pixels)
    require_opaque(path, pixels)
    values = pixels.values.astype(np.float32)
    spread = values.max(axis=2) - values.min(axis=2)
    if spread.max(initial=0) > SPREAD / 255 * pixels.largest:
        raise MisuseError(
            f"{path}: a colour mask, where a threshold needs a grey one; use mask segapp.datasets.Colours, with "
            "`nearest: true` if a codec or a resize changed the colours."
        )
    return values.mean(axis=2)
