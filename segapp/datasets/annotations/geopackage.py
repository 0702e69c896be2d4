"""GeoPackages."""

from collections.abc import Sequence
from pathlib import Path

from segapp.datasets.annotations.map_shapes import FindLabel, MapFile, MapShapes
from segapp.datasets.annotations.vector_areas import read_areas
from segapp.errors import MisuseError, suggest
from segapp.io.vectors import list_layers, open_geopackage

MAX_NAMED = 20
"""Layers that a message names."""


class GeoPackage(MapShapes):
    """Areas of a layer of GeoPackages, painted on the grid of every georeferenced image that they lie on.

    Pixels whose centre lies inside are covered; later features in the file are above earlier ones. Pixels that the
    image marks as not measured (nodata) are ignored. One file may be of many images.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
        class_field: The property of a feature that holds the name of its class. Default: all have the empty name, as
            in labels: {"": building}.
        crs: The coordinate system of files that name none, as EPSG:32633.
        layer: The layer to read. Default: the only one, or the only one of areas.
    """

    suffixes = (".gpkg",)

    def __init__(
        self,
        labels: dict[str, str | None] | None = None,
        class_field: str | None = None,
        crs: str | None = None,
        layer: str | None = None,
    ) -> None:
        super().__init__(labels, class_field, crs)
        self.layer = layer

    def read(self, path: Path, find_label: FindLabel, fields: Sequence[str] | None) -> MapFile:
        """Read the areas of the layer; raise MisuseError where several might be meant."""
        return read_areas(open_geopackage(path, self._choose_layer(path)), find_label, fields)

    def _choose_layer(self, path: Path) -> str:
        layers = list_layers(path)
        named = ", ".join(map(repr, list(layers)[:MAX_NAMED])) or "none"
        if self.layer is not None:
            if self.layer not in layers:
                raise MisuseError(
                    f"{path}: has no layer {self.layer!r} (mask.layer){suggest(self.layer, layers)}; its layers with a "
                    f"geometry are: {named}."
                )
            return self.layer
        candidates = [name for name, holds_areas in layers.items() if holds_areas] or list(layers)
        if len(candidates) != 1:
            raise MisuseError(
                f"{path}: holds {len(candidates)} layers, {', '.join(map(repr, candidates[:MAX_NAMED]))}; set "
                f"mask.layer to one of them, as in mask: {{class_path: segapp.datasets.GeoPackage, init_args: {{layer: "
                f"{candidates[0]}}}}}."
                if candidates
                else f"{path}: holds no layer with a geometry; export the areas into one."
            )
        return candidates[0]
