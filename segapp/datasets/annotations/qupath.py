"""QuPath: a GeoJSON file for each image, in pixels of its full resolution."""

from collections.abc import Iterator
from pathlib import Path

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import Fields
from segapp.datasets.annotations.geojson_file import GeoJsonFile
from segapp.errors import MisuseError


class QuPath(Annotations):
    """Objects of QuPath, exported as GeoJSON: polygons with holes; later ones are above earlier ones.

    The name of a shape is that of its classification, and empty where it has none.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".geojson", ".json")

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the one entry of a file: a collection, a list of features, a feature or a bare geometry."""
        found = GeoJsonFile(path, _find_label)
        if found.crs is not None:
            raise MisuseError(
                f"{path}: its coordinates are those of a map, and QuPath's are pixels; set mask to "
                "segapp.datasets.GeoJson in a data section (--data)."
            )
        yield Entry("", tuple(found.shapes), skipped=found.skipped)


def _find_label(feature: Fields) -> str:
    """Return the name of a feature's classification; empty where it has none."""
    properties = feature.values.get("properties")
    given = properties.get("classification") if isinstance(properties, dict) else None
    if isinstance(given, dict):
        given = given.get("name")
    return given if isinstance(given, str) else ""
