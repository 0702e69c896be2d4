"""The mask of a georeferenced image, painted from areas in map coordinates."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.annotations.entry import AnnotatedMask, Entry
from segapp.datasets.annotations.map_polygons import MapPolygons
from segapp.datasets.annotations.shapes import Polygons
from segapp.errors import MisuseError
from segapp.io import Image, read_header, read_mask_window, read_shape

LONGEST_NAME = 60
"""Characters of a coordinate system's name in a message."""
TITLE = re.compile(r'\s*\w+\s*\[\s*"([^"]*)"')
"""The beginning of a coordinate system without a number (well-known text), with its name."""
NAMES = re.compile(r".*EPSG:(?:[\d.]*:)?(\d+)|.*/EPSG/[\d.]+/(\d+)", re.IGNORECASE)
DEGREES = re.compile(r".*(OGC:[\d.]*:?CRS84|/OGC/[\d.]+/CRS84|EPSG:WGS84)", re.IGNORECASE)
MARGIN = 2.0
"""Pixels beyond the image's edge at which areas are cut off."""


class GeoreferencedMask:
    """The mask of one image: areas placed by the image's georeference, and nodata as 255."""

    def __init__(
        self, image: Path, path: Path, entry: Entry, indices: Mapping[str, int | None], background: int
    ) -> None:
        self.image, self.path, self.entry = image, path, entry
        self.indices, self.background = indices, background

    def __repr__(self) -> str:
        return f"{self.path} ({self.image.name})"

    @property
    def shape(self) -> tuple[int, int]:
        """Height, width of the image; MisuseError where it has no georeference, or that of another system."""
        return self._painted.shape

    def read(self) -> np.ndarray:
        """Return (H, W) uint8."""
        return self.read_window(0, 0, *self.shape)

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Return (h, w) uint8, inside the image only."""
        mask = self._painted.read_window(y, x, h, w)
        header = read_header(self.image)
        if header.nodata is not None or header.has_mask:
            missing = read_mask_window(self.image, y, x, h, w).missing
            if missing is not None:
                mask[missing] = IGNORE_INDEX
        return mask

    @cached_property
    def _painted(self) -> AnnotatedMask:
        placed = tuple(place_shapes(self.image, self.path, self.entry))
        return AnnotatedMask(self.image, self.path, replace(self.entry, shapes=placed), self.indices, self.background)


def place_shapes(image: Path, path: Path, entry: Entry) -> Iterator[MapPolygons]:
    """Yield the areas on an image in its pixels, cut off beyond its edges.

    Raises:
        MisuseError: The image has no georeference, or coordinates cannot be converted to its system.
    """
    meta = Image(image).meta
    if "affine" not in meta:
        in_pixels = " For GeoJSON in pixels set mask to segapp.datasets.QuPath." if "json" in path.suffix else ""
        raise MisuseError(f"{image}: has no georeference, so {path} cannot be placed on it.{in_pixels}")
    if "crs" not in meta:
        raise MisuseError(
            f"{image}: its coordinate system has no EPSG number, so {path} cannot be placed on it. Set it with "
            "`gdal_edit.py -a_srs EPSG:NUMBER`, or convert the image with `gdalwarp -t_srs EPSG:NUMBER`."
        )
    x0, xx, xy, y0, yx, yy = meta["affine"]
    matrix = np.array([[xx, xy], [yx, yy]])
    if not np.isfinite([*meta["affine"]]).all() or not abs(np.linalg.det(matrix)) > 0:
        raise MisuseError(f"{image}: its georeference places all pixels at one point or line; correct it.")
    convert = Conversion(entry.crs or "", meta["crs"], path, image)
    inverse = np.linalg.inv(matrix).T
    height, width = read_shape(image)
    for shape in entry.shapes:
        if isinstance(shape, Polygons):
            parts = (tuple((convert(ring) - (x0, y0)) @ inverse for ring in part) for part in shape.parts)
            kept = tuple(_clip_part(part, height, width) for part in parts if _touches(part[0], height, width))
            if kept := tuple(part for part in kept if len(part[0])):
                yield MapPolygons(shape.label, kept)


class Conversion:
    """Turns map coordinates of one system into those of another; MisuseError where that is not possible."""

    def __init__(self, given: str, wanted: str, path: Path, image: Path) -> None:
        self._transformer: Any = None
        self._path, self._wanted = path, wanted
        if given == wanted:
            return
        try:
            pyproj = import_module("pyproj")
        except ImportError as error:
            raise MisuseError(
                f"{path}: is in {describe_crs(given)} and {image} in {wanted}. Coordinates are converted with pyproj, "
                f"which cannot be imported ({error}); install it with pip install 'segapp[geo]', or convert the file: "
                f"ogr2ogr -f GeoJSON -t_srs {wanted} -lco RFC7946=NO converted.geojson {path.name}"
            ) from error
        try:
            self._transformer = pyproj.Transformer.from_crs(given, wanted, always_xy=True)
        except pyproj.exceptions.ProjError as error:
            raise MisuseError(
                f"{path}: cannot be converted from {describe_crs(given)} to {wanted} of {image}: {str(error)[:200]}."
            ) from error

    def __call__(self, ring: np.ndarray) -> np.ndarray:
        """Return (N, 2) coordinates in the image's system; raise MisuseError where it does not reach."""
        if self._transformer is None:
            return ring
        converted = np.stack(self._transformer.transform(ring[:, 0], ring[:, 1]), axis=1)
        if not np.isfinite(converted).all():
            raise MisuseError(
                f"{self._path}: an area reaches beyond what {self._wanted} covers, the system of the image; cut the "
                "file to the surroundings of the images first (ogr2ogr -clipsrc)."
            )
        return converted


