"""Writes masks as OME-Zarr, with the zarr library."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import MisuseError
from segapp.io.formats.format import MaskLayout, Palette, RowFilter
from segapp.io.formats.libraries import import_library
from segapp.io.formats.ngff import SHOWN, Multiscale
from segapp.io.formats.row_thread import Rows, RowThread, gather_bands, open_row_thread

CHUNK = 1024
"""Rows and columns of a chunk at most."""

LEVEL = "0"
"""The array of a mask."""

METADATA = ("zarr.json", ".zgroup", ".zattrs", ".zmetadata")
"""Files of a group, of both versions of Zarr."""


def require_mask_folder(path: Path) -> None:
    """Raise MisuseError for a folder that is no OME-Zarr, or holds more than a mask has: a new mask would remove it.

    Args:
        path: The folder, which need not be there.
    """
    names = {each.name for each in path.iterdir()} if path.is_dir() and not path.is_symlink() else set()
    others = sorted(names - {LEVEL, *METADATA}) if names & set(METADATA) else sorted(names)
    if others:
        raise MisuseError(
            f"{path}: a folder with {', '.join(map(repr, others[:SHOWN]))}, which a mask is not written over; move it "
            "away, or name another output."
        )


def write_labels(path: Path, mask: np.ndarray, image: Multiscale, version: int, layout: MaskLayout) -> None:
    """Write a mask (slices, H, W) uint8 as an OME-Zarr of the axes, scale and units of its image.

    Args:
        path: The folder, which may be there and is emptied.
        mask: Class indices, or grey values.
        image: The metadata of the image; its channels are left out.
        version: Of Zarr's format, as the image has it.
        layout: The colours and names of the classes.
    """
    array = _create(path, mask.shape, image, version, layout)
    array[...] = mask.reshape(array.shape)


@contextmanager
def open_label_rows(
    path: Path, size: tuple[int, int], image: Multiscale, version: int, layout: MaskLayout, filter_rows: RowFilter
) -> Iterator[RowThread]:
    """Give a sink for the rows of a mask of one plane, whose OME-Zarr is complete when the context ends."""
    array = _create(path, (1, *size), image, version, layout)
    with open_row_thread(partial(_write_rows, array, size), filter_rows) as thread:
        yield thread


def _write_rows(array: Any, size: tuple[int, int], rows: Rows) -> None:
    for top, band in gather_bands(rows, size, CHUNK):
        place = (0,) * (array.ndim - 2)
        array[(*place, slice(top, top + len(band)))] = band


def _create(path: Path, shape: Sequence[int], image: Multiscale, version: int, layout: MaskLayout) -> Any:
    """Return the array of a new OME-Zarr, whose values are not written yet."""
    zarr = import_library("zarr", "bio", path, "OME-Zarr")
    labels = image.drop_channels()
    lengths = dict(zip("zyx", shape, strict=True))
    sizes = [lengths.get(axis, 1) for axis in labels.axes]
    chunks = [1 if axis in "tz" else min(CHUNK, size) for axis, size in zip(labels.axes, sizes, strict=True)]
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    group.attrs.update(_make_attributes(labels, version, layout.palette, layout.classes))
    options: dict[str, Any] = {"chunk_key_encoding": {"name": "default" if version == 3 else "v2", "separator": "/"}}
    if version == 3:  # OME-Zarr 0.5 demands them
        options["dimension_names"] = list(labels.axes)
    return group.create_array(LEVEL, shape=sizes, chunks=chunks, dtype="uint8", fill_value=0, overwrite=True, **options)


def _make_attributes(
    labels: Multiscale, version: int, palette: Palette | None, classes: Sequence[str]
) -> dict[str, Any]:
    known = {"version": "0.4"} if version == 2 else {}
    found: dict[str, Any] = {"multiscales": [known | labels.to_dict("mask")]}
    if palette is not None:
        found["image-label"] = known | {
            "colors": [{"label-value": index, "rgba": [*colour, 255]} for index, colour in enumerate(palette)],
            "properties": [{"label-value": index, "class": name} for index, name in enumerate(classes)],
        }
    return found if version == 2 else {"ome": {"version": "0.5", **found}}
