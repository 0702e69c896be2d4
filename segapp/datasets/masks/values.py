"""Masks whose stored values are the classes."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.masks.encoding import Labels, MaskFile, PixelEncoding
from segapp.datasets.masks.palettes import Palettes
from segapp.datasets.masks.pixel_checks import ignore_missing, list_values, take_one_band
from segapp.datasets.masks.segments import assign_names
from segapp.datasets.value_counts import count_values
from segapp.errors import MisuseError
from segapp.io import MaskPixels

INDICES = "segapp.datasets.Indices"
UNKNOWN = -1


class Indices(PixelEncoding):
    """The stored value is the class: grey, palette, or TIFF of whole numbers; 255 is ignored.

    `values` maps stored values to classes where they differ, such as {0: 0, 255: 1} or {11: 255}. A stored
    value that is not listed means itself, unless another value is listed for that class. Palettes must paint each
    value alike in all files: where they do not, their order means nothing, and `Colours` reads them. Segments of
    DICOM that have the names of classes are those classes, whatever their numbers, unless `values` map them.
    """

    def __init__(self, values: dict[int, int] | None = None) -> None:
        self.values = dict(values or {})
        outside = [v for v in self.values if not 0 <= v < 2**16]
        if outside:
            raise MisuseError(f"{INDICES}: stored values lie in 0 … 65535, got {outside}.")
        self.tolerant = all(value in self.values for value in range(256))  # the user assigned each of them
        self._palettes = Palettes()
        self._tables: dict[int, np.ndarray] = {}

    def decode(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels], labels: Labels) -> np.ndarray:
        """Raise MisuseError for values that are no class, with the likely cause."""
        path, stored = files[0].path, take_one_band(files[0].path, pixels[0])
        if pixels[0].names is not None and not self.values:
            stored = assign_names(path, stored, pixels[0].names, labels)
        if pixels[0].palette is not None:
            self._palettes.check(path, stored, pixels[0].palette, labels, self.values)
        if pixels[0].missing is not None and not self._is_listed(path, pixels[0], labels):
            stored = np.where(pixels[0].missing, labels.background, stored)
            return ignore_missing(self._map_values(path, stored, labels), pixels)
        return self._map_values(path, stored, labels)

    def _is_listed(self, path: Path, pixels: MaskPixels, labels: Labels) -> bool:
        """Return whether `values` map the nodata value; MisuseError where it could be a class."""
        value = pixels.nodata
        if value is None or not 0 <= value < 2**16:
            return False
        if value in self.values:
            return True
        if self._get_table(len(labels.classes))[int(value)] in (UNKNOWN, IGNORE_INDEX):
            return False
        raise MisuseError(
            f"{path}: {value:g} is the nodata value of the file and also the number of class "
            f"{labels.classes[int(value)]!r}. Choose one: mask {INDICES} with values {{{value:g}: {value:g}}} for the "
            f"class, or {{{value:g}: {IGNORE_INDEX}}} to ignore these pixels."
        )

    def _map_values(self, path: Path, stored: np.ndarray, labels: Labels) -> np.ndarray:
        table = self._get_table(len(labels.classes))
        if stored.dtype == np.uint8:  # most masks: a tenth of the time
            reached = table[: int(stored.max(initial=0)) + 1]
            if (reached == UNKNOWN).any() and (table[np.flatnonzero(count_values(stored))] == UNKNOWN).any():
                raise self._explain_unknown(path, stored, labels)
            if np.array_equal(reached, np.arange(len(reached))):
                return stored
            return cv2.LUT(stored, table[:256].astype(np.uint8))
        if stored.dtype.kind == "f":
            stored = _require_whole_numbers(path, stored)
        if stored.size and (int(stored.min()) < 0 or int(stored.max()) >= 2**16):
            raise self._explain_unknown(path, stored, labels)
        indices = table[stored]
        if (indices == UNKNOWN).any():
            raise self._explain_unknown(path, stored, labels)
        return indices.astype(np.uint8)

    def _get_table(self, num_classes: int) -> np.ndarray:
        """Return stored value → class, 255 or UNKNOWN; (65536,) int16, built once."""
        if num_classes not in self._tables:
            self._tables[num_classes] = self._build_table(num_classes)
        return self._tables[num_classes]

    def _build_table(self, num_classes: int) -> np.ndarray:
        for value, index in self.values.items():
            if not (0 <= index < num_classes or index == IGNORE_INDEX):
                raise MisuseError(
                    f"mask values map {value} to {index}, which is neither a class (0 … {num_classes - 1}) "
                    f"nor {IGNORE_INDEX} (ignore)."
                )
        table = np.full(2**16, UNKNOWN, np.int16)
        table[:num_classes] = np.arange(num_classes)
        table[[index for index in self.values.values() if index != IGNORE_INDEX]] = UNKNOWN
        table[IGNORE_INDEX] = IGNORE_INDEX
        for value, index in self.values.items():
            table[value] = index
        return table

    def is_doubtful(self, indices: np.ndarray, labels: Labels) -> bool:
        """Return whether a mask of two classes without `values` holds 255 but no 1."""
        return (
            not self.values
            and len(labels.classes) == 2
            and bool((indices == IGNORE_INDEX).any())
            and not (indices == 1).any()
        )

    def check_meaning(self, files: Sequence[MaskFile], indices: np.ndarray, labels: Labels) -> None:
        """Check that a 0/255 mask, which may mean two things, has a stated meaning.

        Raise MisuseError with both remedies.
        """
        if not self.is_doubtful(indices, labels):
            return
        _, second = labels.classes
        raise MisuseError(
            f"{files[0].path}: holds {list_values(indices)} and no 1; with two classes 255 may mean {second!r} or "
            f"'ignore'. Choose one: mask {INDICES} with values {{0: 0, 255: 1}} if 255 is {second!r}, "
            f"or {{0: 0, 1: 1, 255: 255}} if 255 is to be ignored."
        )

    def _explain_unknown(self, path: Path, stored: np.ndarray, labels: Labels) -> MisuseError:
        count = len(labels.classes)
        table = self._get_table(count)
        inside = (stored >= 0) & (stored < 2**16)
        bad = ~inside | (table[np.where(inside, stored, 0)] == UNKNOWN)
        known = ", ".join(map(str, np.flatnonzero(table != UNKNOWN)[:12])) + (" …" if count > 11 else "")
        return MisuseError(
            f"{path}: {int(bad.sum()):,} pixels hold {list_values(stored[bad])}, which "
            f"{'is' if len(np.unique(stored[bad])) == 1 else 'are'} no class (known: {known}; "
            f"255 is ignored). {suggest_cause(stored, count)}"
        )


def _require_whole_numbers(path: Path, stored: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        whole = stored.astype(np.int64)
    if not (whole == stored).all():
        found = stored[whole != stored].flat[0]
        raise MisuseError(f"{path}: holds fractions such as {found:g}, not class indices; save whole numbers.")
    return whole


def suggest_cause(stored: np.ndarray, num_classes: int) -> str:
    """Return the likely cause of values that are no class, and the way out."""
    values = np.unique(stored)
    if len(values) == 2 and values[0] == 0:
        return (
            f"It looks like a 0/{values[1]} mask: set mask {INDICES} with values {{0: 0, {values[1]}: 1}} "
            "(or the class that it is)."
        )
    if len(values) > 20 and num_classes < len(values):
        return (
            "So many values come from smoothing (masks must be resized by nearest; mask segapp.datasets.Threshold "
            "decides those of one kind of object), from a photograph in place of its mask, or from one value per "
            "object (mask segapp.datasets.Instances)."
        )
    return (
        f"Add the missing classes to `classes`, or map the values with mask {INDICES} and "
        "values {stored: class} (class 255 is ignored)."
    )
