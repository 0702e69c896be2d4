"""Polygons of the regions, as GeoJSON."""

from pathlib import Path

import numpy as np

from segapp.prediction.polygons import make_contours
from segapp.prediction.writers.regions import RegionWriter, write_json


class ContourWriter(RegionWriter):
    """A GeoJSON file with a polygon for every region."""

    name = "contours"
    help = "GeoJSON polygons of every region"

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return `.geojson`."""
        return ".geojson"

    def finish(self, mask: np.ndarray) -> None:
        """Write the polygons."""
        meta = self.image.meta
        write_json(self.path, make_contours(mask, self.image.spec, meta.get("affine"), meta.get("crs")))
