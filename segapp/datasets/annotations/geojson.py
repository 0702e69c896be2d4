"""GeoJSON in map coordinates."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from segapp.datasets.annotations.fields import Fields
from segapp.datasets.annotations.geojson_file import GeoJsonFile
from segapp.datasets.annotations.georeferenced_mask import read_crs
from segapp.datasets.annotations.map_shapes import LARGEST, FindLabel, MapFile, MapShapes


class GeoJson(MapShapes):
    """Areas of GeoJSON files in map coordinates, painted on the grid of every georeferenced image that they lie on.

    Pixels whose centre lies inside are covered; later features in the file are above earlier ones. Pixels that the
    image marks as not measured (nodata) are ignored. One file may be of many images.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
        class_field: The property of a feature that holds the name of its class. Default: all have the empty name, as
            in labels: {"": building}.
        crs: The coordinate system of files that name none, as EPSG:32633. Default: EPSG:4326, longitude and latitude,
            as the standard (RFC 7946) has it.
    """

    suffixes = (".geojson", ".json")

    def __init__(
        self, labels: dict[str, str | None] | None = None, class_field: str | None = None, crs: str | None = None
    ) -> None:
        super().__init__(labels, class_field, crs or "EPSG:4326")

    def read(self, path: Path, find_label: FindLabel, fields: Sequence[str] | None) -> MapFile:
        """Read a collection, a list of features, a feature or a bare geometry."""
        names: Counter[str] = Counter()

        def find(feature: Fields) -> str:
            properties = feature.values.get("properties")
            values = properties if isinstance(properties, dict) else {}
            names.update(map(str, values))
            return find_label(values)

        found = GeoJsonFile(path, find, LARGEST)
        return MapFile(path, found.shapes, found.skipped, [name for name, _ in names.most_common()], found.crs)

    def _find_crs(self, found: MapFile) -> str:
        """Return the system that the member `crs` names, which older files have."""
        if found.crs is None:
            return super()._find_crs(found)
        properties = found.crs.get("properties") if isinstance(found.crs, dict) else None
        name = properties.get("name") if isinstance(properties, dict) else None
        return read_crs(name, f"{found.path}: 'crs'")
