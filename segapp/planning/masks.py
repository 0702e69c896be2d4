"""How the masks of a data set are written: what their stored values can mean."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.io import read_raw

MAX_VALUES = 64
"""More different values than this in indices, or colours, are not classes but a photograph or smoothed edges."""
INDICES, COLOURS, INSTANCES = (f"segapp.datasets.{name}" for name in ("Indices", "Colours", "Instances"))


@dataclass
class MaskValues:
    """The values of many mask files."""

    files: int = 0
    values: Counter[int] = field(default_factory=Counter)
    """Pixels of each stored value of single-band masks."""
    files_with: Counter[int] = field(default_factory=Counter)
    colours: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    """Pixels of each colour of masks with three bands."""
    most_in_one: int = 0
    """Largest number of different values in one file."""

    def add(self, stored: np.ndarray) -> None:
        """Count the values of one mask, (H, W) or (H, W, C) as stored."""
        self.files += 1
        bands = stored[..., None] if stored.ndim == 2 else stored
        colour = bands.shape[2] >= 3 and not (bands[..., :1] == bands[..., :3]).all()
        if colour:
            flat = bands[..., :3].reshape(-1, 3).astype(np.int64)
            found, counts = np.unique(flat @ np.array([65536, 256, 1]), return_counts=True)
            order = np.argsort(-counts)[: 4 * MAX_VALUES]
            for coded, count in zip(found[order], counts[order], strict=True):
                self.colours[int(coded) >> 16, int(coded) >> 8 & 255, int(coded) & 255] += int(count)
        else:
            found, counts = np.unique(bands[..., 0], return_counts=True)
            for value, count in zip(found[: 4 * MAX_VALUES], counts, strict=False):
                self.values[int(value)] += int(count)
                self.files_with[int(value)] += 1
        self.most_in_one = max(self.most_in_one, len(found))


@dataclass(frozen=True)
class MaskMeaning:
    """What the masks mean, as settings of `segapp.datasets.Folder`."""

    mask: dict[str, Any] | None
    """`class_path` and `init_args` of an encoding; None for class indices."""
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...] | None
    background: int | None
    reason: str


def read_mask_values(files: Iterable[Path]) -> MaskValues:
    """Count the stored values of mask files; raises what reading raises, naming the file."""
    values = MaskValues()
    for file in files:
        values.add(read_raw(file))
    return values


def infer_meaning(values: MaskValues, names: Sequence[str] | None = None) -> MaskMeaning:
    """Return what the stored values mean, or raise MisuseError with what was found and what can be said instead.

    Args:
        values: Of all masks.
        names: Class names in the order of the indices, where a file beside the data gives them.
    """
    if values.colours and values.values:
        raise MisuseError(
            "some masks hold colours and others a single band; bring them into one form, or describe them in a data "
            "section (--data, as configs/data/mine.yaml)."
        )
    if values.colours:
        return _infer_colours(values, names)
    found = sorted(values.values)
    if len(found) > MAX_VALUES:
        return _infer_instances(values, found)
    classes = [value for value in found if value != IGNORE_INDEX]
    if len(found) == 2 and found[0] == 0 and found[1] in (1, IGNORE_INDEX):
        return _binary(values, found[1], names)
    if len(found) == 2 and found[0] == 0:
        return _binary(values, found[1], names)
    if len(classes) > 1 and classes[-1] < IGNORE_INDEX and (names is None or classes[-1] < len(names)):
        return _infer_indices(values, classes, names)
    raise MisuseError(
        f"the masks hold the values {', '.join(map(str, found[:12]))}{' …' if len(found) > 12 else ''} in "
        f"{values.files} files, which could mean several things; name the classes in a data section "
        "(--data, as configs/data/mine.yaml)."
    )


def _binary(values: MaskValues, high: int, names: Sequence[str] | None) -> MaskMeaning:
    classes = tuple(names[:2]) if names and len(names) >= 2 else ("background", "object")
    mask = None if high == 1 else {"class_path": INDICES, "init_args": {"values": {0: 0, high: 1}}}
    share = values.values[high] / max(1, sum(values.values.values()))
    reason = f"all {values.files} masks hold 0 and {high} only; {high} ({share:.1%} of the pixels) is {classes[1]!r}"
    return MaskMeaning(mask, classes, None, 0, reason + ".")


def _infer_indices(values: MaskValues, classes: Sequence[int], names: Sequence[str] | None) -> MaskMeaning:
    count = len(names) if names else classes[-1] + 1
    ignored = values.values.get(IGNORE_INDEX, 0)
    labels = tuple(names) if names else ("background", *(f"class_{i}" for i in range(1, count)))
    reason = f"the values of the masks are the numbers of the classes, 0 … {count - 1}"
    if ignored:
        reason += f"; 255 ({ignored / sum(values.values.values()):.1%} of the pixels) is ignored"
    return MaskMeaning(None, labels, None, 0, reason + ".")


def _infer_instances(values: MaskValues, found: Sequence[int]) -> MaskMeaning:
    """Many values: numbered objects, if each file uses small numbers and the larger ones are in fewer files."""
    crowded = values.files_with[found[1]] >= values.files_with[found[-1]]
    if found[0] == 0 and crowded and all(isinstance(value, int) for value in found):
        reason = f"the masks number their objects (up to {values.most_in_one} values in a file), 0 is background."
        return MaskMeaning({"class_path": INSTANCES}, ("background", "object"), None, 0, reason)
    raise MisuseError(
        f"the masks hold more than {MAX_VALUES} different values, up to {values.most_in_one} in one file: they are "
        "photographs, or were saved as JPEG or resized with smoothing. Save them as PNG, resized by nearest."
    )


def _infer_colours(values: MaskValues, names: Sequence[str] | None) -> MaskMeaning:
    if len(values.colours) > MAX_VALUES:
        raise MisuseError(
            f"the masks hold {len(values.colours)} or more different colours: they were saved as JPEG or smoothed, or "
            "are photographs. Save them as PNG, resized by nearest."
        )
    black = (0, 0, 0)
    colours = sorted(values.colours, key=lambda colour: (colour != black, -values.colours[colour], colour))
    if names and len(names) != len(colours):
        names = None
    background = 0 if colours[0] == black else None
    labels = (
        tuple(names)
        if names
        else tuple(
            "background" if colour == black else f"colour_{''.join(f'{part:02x}' for part in colour)}"
            for colour in colours
        )
    )
    mask = {
        "class_path": COLOURS,
        "init_args": {"colours": {label: list(colour) for label, colour in zip(labels, colours, strict=True)}},
    }
    reason = f"the masks hold {len(colours)} colours, each of which is a class."
    return MaskMeaning(mask, labels, tuple(colours), background, reason)
