"""Areas in map coordinates become areas of an image."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.georeferenced_mask import GeoreferencedMask, place_shapes, read_crs
from segapp.datasets.annotations.shapes import Polygons
from segapp.errors import MisuseError
from tests.datasets.annotations.georeferenced import make_box, place, write_geotiff


def make_entry(*rings: list[Any], crs: str = "EPSG:32633") -> Entry:
    return Entry("", (Polygons("cat", (tuple(np.array(ring, float) for ring in rings),)),), crs=crs)


def open_mask(root: Path, entry: Entry, **settings: Any) -> GeoreferencedMask:
    write_geotiff(root / "a.tif", **settings)
    return GeoreferencedMask(root / "a.tif", root / "a.geojson", entry, {"cat": 1}, 0)


@pytest.mark.parametrize(
    ("name", "crs"),
    [
        ("EPSG:32633", "EPSG:32633"),
        ("urn:ogc:def:crs:EPSG::32633", "EPSG:32633"),
        ("urn:ogc:def:crs:EPSG:8.5:32633", "EPSG:32633"),
        ("http://www.opengis.net/def/crs/EPSG/0/32633", "EPSG:32633"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"),
        ("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "EPSG:4326"),
        ("OGC:CRS84", "EPSG:4326"),
    ],
)
def test_a_coordinate_system_has_many_names(name: str, crs: str) -> None:
    assert read_crs(name, "crs") == crs


def test_a_window_is_that_of_the_image(tmp_path: Path) -> None:
    mask = open_mask(tmp_path, make_entry(make_box(2, 1, 6, 4)))
    assert mask.shape == (6, 8)
    np.testing.assert_array_equal(mask.read_window(1, 2, 4, 5), mask.read()[1:5, 2:7])
    assert mask.read().sum() == 12


def test_what_lies_beyond_the_image_is_cut_off(tmp_path: Path) -> None:
    """A ring a million times larger than the image, with a notch that reaches into it, and a hole."""
    ring = place([[-1e6, -1e6], [1e6, -1e6], [1e6, 1e6], [4, 1e6], [4, 3], [2, 3], [2, 1e6], [-1e6, 1e6], [-1e6, -1e6]])
    mask = open_mask(tmp_path, make_entry(ring, make_box(6, 0, 90, 1), make_box(-50, -50, -40, -40)))
    (shape,) = place_shapes(mask.image, mask.path, mask.entry)
    assert all(-2 <= point <= limit for part in shape.parts[0] for x, y in part for point, limit in ((x, 10), (y, 8)))
    assert len(shape.parts[0]) == 2
    expected = np.ones((6, 8), np.uint8)
    expected[3:, 2:4], expected[0, 6:] = 0, 0
    np.testing.assert_array_equal(mask.read(), expected)


def test_another_system_is_refused_by_name_without_pyproj(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyproj", None)
    mask = open_mask(tmp_path, make_entry(make_box(0, 0, 2, 2), crs="EPSG:4326"))
    with pytest.raises(MisuseError, match=r"a\.geojson: is in EPSG:4326 .*a\.tif in EPSG:32633.* -t_srs EPSG:32633 "):
        _ = mask.shape


def replace_pyproj(monkeypatch: pytest.MonkeyPatch, factor: float) -> list[Any]:
    """Put a stand-in in place of the library, which multiplies; return what it is asked."""
    asked = []

    def from_crs(*systems: str, **settings: bool) -> SimpleNamespace:
        asked.append((systems, settings))
        return SimpleNamespace(transform=lambda x, y: (x * factor, y * factor))

    transformer, errors = SimpleNamespace(from_crs=from_crs), SimpleNamespace(ProjError=ValueError)
    monkeypatch.setitem(sys.modules, "pyproj", SimpleNamespace(Transformer=transformer, exceptions=errors))
    return asked


def test_another_system_is_converted_with_pyproj(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = replace_pyproj(monkeypatch, 1000)
    ring = (np.array(make_box(0, 0, 2, 6)) / 1000).tolist()
    assert open_mask(tmp_path, make_entry(ring, crs="EPSG:4326")).read().sum() == 12
    assert asked == [(("EPSG:4326", "EPSG:32633"), {"always_xy": True})]


def test_what_another_system_does_not_reach_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_pyproj(monkeypatch, float("inf"))
    with pytest.raises(MisuseError, match=r"a\.geojson: .*beyond what EPSG:32633"):
        open_mask(tmp_path, make_entry(make_box(0, 0, 2, 6), crs="EPSG:4326")).read()


@pytest.mark.parametrize(("settings", "found"), [({"crs": 32767}, "EPSG number"), ({"side": 0.0}, "one point or line")])
def test_an_image_whose_place_is_unknown_is_refused(tmp_path: Path, settings: dict[str, Any], found: str) -> None:
    with pytest.raises(MisuseError, match=rf"a\.tif: .*{found}"):
        open_mask(tmp_path, make_entry(make_box(0, 0, 2, 2)), **settings).read()
