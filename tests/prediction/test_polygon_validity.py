"""Polygons are what GEOS, and so PostGIS and QGIS, call valid."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely.geometry import shape
from shapely.validation import explain_validity

from segapp.prediction.polygons import make_contours
from segapp.spec import Spec

SPEC = Spec(("a", "b", "c"), None, ((0, 0, 0), (1, 1, 1), (2, 2, 2)), 1)
MASKS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2))


@settings(max_examples=50, deadline=None)
@given(MASKS)
def test_polygons_are_valid_simple_features_of_their_region(indices):
    for made in make_contours(indices, SPEC, None, None)["features"]:
        polygon = shape(made["geometry"])
        assert polygon.is_valid, explain_validity(polygon)
        assert polygon.area == made["properties"]["pixels"]


def test_a_large_region_with_many_holes_is_valid():
    indices = (np.random.default_rng(0).random((50, 60)) < 0.2).astype(np.uint8)
    made = [shape(each["geometry"]) for each in make_contours(indices, SPEC, None, None)["features"]]
    assert all(polygon.is_valid for polygon in made)
    assert max(len(polygon.interiors) for polygon in made) > 100
    assert sum(polygon.area for polygon in made) == indices.size
