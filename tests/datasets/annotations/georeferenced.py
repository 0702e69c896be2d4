"""Small GeoTIFFs, and GeoJSON that lies on them."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

EAST, NORTH, SIDE = 500_000.0, 5_000_000.0, 10.0
"""The upper left corner in metres, and the side of a pixel."""


def write_geotiff(
    path: Path, crs: int = 32633, corner: tuple[float, float] = (EAST, NORTH), side: float = SIDE, **settings: Any
) -> None:
    """Write a black image of 6 x 8 pixels in a projected coordinate system, or in degrees (4326)."""
    model, key = (2, 2048) if crs == 4326 else (1, 3072)
    keys = (1, 1, 0, 2, 1024, 0, 1, model, key, 0, 1, crs)
    tags = [
        (33550, "d", 3, (side, side, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, *corner, 0.0), True),
        (34735, "H", 12, keys, True),
    ]
    if "nodata" in settings:
        text = f"{settings['nodata']}\0"
        tags.append((42113, "s", len(text), text, True))
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = settings.get("pixels", np.ones((6, 8), np.uint8))
    tifffile.imwrite(path, pixels, metadata=None, extratags=tags)


def place(pixels: list[list[float]], corner: tuple[float, float] = (EAST, NORTH), side: float = SIDE) -> list[Any]:
    """Return x, y in pixels as map coordinates."""
    return [[corner[0] + side * x, corner[1] - side * y] for x, y in pixels]


def make_box(left: float, top: float, right: float, bottom: float, **where: Any) -> list[Any]:
    """Return the ring of a box of pixels in map coordinates."""
    return place([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], **where)


def make_feature(*rings: list[Any], **properties: Any) -> dict[str, Any]:
    """Return a polygon with properties."""
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": list(rings)}, "properties": properties}


def collect(*features: dict[str, Any], crs: str | None = "urn:ogc:def:crs:EPSG::32633") -> dict[str, Any]:
    """Return a collection of features in a coordinate system."""
    named = {} if crs is None else {"crs": {"type": "name", "properties": {"name": crs}}}
    return {"type": "FeatureCollection", **named, "features": list(features)}
