"""Reads the pixels of a mask file and their properties, in the same terms for every format."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.header import Header, invert_white_is_zero
from segapp.io.raw import read_header, read_measured_window


@dataclass(frozen=True)
class MaskPixels:
    """A window of a mask file; a mask encoding decides which value or colour is which class."""

    values: np.ndarray
    """(H, W, C) as stored, without alpha, MinIsWhite inverted; the indices of a palette."""
    largest: float
    """The stored value of white; 1 for floating point."""
    palette: np.ndarray | None = None
    """(256, 3) uint8: the colours of the indices."""
    transparency: np.ndarray | None = None
    """(H, W) float32 in [0, 1], 1 where nothing is painted; None where every pixel is."""
    missing: np.ndarray | None = None
    """(H, W) bool: not measured, by GeoTIFF's nodata or a mask page; None where all are."""
    nodata: float | None = None
    """The stored value of such pixels, if they have one."""
    names: Mapping[int, str] | None = None
    """The names of stored values, where the file names them."""
    lossy: str | None = None
    """The codec that may have changed values."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height, width."""
        return self.values.shape[0], self.values.shape[1]


def read_mask_window(file: Path | FilePart, y: int, x: int, h: int, w: int) -> MaskPixels:
    """Return a window of a mask file, inside the mask only; raises SegappError naming the file."""
    header = read_header(file)
    if header.pages_advice is not None:
        raise SegappError(f"{file}: {header.format} of {header.bands} pages is a stack; save each as a file.")
    stored, missing = read_measured_window(file, y, x, h, w)
    palette = None if header.palette is None else header.palette[:, :3]
    values = stored if header.alpha is None else np.delete(stored, header.alpha, axis=2)
    return MaskPixels(
        values=invert_white_is_zero(values, header),
        largest=_find_largest(header),
        palette=palette,
        transparency=_compute_transparency(stored, header),
        missing=missing,
        nodata=header.nodata,
        names=header.names,
        lossy=header.lossy,
    )


def _find_largest(header: Header) -> float:
    if header.dtype == np.uint8:
        return header.white
    return 1.0 if header.dtype.kind == "f" else float(np.iinfo(header.dtype).max)


def _compute_transparency(stored: np.ndarray, header: Header) -> np.ndarray | None:
    if header.palette is not None and header.palette.shape[1] == 4:
        alpha, opaque = header.palette[stored[..., 0], 3], 255.0
    elif header.alpha is not None:
        alpha, opaque = stored[..., header.alpha], _find_largest(header)
    elif header.transparent is not None:
        alpha, opaque = (stored != np.array(header.transparent)).any(axis=2), 1.0
    else:
        return None
    transparency = 1 - alpha.astype(np.float32) / np.float32(opaque)
    return transparency if transparency.any() else None
