"""Writes image and mask files in the format of their suffix, complete or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import SegappError
from segapp.io.formats import registry
from segapp.io.formats.format import Format, MaskLayout, MaskSink, Palette, RowFilter
from segapp.io.write import explain_errors, write_atomically, write_folder_atomically


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) uint8 in the format of the suffix; raise SegappError when writing fails."""
    path = Path(path)
    found = _require_format(path)
    if not found.writes_images:
        suffixes = ", ".join(registry.list_written_suffixes())
        raise SegappError(f"{path}: images are not written as {found.name}; use {suffixes}.")
    with explain_errors(path), write_atomically(path) as temporary:
        found.write_image(temporary, pixels)


def write_mask(
    path: Path,
    values: np.ndarray,
    palette: Palette | None,
    meta: Mapping[str, Any] | None = None,
    classes: Sequence[str] = (),
    background: int | None = None,
) -> None:
    """Write one (H, W) uint8 mask in the format of the suffix: a palette PNG, or a palette TIFF.

    Args:
        path: The file.
        values: Class indices 0 … len(palette)-1, or 255 = ignore; any values where there is no palette.
        palette: Colours of the classes; None for values that are shown in grey.
        meta: Geometry of the image, from `Image.meta`: kept where the format can.
        classes: Names of the classes, which some formats keep.
        background: The class that is no object.

    Raises:
        SegappError: The values are others, or writing fails.
    """
    path = Path(path)
    if values.ndim != 2 or values.dtype != np.uint8:
        raise SegappError(f"{path}: a mask is (H, W) uint8, got {values.shape} {values.dtype}.")
    if palette is not None:
        present = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
        unknown = [int(i) for i in present if len(palette) <= i != IGNORE_INDEX]
        if unknown:
            raise SegappError(f"{path}: the mask holds {unknown}, but the palette has {len(palette)} colours.")
    size = (values.shape[0], values.shape[1])
    with open_mask(path, MaskLayout({"": size}, meta or {}, palette, classes, background)) as writer:
        writer.add(values)


@contextmanager
def open_mask(path: Path, layout: MaskLayout, filter_rows: RowFilter = iter) -> Iterator[MaskSink]:
    """Give a sink for the rows of a mask file, which exists at `path` once all are added.

    Args:
        path: The file; its suffix decides the format. One of several parts holds a mask for each, such as a volume.
        layout: The sizes of its masks, the geometry and the colours.
        filter_rows: Changes the rows of each part on their way.

    Raises:
        SegappError: The format cannot hold these masks, rows are missing, or writing fails.
    """
    path = Path(path)
    found = _require_format(path)
    if not found.writes_masks:
        raise SegappError(
            f"{path}: masks are not written as {found.name}; use {', '.join(registry.list_mask_suffixes())}."
        )
    if len(layout.sizes) != 1 and not found.holds_parts:
        raise SegappError(
            f"{path}: a {found.name} file holds one mask, not {len(layout.sizes)}; use a format with pages."
        )
    found.require_replaceable(path)
    opened = write_folder_atomically(path, overwrite=True) if found.is_folder else write_atomically(path)
    with (
        explain_errors(path),
        opened as temporary,
        found.open_mask(temporary, layout, filter_rows) as rows,
    ):
        yield rows


def require_replaceable(path: Path) -> None:
    """Raise MisuseError where `open_mask` would not write, because a folder of the user has that name."""
    if (found := registry.find_named_format(path)) is not None:
        found.require_replaceable(path)


def streams_masks(image: Path) -> bool:
    """Return whether the mask of an image is written row by row, so that it is never held in memory."""
    return registry.find_mask_format(image).streams_masks


def _require_format(path: Path) -> Format:
    found = registry.find_named_format(path)
    if found is None:
        raise SegappError(
            f"{path}: cannot be written: {path.suffix or 'no suffix'} is not the suffix of an image format."
        )
    return found
