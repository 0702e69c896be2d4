"""Masks whose stored values or colours are the classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.masks import LOSSY, Encoding, Labels, MaskFile, listed, one_band
from segapp.errors import MisuseError

INDICES = "segapp.datasets.Indices"
UNKNOWN = -1


class Indices(Encoding):
    """The stored value is the class: grey or palette PNG, or TIFF of whole numbers; 255 is ignored.

    `values` maps stored values to classes where they differ, such as {0: 0, 255: 1} or {11: 255}. A stored
    value that is not listed means itself, unless another value is listed for that class.
    """

    def __init__(self, values: dict[int, int] | None = None) -> None:
        self.values = dict(values or {})
        outside = [v for v in self.values if not 0 <= v < 2**16]
        if outside:
            raise MisuseError(f"{INDICES}: stored values lie in 0 … 65535, got {outside}.")

    def decode(self, files: Sequence[MaskFile], pixels: Sequence[np.ndarray], labels: Labels) -> np.ndarray:
        """Raises MisuseError for values that are no class, with the likely cause."""
        path, stored = files[0].path, one_band(files[0].path, pixels[0])
        if stored.dtype.kind == "f":
            stored = _whole_numbers(path, stored)
        if stored.size and (int(stored.min()) < 0 or int(stored.max()) >= 2**16):
            raise self._unknown(path, stored, labels)
        indices = self._table(len(labels.classes))[stored]
        if (indices == UNKNOWN).any():
            raise self._unknown(path, stored, labels)
        return indices.astype(np.uint8)

    def _table(self, num_classes: int) -> np.ndarray:
        """Stored value → class, 255 or UNKNOWN; (65536,) int16."""
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
        """With two classes and no `values`: 255 without a 1."""
        return (
            not self.values
            and len(labels.classes) == 2
            and bool((indices == IGNORE_INDEX).any())
            and not (indices == 1).any()
        )

    def settle(self, files: Sequence[MaskFile], indices: np.ndarray, labels: Labels) -> None:
        """A 0/255 mask may mean two things; MisuseError says both ways out."""
        if not self.is_doubtful(indices, labels):
            return
        _, second = labels.classes
        raise MisuseError(
            f"{files[0].path}: holds {listed(indices)} and no 1; with two classes 255 may mean {second!r} or "
            f"'ignore'. Say which: mask {INDICES} with values {{0: 0, 255: 1}} if 255 is {second!r}, "
            f"or {{0: 0, 1: 1, 255: 255}} if 255 is to be ignored."
        )

    def _unknown(self, path: Path, stored: np.ndarray, labels: Labels) -> MisuseError:
        count = len(labels.classes)
        table = self._table(count)
        inside = (stored >= 0) & (stored < 2**16)
        bad = ~inside | (table[np.where(inside, stored, 0)] == UNKNOWN)
        known = ", ".join(map(str, np.flatnonzero(table != UNKNOWN)[:12])) + (" …" if count > 11 else "")
        return MisuseError(
            f"{path}: {int(bad.sum()):,} pixels hold {listed(stored[bad])}, which "
            f"{'is' if len(np.unique(stored[bad])) == 1 else 'are'} no class (known: {known}; "
            f"255 is ignored). {likely(path, stored, count)}"
        )


class Colours(Encoding):
    """The colour is the class: RGB masks; one colour per class name, or a list of several.

    Colours, (red, green, blue) in 0 … 255, under the name `ignore` become 255.
    """

    def __init__(self, colours: dict[str, tuple[int, int, int] | list[tuple[int, int, int]]]) -> None:
        self.colours = {name: _several(given) for name, given in colours.items()}
        for name, several in self.colours.items():
            if not several or any(not 0 <= value < 256 for colour in several for value in colour):
                raise MisuseError(f"colours: {name!r} needs a colour, three numbers in 0 … 255, got {colours[name]}.")

    def decode(self, files: Sequence[MaskFile], pixels: Sequence[np.ndarray], labels: Labels) -> np.ndarray:
        """Raises MisuseError for unknown colours, with how many and how often."""
        path, stored = files[0].path, pixels[0]
        if stored.dtype != np.uint8 or stored.shape[2] not in (1, 3, 4):
            raise MisuseError(
                f"{path}: {stored.shape[2]} channels of {stored.dtype}, not the 8-bit RGB that Colours reads."
            )
        if stored.shape[2] == 1:
            raise MisuseError(f"{path}: a grey or palette mask, whose values are classes; use mask {INDICES}.")
        keys, indices = self._table(labels)
        coded = _coded(stored)
        place = np.minimum(np.searchsorted(keys, coded), len(keys) - 1)
        unknown = keys[place] != coded
        if unknown.any():
            raise self._unknown(path, coded[unknown])
        return indices[place]

    def _table(self, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
        if "ignore" in labels.classes:
            raise MisuseError(
                "colours: `ignore` stands for what is not learnt; rename the class 'ignore' or leave it out."
            )
        pairs = sorted(
            (
                _coded(np.array([[colour]])).item(),
                IGNORE_INDEX if name == "ignore" else labels.index(name, "colours"),
            )
            for name, colours in self.colours.items()
            for colour in colours
        )
        keys, indices = np.array(pairs, np.int64).reshape(-1, 2).T
        if len(np.unique(keys)) != len(keys):
            raise MisuseError("colours: the same colour stands for two classes.")
        return keys.astype(np.int32), indices.astype(np.uint8)

    def _unknown(self, path: Path, coded: np.ndarray) -> MisuseError:
        colours, counts = np.unique(coded, return_counts=True)
        often = np.argsort(-counts)[:5]
        shown = ", ".join(f"{_decoded(int(colours[i]))} ({counts[i]:,} pixels)" for i in often)
        more = f" and {len(colours) - 5} more" if len(colours) > 5 else ""
        cause = (
            "So many colours come from JPEG or from smoothing: save masks as PNG, resized by nearest."
            if len(colours) > 20
            else "Add them to colours, or name them under `ignore` there."
        )
        return MisuseError(f"{path}: colours that stand for no class: {shown}{more}. {cause}")


def _several(given: tuple[int, int, int] | list[tuple[int, int, int]]) -> list[tuple[int, ...]]:
    return [tuple(given)] if given and isinstance(given[0], int) else [tuple(colour) for colour in given]


def _whole_numbers(path: Path, stored: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        whole = stored.astype(np.int64)
    if not (whole == stored).all():
        found = stored[whole != stored].flat[0]
        raise MisuseError(f"{path}: holds fractions such as {found:g}, not class indices; save whole numbers.")
    return whole


def likely(path: Path, stored: np.ndarray, num_classes: int) -> str:
    values = np.unique(stored)
    if path.suffix.lower() in LOSSY:
        return "JPEG changes values: save masks as PNG, from the original annotation."
    if len(values) == 2 and values[0] == 0:
        return (
            f"It looks like a 0/{values[1]} mask: set mask {INDICES} with values {{0: 0, {values[1]}: 1}} "
            "(or the class that it is)."
        )
    if len(values) > 20 and num_classes < len(values):
        return (
            "So many values come from smoothing (masks must be resized by nearest), from a photograph in "
            "place of its mask, or from one value per object (mask segapp.datasets.Instances)."
        )
    return (
        f"Add the missing classes to `classes`, or map the values with mask {INDICES} and "
        "values {stored: class} (class 255 is ignored)."
    )


def _coded(colours: np.ndarray) -> np.ndarray:
    """(H, W, 3 or more) → (H, W) int32, one number per colour."""
    red, green, blue = (colours[..., i].astype(np.int32) for i in range(3))
    return (red << 16) | (green << 8) | blue


def _decoded(coded: int) -> tuple[int, int, int]:
    return coded >> 16, coded >> 8 & 255, coded & 255
