"""Tell GeoJSON in map coordinates from that of QuPath, which has pixels, and choose how files of maps are read."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import MAX_COORDINATE
from segapp.datasets.annotations.geojson import GeoJson
from segapp.datasets.annotations.georeferenced_mask import place_shapes
from segapp.datasets.annotations.map_shapes import MapFile, MapShapes
from segapp.errors import MisuseError, SegappError
from segapp.io import Image, read_shape
from segapp.planning.names import BACKGROUND

DEGREES = "EPSG:4326"
MAX_IMAGES = 20
"""Images on which shapes are searched for."""
SMALLEST = 2.0
"""Pixels: all shapes of an image together cover more, while a region may be smaller in degrees."""
MAX_CLASSES = 40
CLASS_FIELDS = ("class", "class_name", "classname", "label", "category", "type", "kind", "name")
"""Properties that usually hold the class."""
MIN_NAMED = 0.9
"""Fraction of the features that have a `name`, where it is the class: proper names, as of OpenStreetMap, few have."""


@dataclass(frozen=True)
class _Content:
    """A file: its shapes, and how often each property of its features has each value."""

    file: MapFile
    values: Mapping[str, Counter[str]] = field(default_factory=dict)
    features: int = 0

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest x and y; of no shapes zeros."""
        rings = [ring for shape in self.file.shapes for part in shape.parts for ring in part[:1]]
        if not rings:
            return np.zeros(2), np.zeros(2)
        return np.min([ring.min(0) for ring in rings], 0), np.max([ring.max(0) for ring in rings], 0)


def is_map(path: Path, images: Iterable[Path]) -> bool:
    """Return whether a GeoJSON file of these images has coordinates of a map instead of pixels.

    It has if it names their system (`crs`), if its coordinates are larger than any pixel's, or if images are
    georeferenced and its shapes are far outside of them as pixels, or lie on one of them as longitude and latitude.
    """
    try:
        content = _read(path, GeoJson)
    except MisuseError:
        return False  # what reads it reports it
    low, high = content.box
    if content.file.crs is not None or np.abs([low, high]).max() > MAX_COORDINATE:
        return True
    located = _list_located(images)
    if not located or not content.file.shapes:
        return False
    side = max(max(read_shape(image)) for image in located)
    if (low < -side).any() or (high > 2 * side).any() or (high - low < SMALLEST).all():
        return True
    return any(_touches(content, image, DEGREES) for image in located)


def choose_map_settings(
    files: Sequence[Path], images: Iterable[Path], classes: Sequence[str], kind: type[MapShapes] = GeoJson
) -> dict[str, Any]:
    """Return the settings that a file of a kind needs: `class_field` and `crs`.

    The class is in the property whose values are the user's classes, in one with a usual name, or in the only one of a
    few texts. Coordinates that are no degrees, in a file that names no system, are in that of the images.
    """
    content = _read(files[0], kind)
    settings: dict[str, Any] = {}
    if (name := _choose_field(content, classes)) is not None:
        settings["class_field"] = name
    low, high = content.box
    if content.file.crs is None and (np.abs([low, high]).max(0) > (180, 90)).any():
        system = next((Image(image).meta["crs"] for image in _list_located(images)), None)
        if system is not None:
            settings["crs"] = system
    elif content.file.crs is None and kind().crs is None:
        settings["crs"] = DEGREES
    return settings


def _read(path: Path, kind: type[MapShapes]) -> _Content:
    values: dict[str, Counter[str]] = {}
    features = 0

    def find_label(properties: Mapping[str, Any]) -> str:
        nonlocal features
        features += 1
        for name, value in properties.items():
            is_number = isinstance(value, int) and not isinstance(value, bool) and name.lower() in CLASS_FIELDS
            if is_number or (isinstance(value, str) and value):
                values.setdefault(str(name), Counter())[str(value)] += 1
        return ""

    file = kind().read(path, find_label, None)
    return _Content(file, values, features)


def _choose_field(content: _Content, classes: Sequence[str]) -> str | None:
    wanted = {name for name in classes if name.lower() not in BACKGROUND}
    usual = {name.lower(): name for name, held in content.values.items() if len(held) <= MAX_CLASSES}
    if "name" in usual and content.values[usual["name"]].total() < MIN_NAMED * content.features:
        del usual["name"]
    named = [usual[name] for name in CLASS_FIELDS if name in usual]
    few = [name for name, held in content.values.items() if len(held) <= min(MAX_CLASSES, content.features // 2)]
    if wanted:
        named = [name for name in content.values if wanted <= set(content.values[name])]
    return named[0] if named else few[0] if len(few) == 1 else None


def _list_located(images: Iterable[Path]) -> list[Path]:
    """Return the first images that are georeferenced."""
    found = []
    for image in islice(images, MAX_IMAGES):
        try:
            meta = Image(image).meta
        except SegappError:
            continue  # what reads it reports it
        if "affine" in meta and "crs" in meta:
            found.append(image)
    return found


def _touches(content: _Content, image: Path, crs: str) -> bool:
    entry = Entry("", tuple(content.file.shapes), crs=crs)
    try:
        return next(place_shapes(image, content.file.path, entry), None) is not None
    except MisuseError:  # beyond the system of the image, or pyproj is missing
        return False
