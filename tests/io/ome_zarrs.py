"""OME-Zarr images written with the zarr library, or by hand where it would refuse."""

import json
from pathlib import Path

import numpy as np
import zarr

KEYS = {2: {"name": "v2", "separator": "/"}, 3: {"name": "default", "separator": "/"}}


def make_multiscale(axes: str, scale: list[float] | None = None, unit: str | None = "micrometer", path: str = "0"):
    described = [
        {"name": axis, "type": {"t": "time", "c": "channel"}.get(axis, "space")}
        | ({"unit": unit} if unit and axis in "zyx" else {})
        for axis in axes
    ]
    steps = [{"type": "scale", "scale": scale or [1.0] * len(axes)}]
    return {"version": "0.4", "axes": described, "datasets": [{"path": path, "coordinateTransformations": steps}]}


def write_ome_zarr(
    path: Path, values: np.ndarray, axes: str, scale=None, unit="micrometer", version=2, name="0", group="", **options
) -> Path:
    """Write an image of one level; `options` are those of zarr's create_array."""
    found = zarr.open_group(str(path), mode="a", zarr_format=version)
    found = found.require_group(group) if group else found
    options = {"chunk_key_encoding": KEYS[version], "chunks": tuple(min(16, size) for size in values.shape)} | options
    array = found.create_array(name, shape=values.shape, dtype=values.dtype, **options)
    array[...] = values
    multiscales = {"multiscales": [make_multiscale(axes, scale, unit, name)]}
    found.attrs.update(multiscales if version == 2 else {"ome": {"version": "0.5", **multiscales}})
    return path


def change_json(file: Path, **changes) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
