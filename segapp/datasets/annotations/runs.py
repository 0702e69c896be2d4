"""Run lengths of masks: COCO's text decoded, and the pixels of some columns made from them."""

import numpy as np

from segapp.errors import MisuseError


def decode_compressed(text: bytes) -> np.ndarray:
    """Return the run lengths, (N,) int64, of COCO's compressed text; MisuseError where it is none.

    Each number is written in groups of five bits, the lowest first, 48 added; from the fourth on it is the difference
    to the number two before (pycocotools, `rleToString`).
    """
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise MisuseError("a compressed RLE is damaged or cut off")
    ends = np.flatnonzero(codes & 32 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    places = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    if places.max() > 6:
        raise MisuseError("a compressed RLE holds numbers of more than 35 bits")
    values = np.add.reduceat((codes & 31) << (5 * places), starts)
    negative = codes[ends] & 16 != 0
    values -= np.where(negative, np.int64(1) << (5 * (ends - starts + 1)), 0)
    for first in (1, 2):  # the differences are of every second number, from the second and third on
        values[first::2] = np.cumsum(values[first::2])
    return values


def find_covered(counts: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    """Return y, x, h, w of the rectangle around what the runs down the columns of a mask cover.

    Raises MisuseError where the runs do not fill the mask.
    """
    ends = _add_runs(counts, height * width)
    starts = ends - counts
    first, last = starts[1::2][counts[1::2] > 0], ends[1::2][counts[1::2] > 0] - 1
    if not len(first):
        return 0, 0, 0, 0
    left, right = int(first[0]) // height, int(last[-1]) // height
    if (first // height != last // height).any():  # a run goes on at the top of the next column
        return 0, left, height, right - left + 1
    top, bottom = int((first % height).min()), int((last % height).max())
    return top, left, bottom - top + 1, right - left + 1


def _add_runs(counts: np.ndarray, total: int) -> np.ndarray:
    """Return where each run ends; MisuseError unless they have `total` pixels together."""
    if len(counts) and (counts.min() < 0 or counts.max() > total):
        raise MisuseError(f"an RLE of {total:,} pixels has a run of {counts.min():,} or {counts.max():,}")
    ends = np.cumsum(counts)
    if (int(ends[-1]) if len(ends) else 0) != total:
        raise MisuseError(f"the runs of an RLE add up to {int(ends[-1]) if len(ends) else 0:,} pixels, not {total:,}")
    return ends


def decode_columns(counts: np.ndarray, height: int, first: int, last: int) -> np.ndarray:
    """Return (height, last - first) bool: columns of a mask whose run lengths go down its columns.

    Args:
        counts: (N,) int64, the first of pixels that are not covered; they may end early.
        height: Of the mask.
        first: The first column.
        last: The column behind the last one.
    """
    ends = np.cumsum(counts)
    start, stop = first * height, last * height
    begin, end = np.searchsorted(ends, [start, stop])
    lengths = np.diff(np.clip(ends[begin : end + 1], start, stop), prepend=start)
    drawn = np.repeat(np.arange(begin, begin + len(lengths)) % 2 == 1, lengths)
    pixels = np.zeros(stop - start, bool)
    pixels[: len(drawn)] = drawn
    return pixels.reshape(last - first, height).T
