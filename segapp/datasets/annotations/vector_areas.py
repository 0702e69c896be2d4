"""The areas of a layer of a GeoPackage or a Shapefile."""

from collections.abc import Sequence

from segapp.datasets.annotations.fields import check_points
from segapp.datasets.annotations.geojson_file import WITHOUT
from segapp.datasets.annotations.map_shapes import LARGEST, FindLabel, MapFile
from segapp.datasets.annotations.shapes import Polygons
from segapp.errors import MisuseError
from segapp.io.vectors import MAX_POINTS, Layer, WkbError, unpack_areas


def read_areas(layer: Layer, find_label: FindLabel, fields: Sequence[str] | None) -> MapFile:
    """Return the areas of a layer in the order of its features, and what else it holds.

    Raises:
        MisuseError: A geometry is damaged or has a coordinate that is none of a map, or there are too many points.
    """
    found = MapFile(layer.path, fields=layer.fields, crs=layer.crs)
    points = 0
    for number, feature in enumerate(layer.read(fields), start=1):
        label = find_label(feature.properties)
        polygons = _read_polygons(feature.wkb, found, f"{layer.path}: feature {number}")
        points += sum(len(ring) for rings in polygons for ring in rings)
        if points > MAX_POINTS:
            raise MisuseError(
                f"{layer.path}: has more than {MAX_POINTS:,} points, and no more are read; cut it to the surroundings "
                "of the images (ogr2ogr -clipsrc)."
            )
        if polygons:
            found.shapes.append(Polygons(label, polygons))
    return found


def _read_polygons(wkb: bytes | None, found: MapFile, where: str) -> tuple[tuple, ...]:
    """Return the polygons of a feature, and count what it has else."""
    try:
        areas = unpack_areas(wkb) if wkb else None
    except WkbError as error:
        raise MisuseError(f"{where}: {error}; export the file again.") from error
    if areas is None or not (areas.polygons or areas.skipped):
        found.skipped[WITHOUT] += 1
        return ()
    found.skipped.update(areas.skipped)
    for ring in (ring for polygon in areas.polygons for ring in polygon):
        check_points(ring, where, LARGEST)
    return tuple(areas.polygons)
