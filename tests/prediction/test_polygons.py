"""Outlines and runs give back the very pixels they were made from."""

import json
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely.geometry import shape
from shapely.validation import explain_validity

from segapp.prediction.polygons import (
    PIXELS,
    Region,
    compute_runs,
    compute_signed_area,
    find_regions,
    make_annotation,
    make_contours,
    make_feature,
    trace_rings,
)
from segapp.spec import Spec

SPEC = Spec(("background", "cell", "debris"), 0, ((0, 0, 0), (1, 1, 1), (2, 2, 2)), 1)
EVERY = Spec(("a", "b", "c"), None, ((0, 0, 0), (1, 1, 1), (2, 2, 2)), 1)
MASKS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2))


def filled(outlines, shape):
    """Pixels whose centre lies in an odd number of rings: the even-odd rule, by counting edges to their left."""
    inside = np.zeros(shape, int)
    for ring in outlines:
        for (x, y), (x2, y2) in pairwise(ring):
            if x == x2:
                inside[min(y, y2) : max(y, y2), x:] += 1
    return inside % 2 == 1


@settings(max_examples=300, deadline=None)
@given(MASKS)
def test_outlines_enclose_exactly_their_region(indices):
    seen = np.zeros(indices.shape, bool)
    for region in find_regions(indices, SPEC):
        outlines = trace_rings(region.mask)
        assert (filled(outlines, region.mask.shape) == region.mask).all()
        assert (
            sum(abs(compute_signed_area(ring)) * (1 if i == 0 else -1) for i, ring in enumerate(outlines))
            == region.pixels
        )
        for ring in outlines:
            steps = np.abs(np.diff(ring, axis=0))
            assert (ring[0] == ring[-1]).all() and ((steps == 0).sum(1) == 1).all()  # closed, row and column edges
            assert (np.diff(steps[:, 0] == 0) != 0).all()  # which alternate: no point is superfluous
        holes = cv2.connectedComponents(np.pad(~region.mask, 1, constant_values=True).astype(np.uint8), connectivity=4)
        assert len(outlines) == holes[0] - 1
        window = seen[region.y : region.y + region.mask.shape[0], region.x : region.x + region.mask.shape[1]]
        assert not (window & region.mask).any()
        window |= region.mask
    assert (seen == (indices != 0)).all()


@settings(max_examples=200, deadline=None)
@given(MASKS)
def test_runs_decode_to_their_region(indices):
    for region in find_regions(indices, EVERY):
        counts = compute_runs(region, indices.shape)
        assert sum(counts) == indices.size and min(counts[1:]) > 0
        flat = np.repeat(np.arange(len(counts)) % 2, counts)
        whole = np.zeros(indices.shape, bool)
        h, w = region.mask.shape
        whole[region.y : region.y + h, region.x : region.x + w] = region.mask
        assert (whole == flat.reshape(indices.shape[::-1]).T).all()


def test_a_hole_touches_the_outer_ring_in_a_point():
    outer, hole = trace_rings(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool))
    assert outer.tolist()[:-1] == [[0, 0], [3, 0], [3, 2], [2, 2], [2, 3], [0, 3]]
    assert {tuple(point) for point in hole.tolist()} == {(1, 1), (2, 1), (2, 2), (1, 2)}


def test_a_ring_with_a_hole_by_hand():
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    outer, hole = trace_rings(mask)
    assert {tuple(point) for point in outer.tolist()} == {(0, 0), (3, 0), (3, 3), (0, 3)}
    assert {tuple(point) for point in hole.tolist()} == {(1, 1), (2, 1), (2, 2), (1, 2)}


def test_orientation_and_coordinates_follow_the_affine_map():
    """North up: y falls with rows, so the outer ring is counter-clockwise on a map."""
    region = Region(1, 2, 5, np.ones((1, 2), bool))
    north_up = (1000.0, 0.5, 0.0, 2000.0, 0.0, -0.5)
    (ring,) = make_feature(region, SPEC, north_up)["geometry"]["coordinates"]
    assert {tuple(point) for point in ring} == {(1002.5, 1999), (1003.5, 1999), (1003.5, 1998.5), (1002.5, 1998.5)}
    assert compute_signed_area(np.array(ring)) == pytest.approx(0.5)
    (pixel_ring,) = make_feature(region, SPEC, PIXELS)["geometry"]["coordinates"]
    assert {tuple(point) for point in pixel_ring} == {(5, 2), (7, 2), (7, 3), (5, 3)}


def test_a_collection_names_classes_and_coordinate_system_and_is_json():
    indices = np.array([[0, 1, 1], [2, 0, 0]], np.uint8)
    made = make_contours(indices, SPEC, (0, 1, 0, 0, 0, -1), "EPSG:32616")
    assert json.loads(json.dumps(made)) == made
    assert [f["properties"] for f in made["features"]] == [
        {"class": "cell", "index": 1, "pixels": 2},
        {"class": "debris", "index": 2, "pixels": 1},
    ]
    assert made["crs"]["properties"]["name"] == "EPSG:32616"
    assert "crs" not in make_contours(indices, SPEC, None, None)


def test_an_annotation_has_coco_s_fields():
    (region,) = find_regions(np.array([[0, 0, 0], [0, 1, 1]], np.uint8), SPEC)
    made = make_annotation(region, (2, 3))
    assert made["bbox"] == [1, 1, 2, 1] and made["area"] == 2 and made["category_id"] == 1
    assert made["segmentation"] == {"size": [2, 3], "counts": [3, 1, 1, 1]}


@settings(max_examples=50, deadline=None)
@given(MASKS)
def test_polygons_are_valid_simple_features_of_their_region(indices):
    for made in make_contours(indices, EVERY, None, None)["features"]:
        polygon = shape(made["geometry"])
        assert polygon.is_valid, explain_validity(polygon)
        assert polygon.area == made["properties"]["pixels"]


def test_a_large_region_with_many_holes_is_valid():
    indices = (np.random.default_rng(0).random((50, 60)) < 0.2).astype(np.uint8)
    made = [shape(each["geometry"]) for each in make_contours(indices, EVERY, None, None)["features"]]
    assert all(polygon.is_valid for polygon in made)
    assert max(len(polygon.interiors) for polygon in made) > 100
    assert sum(polygon.area for polygon in made) == indices.size
