"""Checks of a mask's stored pixels that several encodings share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.io import MaskPixels


def take_one_band(path: Path, pixels: MaskPixels) -> np.ndarray:
    """Return (H, W): the only band, or the first of equal ones."""
    require_opaque(path, pixels)
    stored = pixels.values
    if stored.shape[2] == 1 or (stored == stored[..., :1]).all():
        return stored[..., 0]
    colours = np.unique(stored.reshape(-1, stored.shape[2]), axis=0)
    raise MisuseError(
        f"{path}: a colour mask of {len(colours):,} colours ({_name_colours(colours)}), "
        "not class indices; give the class of each colour: set mask to segapp.datasets.Colours."
    )


def require_opaque(path: Path, pixels: MaskPixels) -> None:
    """Raise MisuseError if pixels are transparent: their stored colours are not what a viewer shows."""
    if pixels.transparency is None:
        return
    count = int((pixels.transparency > 0).sum())
    painted = pixels.values[pixels.transparency == 0]
    colours = np.unique(painted if pixels.palette is None else pixels.palette[painted[:, 0]], axis=0)
    raise MisuseError(
        f"{path}: {count:,} pixels are transparent, the others have the colours {_name_colours(colours) or '(none)'}. "
        "Use mask segapp.datasets.Colours, with these colours and the class of what is transparent, such as "
        "`transparent: background`, or save the mask without transparency."
    )


def _name_colours(colours: np.ndarray) -> str:
    shown = ", ".join(str(tuple(int(v) for v in colour)) for colour in colours[:6])
    return shown + (" …" if len(colours) > 6 else "")


def ignore_missing(mask: np.ndarray, pixels: Sequence[MaskPixels]) -> np.ndarray:
    """Return the mask with 255 where one of its files marks pixels as not measured."""
    for window in pixels:
        if window.missing is not None:
            mask[window.missing] = IGNORE_INDEX
    return mask


def list_values(stored: np.ndarray) -> str:
    """List the first values that a mask holds."""
    values = np.unique(stored)
    shown = ", ".join(f"{v:g}" if values.dtype.kind == "f" else str(v) for v in values[:8])
    return f"{shown} … {values[-1]} ({len(values)} values)" if len(values) > 8 else shown
