"""Masks whose values an option names: `--classes background,cell=255 --ignore 128`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.masks.pixel_checks import list_values
from segapp.errors import MisuseError
from segapp.io import FilePart, read_mask_window, read_shape

LARGEST_VALUE = 2**16 - 1
UNKNOWN = -1


@dataclass(frozen=True)
class ClassValues:
    """The stored value of every class, and the values that are ignored."""

    classes: tuple[str, ...]
    values: tuple[int, ...]
    """As many as classes; all different."""
    ignored: tuple[int, ...]

    @classmethod
    def parse(cls, classes: str, ignore: str) -> "ClassValues":
        """Parse the options: NAME or NAME=VALUE, separated by commas; values to ignore, separated by commas.

        A class without a value has its place as value: 0, 1, …. Raises MisuseError.
        """
        words = [word.strip() for word in classes.split(",") if word.strip()]
        names, values = [], []
        for index, word in enumerate(words):
            name, equals, value = word.rpartition("=")
            names.append(name.strip() if equals else word)
            values.append(_parse_value("--classes", value) if equals else index)
        if not 2 <= len(names) <= IGNORE_INDEX:
            raise MisuseError(
                f"--classes names 2 to {IGNORE_INDEX} classes, got {len(names)}: --classes background,cell, or with "
                "their values in the masks --classes background=0,cell=255."
            )
        if ignore == "auto":
            ignored = [] if IGNORE_INDEX in values else [IGNORE_INDEX]
        else:
            ignored = [_parse_value("--ignore", word) for word in ignore.split(",") if word.strip() not in ("", "none")]
        _require_different("name", names)
        _require_different("value", list(map(str, [*values, *ignored])))
        return cls(tuple(names), tuple(values), tuple(ignored))

    def read(self, file: FilePart) -> np.ndarray:
        """Read one mask, (H, W) uint8 class indices, 255 = ignored; raise MisuseError for other values."""
        pixels = read_mask_window(file, 0, 0, *read_shape(file))
        stored = pixels.values
        if pixels.lossy is not None:
            raise MisuseError(f"{file}: {pixels.lossy} is lossy, so the class values in it are not exact; save PNG.")
        if pixels.transparency is not None or (stored.shape[2] > 1 and not (stored == stored[..., :1]).all()):
            raise MisuseError(
                f"{file}: holds colours, not one value per class; describe the masks in a data section with mask "
                "segapp.datasets.Colours, and give it by --data FILE instead of --classes."
            )
        return self._map(file, stored[..., 0])

    def _map(self, file: FilePart, stored: np.ndarray) -> np.ndarray:
        if stored.dtype not in (np.uint8, np.uint16):
            with np.errstate(invalid="ignore"):
                whole = np.clip(stored, -1, LARGEST_VALUE + 1).astype(np.int64)
            self._require_known(file, stored, (whole != stored) | (whole < 0) | (whole > LARGEST_VALUE))
            stored = whole.astype(np.uint16)
        table = np.full(LARGEST_VALUE + 1, UNKNOWN, np.int16)
        table[list(self.values)] = np.arange(len(self.values))
        table[list(self.ignored)] = IGNORE_INDEX
        if (table[np.flatnonzero(np.bincount(stored.ravel()))] == UNKNOWN).any():
            self._require_known(file, stored, table[stored] == UNKNOWN)
        return table.astype(np.uint8)[stored]

    def _require_known(self, file: FilePart, stored: np.ndarray, unknown: np.ndarray) -> None:
        if unknown.any():
            known = ", ".join(f"{name}={value}" for name, value in zip(self.classes[:6], self.values, strict=False))
            raise MisuseError(
                f"{file}: {int(unknown.sum()):,} pixels hold {list_values(stored[unknown])}, which --classes ({known}"
                f"{', …' if len(self.classes) > 6 else ''}) and --ignore do not name: add the value to one of them."
            )


def _parse_value(option: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= LARGEST_VALUE:
        raise MisuseError(
            f"{option}: {text.strip()!r} is no value of a mask; whole numbers of 0 … {LARGEST_VALUE} are."
        )
    return value


def _require_different(kind: str, words: Sequence[str]) -> None:
    """Raise MisuseError where two words are equal."""
    twice = next((word for word in words if words.count(word) > 1), None)
    if twice is not None:
        raise MisuseError(f"--classes and --ignore give the {kind} {twice} twice; each needs one of its own.")


def find_background(classes: Sequence[str], background: str) -> int | None:
    """Return the index of the class that `--background` names; None where it names none. Raise MisuseError."""
    if not background:
        return None
    if background not in classes:
        raise MisuseError(f"--background {background!r} is not one of the classes {', '.join(classes)}.")
    return list(classes).index(background)
