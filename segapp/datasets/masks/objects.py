"""Masks made of binary files: one per object or one per class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.datasets.masks.encoding import Labels, MaskFile, PixelEncoding
from segapp.datasets.masks.palettes import BLACK
from segapp.datasets.masks.pixel_checks import ignore_missing, list_values, take_one_band
from segapp.datasets.masks.threshold import BinaryReader
from segapp.datasets.masks.values import suggest_cause
from segapp.errors import MisuseError
from segapp.io import MaskPixels


class Instances(PixelEncoding):
    """Objects of one class: one binary file per object, or one file with a value per object; 0 is no object.

    `instance` is the objects' class (default: the first that is not the background); pixels of one object
    that touch or overlap another become `border` where that is given. `threshold` reads files that JPEG or smoothing
    changed: brighter is the object, as in `Threshold`.
    """

    several = True
    local = False  # which objects touch is only known where both are seen

    def __init__(self, instance: str | None = None, border: str | None = None, threshold: float | None = None) -> None:
        self.instance, self.border = instance, border
        self._binary = None if threshold is None else BinaryReader(threshold)
        self.tolerant = threshold is not None

    def decode(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels], labels: Labels) -> np.ndarray:
        """Raise MisuseError when one of several files is not binary."""
        default = next(name for i, name in enumerate(labels.classes) if i != labels.background)
        foreground = labels.index(self.instance or default, "mask.instance")
        bands = [_read_band(file.path, window, self._binary) for file, window in zip(files, pixels, strict=True)]
        if len(bands) > 1:
            for file, band in zip(files, bands, strict=True):
                _require_binary(file.path, band)
        objects, overlaps = _label_objects(bands)
        mask = np.where(objects > 0, foreground, labels.background).astype(np.uint8)
        if self.border is not None:
            mask[_find_touching(objects) | overlaps] = labels.index(self.border, "mask.border")
        return _ignore_missing(mask, pixels)


class PerClass(PixelEncoding):
    """One binary file per class, found by `{class}` in the masks' pattern; a missing file: no such pixels.

    Where files overlap, a later class in `order` (default: that of the classes) lies above, and those it does not
    name lie below; the rest is background. `threshold` reads files that JPEG or smoothing changed: brighter is the
    class, as in `Threshold`.
    """

    several = True

    layered = True

    def __init__(self, order: list[str] | None = None, threshold: float | None = None) -> None:
        self.order = order
        self._binary = None if threshold is None else BinaryReader(threshold)
        self.tolerant = threshold is not None

    def decode(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels], labels: Labels) -> np.ndarray:
        """Raise MisuseError when a file is not binary or the pattern has no `{class}`."""
        named = list(self.order or [])
        order = [name for name in labels.classes if name not in named] + named
        indices = {name: labels.index(name, "mask.order") for name in order}
        mask = np.full(pixels[0].shape, labels.background, np.uint8)
        by_class = self._read_classes(files, pixels)
        for name, index in indices.items():
            if name in by_class:
                mask[by_class[name]] = index
        return _ignore_missing(mask, pixels)

    def count_overlaps(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels]) -> int:
        """Count the pixels that are foreground in several files."""
        return int((np.sum(list(self._read_classes(files, pixels).values()), axis=0) > 1).sum())

    def _read_classes(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels]) -> dict[str, np.ndarray]:
        """Return (H, W) bool of each class that has a file."""
        by_class = {}
        for file, window in zip(files, pixels, strict=True):
            if file.class_name is None:
                raise MisuseError("mask PerClass needs {class} in `masks`, such as 'masks/{class}/{name}.*'.")
            _require_binary(file.path, band := _read_band(file.path, window, self._binary))
            by_class[file.class_name] = band > 0
        return by_class


def _read_band(path: Path, pixels: MaskPixels, binary: BinaryReader | None) -> np.ndarray:
    """Return (H, W), 0 where no object is and where nothing was measured."""
    band = take_one_band(path, pixels) if binary is None else binary.read(path, pixels)
    if pixels.palette is not None and binary is None:
        _require_black(path, band, pixels.palette)
    return band if pixels.missing is None else np.where(pixels.missing, 0, band)


def _require_black(path: Path, band: np.ndarray, palette: np.ndarray) -> None:
    """Raise MisuseError if a palette paints 0, which is no object, and an object 0, as if exchanged."""
    colours = {int(value): tuple(int(v) for v in palette[value]) for value in np.unique(band)}
    if colours.get(0, BLACK) != BLACK and (len(colours) == 1 or BLACK in colours.values()):
        raise MisuseError(
            f"{path}: 0 means no object, but the palette gives it the colour {colours[0]}; a program may have sorted "
            "it: save it as a grey mask."
        )


def _ignore_missing(mask: np.ndarray, pixels: Sequence[MaskPixels]) -> np.ndarray:
    """Return the mask with 255 where a file marks pixels as not measured, except by 0, which is no object."""
    return ignore_missing(mask, [window for window in pixels if window.nodata != 0])


def _require_binary(path: Path, band: np.ndarray) -> None:
    if not ((band == 0) | (band == band.max())).all():
        values = np.unique(band)
        raise MisuseError(
            f"{path}: holds {list_values(band)} where 0 and one other value are expected. "
            f"{suggest_cause(band, 2) if len(values) > 20 else 'Save it as a binary mask.'}"
        )


def _label_objects(bands: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Label (H, W) object numbers, 0 for none, and find where two objects overlap."""
    if len(bands) == 1:
        return bands[0], np.zeros(bands[0].shape, bool)
    objects = np.zeros(bands[0].shape, np.int32)
    overlaps = np.zeros(objects.shape, bool)
    for number, band in enumerate(bands, start=1):
        covered = band > 0
        overlaps |= covered & (objects > 0)
        objects[covered] = number
    return objects, overlaps


def _find_touching(objects: np.ndarray) -> np.ndarray:
    """Find the pixels of an object with a pixel of another object among their eight neighbours."""
    touching = np.zeros(objects.shape, bool)
    for first, second in _pair_neighbours(objects.shape):
        a, b = objects[first], objects[second]
        meet = (a != b) & (a > 0) & (b > 0)
        touching[first] |= meet
        touching[second] |= meet
    return touching


def _pair_neighbours(shape: tuple[int, ...]) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Pair views in which every pixel meets its right, lower and two lower diagonal neighbours."""
    up, down, all_rows = slice(None, -1), slice(1, None), slice(None)
    return [
        ((all_rows, up), (all_rows, down)),
        ((up, all_rows), (down, all_rows)),
        ((up, up), (down, down)),
        ((up, down), (down, up)),
    ]
