"""The metadata of OME-Zarr (NGFF 0.1 to 0.5): which arrays are an image, its axes, and the size of its pixels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from segapp.errors import SegappError
from segapp.io.formats.zarr_array import find_array_file, read_sizes
from segapp.io.formats.zarr_files import read_json, require_inner_path
from segapp.io.pixel_size import MICROMETRES

AXES = "tczyx"
"""Axes that are read: time of one point, channels, and space."""

UNNAMED_AXES = ("0.1", "0.2")
"""Versions whose images have all of `AXES`, in this order, and do not name them."""

KINDS = {"t": "time", "c": "channel"}

UNITS = MICROMETRES | {
    "picometer": 1e-6,
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "decimeter": 1e5,
    "meter": 1e6,
    "inch": 25400.0,
}
"""Micrometres of each unit of length."""

SERIES = "bioformats2raw.layout"
"""What marks a store of a series of images, which are called 0, 1 and so on."""

SHOWN = 6

MOST_LEVELS = 64
"""Levels of an image: each has half the side of the one before it."""


@dataclass(frozen=True)
class Multiscale:
    """An image of a store, by its largest array.

    Attributes:
        name: The path of the array in the store.
        axes: Letters of `AXES`, for each axis of the array.
        units: Of each axis; None where it has none.
        scale: Of each axis: the distance between pixels.
        offset: Of each axis: where the first pixel lies.
        is_scaled: Whether the metadata has a scale.
        version: Of the metadata, such as 0.4.
    """

    name: str
    axes: str
    units: tuple[str | None, ...]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    is_scaled: bool
    version: str

    def find_micrometres(self, axis: str) -> float | None:
        """Return the size of a pixel along an axis in µm, or None."""
        place = self.axes.find(axis)
        unit = UNITS.get(self.units[place] or "") if place >= 0 and self.is_scaled else None
        return None if unit is None else self.scale[place] * unit

    def drop_channels(self) -> "Multiscale":
        """Return the image that has one value for each pixel of this one."""
        kept = [place for place, axis in enumerate(self.axes) if axis != "c"]
        return replace(
            self,
            axes="".join(self.axes[place] for place in kept),
            units=tuple(self.units[place] for place in kept),
            scale=tuple(self.scale[place] for place in kept),
            offset=tuple(self.offset[place] for place in kept),
        )

    def to_dict(self, name: str) -> dict[str, Any]:
        """Return the metadata of an image of one array."""
        axes: list[dict[str, str]] = []
        for axis, unit in zip(self.axes, self.units, strict=True):
            axes.append({"name": axis, "type": KINDS.get(axis, "space")} | ({} if unit is None else {"unit": unit}))
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": list(self.scale)}]
        if any(self.offset):
            steps.append({"type": "translation", "translation": list(self.offset)})
        return {"name": name, "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": steps}]}


def find_group_file(store: Path, name: str) -> str | None:
    """Return the path in a store of the metadata of a group; None where it has none."""
    start = f"{name}/" if name else ""
    for each in (f"{start}zarr.json", f"{start}.zattrs"):
        if (store / each).is_symlink() or (store / each).exists():
            return each
    return None


def read_multiscale(store: Path, name: str) -> Multiscale:
    """Return the image in a group of a store, by the group's path, empty for the store itself; raise SegappError."""
    file = find_group_file(store, name)
    if file is None:
        there = f"; there is {', '.join(list_labels(store)) or 'no label image'}" if name else ""
        raise SegappError(f"{store / name}: no OME-Zarr, it has neither .zattrs nor zarr.json{there}.")
    found = read_json(store, file) or {}
    if file.endswith("zarr.json"):
        found = found.get("attributes", {})
        found = found.get("ome", found) if isinstance(found, dict) else {}
    if isinstance(found, dict) and SERIES in found and not name and _is_single(store):
        return read_multiscale(store, "0")
    if not isinstance(found, dict) or "multiscales" not in found:
        raise SegappError(f"{store / file}: {_explain_no_image(store, found)}")
    try:
        return _parse(store, name, found)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SegappError(
            f"{store / file}: OME-Zarr whose metadata of the image (multiscales) is wrong ({type(error).__name__}: "
            f"{str(error)[:100]})."
        ) from error


