"""Masks whose colours are the classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.masks.decision_log import DecisionLog
from segapp.datasets.masks.encoding import Labels, MaskFile, PixelEncoding
from segapp.datasets.masks.pixel_checks import require_opaque
from segapp.datasets.masks.values import INDICES
from segapp.errors import MisuseError
from segapp.io import MaskPixels

CHUNK = 2**16
"""Pixels that are compared with all colours at once."""


class Colours(PixelEncoding):
    """The colour is the class: RGB, palette and grey masks; one colour per class name, or a list of several.

    Colours, (red, green, blue) in 0 … 255, under the name `ignore` become 255. `transparent` is the class of
    transparent pixels, or `ignore`; without it masks that have some are refused. `nearest` gives other colours, as JPEG
    and smoothing make them, the class of the closest one, and logs for how many pixels.
    """

    def __init__(
        self,
        colours: dict[str, tuple[int, int, int] | list[tuple[int, int, int]]],
        transparent: str | None = None,
        nearest: bool = False,
    ) -> None:
        self.colours = {name: _to_colour_list(given) for name, given in colours.items()}
        for name, several in self.colours.items():
            if not several or any(not 0 <= value < 256 for colour in several for value in colour):
                raise MisuseError(f"colours: {name!r} needs a colour, three numbers in 0 … 255, got {colours[name]}.")
        self.transparent, self.nearest = transparent, nearest
        self.tolerant = nearest
        self._decided = DecisionLog("The nearest colour")

    def decode(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels], labels: Labels) -> np.ndarray:
        """Raise MisuseError for unknown colours, with how many and how often."""
        path, window = files[0].path, pixels[0]
        transparent = self._find_transparent(path, window)
        keys, indices = self._build_table(labels)
        packed = _get_packed_colours(path, window)
        position = np.minimum(np.searchsorted(keys, packed), len(keys) - 1)
        mask = indices[position]
        unknown = keys[position] != packed
        if transparent is not None:
            mask[transparent] = self._find_index(self.transparent or "", labels, "mask.transparent")
            unknown &= ~transparent
        if window.missing is not None:
            mask[unknown & window.missing] = IGNORE_INDEX
            unknown &= ~window.missing
        if self.nearest:
            self._decided.add(path, int(unknown.sum()), unknown.size)
            mask[unknown] = indices[_find_nearest(packed[unknown], keys)]
        elif unknown.any():
            raise self._explain_unknown(path, packed[unknown], window)
        return mask

    def _find_transparent(self, path: Path, pixels: MaskPixels) -> np.ndarray | None:
        """Return the transparent pixels; MisuseError where they have no class, or are half transparent."""
        if pixels.transparency is None:
            return None
        if self.transparent is None:
            require_opaque(path, pixels)
        half = (pixels.transparency > 0) & (pixels.transparency < 1)
        if half.any() and not self.nearest:
            raise MisuseError(
                f"{path}: {int(half.sum()):,} pixels are partly transparent, probably by smoothing; save the mask "
                "without smoothing, or set `nearest: true`: pixels of at least half transparency are then transparent."
            )
        return pixels.transparency >= 0.5

    def _find_index(self, name: str, labels: Labels, setting: str) -> int:
        return IGNORE_INDEX if name == "ignore" else labels.index(name, setting)

    def _build_table(self, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
        if "ignore" in labels.classes:
            raise MisuseError(
                "colours: `ignore` is reserved for ignored pixels; rename the class 'ignore' or leave it out."
            )
        pairs = sorted(
            (
                _pack_colours(np.array([[colour]])).item(),
                self._find_index(name, labels, "colours"),
            )
            for name, colours in self.colours.items()
            for colour in colours
        )
        keys, indices = np.array(pairs, np.int64).reshape(-1, 2).T
        if len(np.unique(keys)) != len(keys):
            raise MisuseError("colours: two classes have the same colour; give every class its own.")
        return keys.astype(np.int32), indices.astype(np.uint8)

    def _explain_unknown(self, path: Path, packed: np.ndarray, pixels: MaskPixels) -> MisuseError:
        colours, counts = np.unique(packed, return_counts=True)
        often = np.argsort(-counts)[:5]
        shown = ", ".join(f"{_unpack_colours(int(colours[i]))} ({counts[i]:,} pixels)" for i in often)
        more = f" and {len(colours) - 5} more" if len(colours) > 5 else ""
        cause = "Add them to colours, or name them under `ignore` there."
        if pixels.palette is None and pixels.values.shape[2] == 1:
            cause = f"It is a grey mask: if its values are the classes, use mask {INDICES}."
        elif len(colours) > 20:
            cause = (
                "So many colours come from JPEG or smoothing. Save the masks as PNG, resized by nearest neighbour; if "
                "there are no others, set `nearest: true`."
            )
        return MisuseError(f"{path}: colours without a class: {shown}{more}. {cause}")


def _to_colour_list(given: tuple[int, int, int] | list[tuple[int, int, int]]) -> list[tuple[int, ...]]:
    return [tuple(given)] if given and isinstance(given[0], int) else [tuple(colour) for colour in given]


def _get_packed_colours(path: Path, pixels: MaskPixels) -> np.ndarray:
    """Return (H, W) int32, one number per colour; MisuseError for what has no colours of 8 bits."""
    values = pixels.values
    if pixels.palette is not None:
        return _pack_colours(pixels.palette)[values[..., 0]]
    if values.dtype != np.uint8 or values.shape[2] not in (1, 3):
        raise MisuseError(
            f"{path}: {values.shape[2]} channels of {values.dtype}, not the 8-bit colours that Colours reads."
        )
    if values.shape[2] == 1:
        values = np.repeat(values * np.uint8(255 // int(pixels.largest)), 3, axis=2)
    return _pack_colours(values)


def _find_nearest(packed: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return for each of (n,) colours the position of the closest among the keys."""
    known = np.stack(_unpack_colours(keys), axis=1).astype(np.int32)
    positions = np.empty(len(packed), np.intp)
    for start in range(0, len(packed), CHUNK):
        colours = np.stack(_unpack_colours(packed[start : start + CHUNK]), axis=1).astype(np.int32)
        positions[start : start + CHUNK] = ((colours[:, None] - known) ** 2).sum(axis=2).argmin(axis=1)
    return positions


def _pack_colours(colours: np.ndarray) -> np.ndarray:
    """Return (…,) int32, one number per colour of (…, 3)."""
    red, green, blue = (colours[..., i].astype(np.int32) for i in range(3))
    return (red << 16) | (green << 8) | blue


def _unpack_colours(packed: Any) -> tuple[Any, Any, Any]:
    """Return red, green and blue of a number, or of an array of them."""
    return packed >> 16, packed >> 8 & 255, packed & 255
