"""Count the stored values of mask files."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io import FilePart, read_raw
from segapp.planning.unreadable import are_few
from segapp.system.limits import count_usable_cores

STRIPE_PIXELS = 2**22
"""Pixels of a mask that are counted at a time."""
MAX_VALUES = 64
"""More different values than this in indices, or colours, are not classes but numbered objects or smoothed edges."""

AT_ONCE = 16
"""Masks that are read ahead."""

Colour = tuple[int, int, int]


@dataclass
class MaskValues:
    """The stored values of many mask files."""

    files: int = 0
    values: Counter[int] = field(default_factory=Counter)
    """Pixels of each stored value of single-band masks."""
    colours: Counter[Colour] = field(default_factory=Counter)
    """Pixels of each colour of masks with three different bands."""
    most_in_one: int = 0
    """Largest number of different values in one file."""
    counts_in_one: set[int] = field(default_factory=set)
    """How many values other than 0 the files hold."""
    has_grey: bool = False
    """A file of one or two bands holds another value than 0."""
    sparse: int = 0
    """Files whose largest value is more than twice the number of values other than 0 in it."""
    with_gaps: int = 0
    """Files whose values other than 0 are not 1, 2, … without a gap."""
    in_first_band: bool = True
    """All colours have a first band alone, whose values are counted like those of masks of one band."""
    coherence: float = 1.0
    """The smallest of all files with many values; see `MIN_COHERENCE` of mask_meaning.py."""
    has_fractions: str | None = None
    """A file with values that are no whole numbers from 0."""

    def add(self, stored: np.ndarray, name: str) -> None:
        """Count the values of one mask, (H, W) or (H, W, C) as stored."""
        self.files += 1
        bands = stored[..., None] if stored.ndim == 2 else stored
        if bands.shape[2] in (2, 4) and (bands[..., -1] == bands[0, 0, -1]).all():
            bands = bands[..., :-1]  # a constant alpha
        if bands.shape[2] >= 3 and not (bands[..., :1] == bands[..., :3]).all():
            self._add_colours(bands[..., :3])
        else:
            self.has_grey |= bands.shape[2] < 3 and bool(bands[..., 0].any())
            self._add_values(bands[..., 0], name)

    def _add_colours(self, bands: np.ndarray) -> None:
        rows = max(1, STRIPE_PIXELS // bands.shape[1])  # a mask may be as large as an image
        stripes = [_count_colours(bands[top : top + rows]) for top in range(0, len(bands), rows)]
        codes, pixels = (np.concatenate(column) for column in zip(*stripes, strict=True))
        found, inverse = np.unique(codes, return_inverse=True)
        counts = np.bincount(inverse, pixels).astype(np.int64)
        self.most_in_one = max(self.most_in_one, len(found))
        self.in_first_band &= not (found & 0xFFFF).any()
        self._add_numbers(found[found > 0] >> 16)
        for code, count in list(zip(found.tolist(), counts.tolist(), strict=True))[: 4 * MAX_VALUES]:
            self.colours[code >> 16, code >> 8 & 255, code & 255] += count

    def _add_values(self, band: np.ndarray, name: str) -> None:
        found, counts = _count_values(band)
        if (found < 0).any() or (found != np.floor(found)).any():
            self.has_fractions = name
            return
        self.most_in_one = max(self.most_in_one, len(found))
        if len(found) > MAX_VALUES // 2:
            self.coherence = min(self.coherence, _measure_coherence(band))
        self._add_numbers(found[found > 0].astype(np.int64))
        for value, count in list(zip(found.tolist(), counts.tolist(), strict=True))[: 4 * MAX_VALUES]:
            self.values[int(value)] += count

    def _add_numbers(self, objects: np.ndarray) -> None:
        """Count the different values other than 0 of one file, in ascending order."""
        self.counts_in_one.add(len(objects))
        self.sparse += bool(len(objects)) and int(objects[-1]) > 2 * len(objects)
        self.with_gaps += bool(len(objects)) and int(objects[-1]) != len(objects)


def read_mask_values(files: Sequence[Path | FilePart]) -> MaskValues:
    """Count the stored values of mask files, in threads; of a few that cannot be read none are counted.

    Where more cannot be read, the error names the first.
    """
    values = MaskValues()
    failed = []
    with ThreadPoolExecutor(min(8, count_usable_cores())) as pool:
        for start in range(0, len(files), AT_ONCE):  # a bounded number of masks in memory
            part = files[start : start + AT_ONCE]
            for file, stored in zip(part, pool.map(_read_or_fail, part), strict=True):
                if isinstance(stored, SegappError):
                    failed.append(stored)
                else:
                    values.add(stored, str(file))
    if failed and not (values.files and are_few(len(failed), len(files))):
        raise failed[0]
    return values


def _read_or_fail(file: Path | FilePart) -> np.ndarray | SegappError:
    try:
        return read_raw(file)
    except SegappError as error:
        return error


def _count_colours(bands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different colours (h, w, 3), each as one number, and their pixels."""
    return np.unique(bands.astype(np.int64) @ np.array([65536, 256, 1]), return_counts=True)


def _count_values(band: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different values and their pixels; of 8 and 16 bits without sorting them."""
    if band.dtype in (np.uint8, np.uint16):
        counts = np.bincount(band.ravel())
        found = np.flatnonzero(counts)
        return found, counts[found]
    return np.unique(band, return_counts=True)


def _measure_coherence(band: np.ndarray) -> float:
    """Return the median over the values of the fraction of their pixels whose right neighbour is equal."""
    _, inverse = np.unique(band[:, :-1], return_inverse=True)
    equal = (band[:, 1:] == band[:, :-1]).ravel()
    return float(np.median(np.bincount(inverse.ravel(), equal) / np.bincount(inverse.ravel())))
