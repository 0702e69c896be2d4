"""Writes masks as OME-Zarr, with the zarr library."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segapp.io.formats.format import Palette
from segapp.io.formats.libraries import import_library
from segapp.io.formats.ngff import Multiscale
from segapp.io.formats.zarr_array import ZarrArray

CHUNK = 1024
"""Rows and columns of a chunk at most."""


def write_labels(
    path: Path,
    mask: np.ndarray,
    image: Multiscale,
    array: ZarrArray,
    palette: Palette | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Write a mask (slices, H, W) uint8 as an OME-Zarr of the same version, axes, scale and units as its image.

    Args:
        path: The folder, which may be there and is emptied.
        mask: Class indices.
        image: The metadata of the image; its channels are left out.
        array: The array of the image.
        palette: The colours of the classes; None for other values.
        classes: The names of the classes.
    """
    zarr = import_library("zarr", "bio", path, "OME-Zarr")
    labels = image.drop_channels()
    sizes = dict(zip("zyx", mask.shape, strict=True))
    shape = [sizes.get(axis, 1) for axis in labels.axes]
    chunks = [1 if axis in "tz" else min(CHUNK, size) for axis, size in zip(labels.axes, shape, strict=True)]
    group = zarr.open_group(str(path), mode="w", zarr_format=array.version)
    keys: dict[str, Any] = {"name": "default" if array.version == 3 else "v2", "separator": "/"}
    written = group.create_array(
        "0", shape=shape, chunks=chunks, dtype="uint8", fill_value=0, chunk_key_encoding=keys, overwrite=True
    )
    written[...] = mask.reshape(shape)
    group.attrs.update(_make_attributes(labels, array.version, palette, classes))


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
