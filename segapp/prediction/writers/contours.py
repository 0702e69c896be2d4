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
        contours = make_contours(mask, self.image.spec, self.affine, meta.get("crs"))
        if "downsample" in meta:  # QuPath, which shows slides, then knows the classes
            for feature in contours["features"]:
                classification = {"name": feature["properties"]["class"]}
                feature["properties"] |= {"objectType": "annotation", "classification": classification}
        write_json(self.path, contours)