def _is_single(store: Path) -> bool:
    return find_group_file(store, "0") is not None and find_group_file(store, "1") is None


def list_labels(store: Path) -> list[str]:
    """Return the names of some label images in a store, as they follow a colon."""
    try:
        names = sorted(path.name for path in (store / "labels").iterdir() if not path.name.startswith("."))
    except OSError:
        return []
    return [f":/labels/{name}" for name in names if name != "zarr.json"][:SHOWN]


def _parse(store: Path, name: str, found: Mapping[str, Any]) -> Multiscale:
    image = found["multiscales"][0]
    named = image["axes"] if "axes" in image or image.get("version") not in UNNAMED_AXES else AXES
    axes = [each if isinstance(each, dict) else {"name": each} for each in named]
    letters = "".join(str(each["name"]).lower() for each in axes)
    if len(letters) != len(axes) or set(letters) - set(AXES) or len(set(letters)) < len(letters):
        raise SegappError(
            f"{store / name}: OME-Zarr with the axes {str([each['name'] for each in axes])[:100]}; of "
            f"{', '.join(AXES)} each may be there once."
        )
    if not {"y", "x"} <= set(letters):
        raise SegappError(f"{store / name}: OME-Zarr without the axes y and x.")
    dataset = _find_largest(store, name, image["datasets"])
    inner = require_inner_path(store / name, dataset["path"])
    steps = [*dataset.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())]
    scale, offset = _apply(steps, len(letters))
    if not all(0 < each < math.inf for each in scale) or not all(map(math.isfinite, offset)):
        raise SegappError(f"{store / name}: OME-Zarr whose scale is {list(scale)}; it must be positive.")
    version = image.get("version", found.get("version", "0.4"))
    units = tuple(unit if isinstance(unit := each.get("unit"), str) else None for each in axes)
    return Multiscale(
        f"{name}/{inner}" if name else inner, letters, units, scale, offset, bool(steps), str(version)[:10]
    )


def _find_largest(store: Path, name: str, datasets: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the largest level that is there, unless the first is not: it should be the largest, and often is."""
    if len(datasets) > MOST_LEVELS:
        raise SegappError(f"{store / name}: OME-Zarr of {len(datasets):,} levels; at most {MOST_LEVELS} are read.")
    if len(datasets) == 1:
        return datasets[0]
    counts = [_count_values(store, name, each["path"]) for each in datasets]
    return datasets[counts.index(max(counts)) if counts[0] else 0]


def _count_values(store: Path, name: str, path: object) -> int:
    """Return the number of values of a level; 0 where it is not there."""
    inner = require_inner_path(store / name, path)
    file = find_array_file(store, f"{name}/{inner}" if name else inner)
    return prod(read_sizes((read_json(store, file) or {})["shape"])) if file else 0


def _apply(steps: Sequence[Mapping[str, Any]], count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return scale and offset of transformations that are applied one after the other."""
    scale, offset = [1.0] * count, [0.0] * count
    for step in steps:
        kind = step["type"]
        values = [float(each) for each in step[kind]] if kind in ("scale", "translation") else []
        if kind not in ("scale", "translation", "identity") or len(values) not in (0, count):
            raise ValueError(f"a transformation of type {str(kind)[:50]} with {len(values)} values for {count} axes")
        if kind == "scale":
            scale = [own * each for own, each in zip(scale, values, strict=True)]
            offset = [own * each for own, each in zip(offset, values, strict=True)]
        elif kind == "translation":
            offset = [own + each for own, each in zip(offset, values, strict=True)]
    return tuple(scale), tuple(offset)


def _explain_no_image(store: Path, found: Any) -> str:
    found = found if isinstance(found, dict) else {}
    if "plate" in found or "well" in found:
        return f"a plate of several images; name one of them, as '{store.name}:/A/1/0'."
    if SERIES in found:
        return f"OME-Zarr of a series of images; name one of them, as '{store.name}:/0'."
    return "no image of OME-Zarr: its metadata has no multiscales; save it as version 0.4 or 0.5."