def read_crs(name: object, where: str) -> str:
    """Return a coordinate system's name as EPSG:NUMBER; raise MisuseError for one without a number."""
    if isinstance(name, str):
        if DEGREES.fullmatch(name):
            return "EPSG:4326"
        if match := NAMES.fullmatch(name):
            return f"EPSG:{int(match[1] or match[2])}"
    raise MisuseError(f"{where} should be a coordinate system such as EPSG:32633, found {str(name)[:LONGEST_NAME]!r}.")


def describe_crs(crs: str) -> str:
    """Return the name of a coordinate system for a message: EPSG:32633, or the title of one without a number."""
    title = TITLE.match(crs)
    return repr(title[1][:LONGEST_NAME]) if title else crs[:LONGEST_NAME]


def _touches(ring: np.ndarray, height: int, width: int) -> bool:
    """Return whether the box around a ring and the image overlap."""
    (left, top), (right, bottom) = ring.min(0), ring.max(0)
    return bool(left < width and right > 0 and top < height and bottom > 0)


def _clip_part(part: tuple[np.ndarray, ...], height: int, width: int) -> tuple[np.ndarray, ...]:
    """Cut off what lies far beyond the image, whose outline would take time and memory."""
    outer, *holes = (_clip_ring(ring, height, width) for ring in part)
    return (outer, *(hole for hole in holes if len(hole)))


def _clip_ring(ring: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the polygon of a ring within the image and a margin (Sutherland and Hodgman 1974)."""
    for axis, limit in ((0, width + MARGIN), (1, height + MARGIN)):
        ring = _clip_side(ring, ring[:, axis] + MARGIN)
        ring = _clip_side(ring, limit - ring[:, axis])
    return ring


def _clip_side(ring: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return a ring without its points of negative `inside`, which is a distance, and with those on the line."""
    if (inside >= 0).all():
        return ring
    following, after = np.roll(ring, -1, axis=0), np.roll(inside, -1)
    crosses = (inside >= 0) != (after >= 0)
    fraction = np.where(crosses, inside / np.where(crosses, inside - after, 1), 0)[:, None]
    points = np.stack([ring, ring + fraction * (following - ring)], axis=1)
    return points[np.stack([inside >= 0, crosses], axis=1)]
