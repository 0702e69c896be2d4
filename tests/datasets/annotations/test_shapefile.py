"""Shapefiles; that their masks are those of GeoJSON, test_geopackage.py shows."""

from pathlib import Path

import pytest
import shapely

from segapp.datasets import Shapefile
from segapp.errors import MisuseError
from tests.datasets.annotations.georeferenced import make_box, write_geotiff
from tests.datasets.annotations.samples import list_problems, read_masks
from tests.io.vectors.samples import write_vectors


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write_geotiff(tmp_path / "images/a.tif")
    write_vectors(tmp_path / "all.shp", [shapely.Polygon(make_box(0, 0, 8, 6))], {"kind": ["Vögel"], "code": [2]})
    return tmp_path


@pytest.mark.parametrize(("field", "name"), [("kind", "Vögel"), ("code", "2")])
def test_texts_and_numbers_are_classes(scene: Path, field: str, name: str) -> None:
    assert (read_masks(scene, Shapefile({name: "dog"}, field), "all.shp")["a"] == 2).all()


def test_a_file_without_its_system_needs_the_setting(scene: Path) -> None:
    (scene / "all.prj").unlink()
    with pytest.raises(MisuseError, match=r"all\.prj: is missing.*mask\.crs"):
        list(Shapefile().parse(scene / "all.shp"))
    assert (read_masks(scene, Shapefile({"": "dog"}, crs="EPSG:32633"), "all.shp")["a"] == 2).all()


def test_lines_are_counted_and_not_painted(scene: Path) -> None:
    write_vectors(scene / "all.shp", [shapely.LineString(make_box(0, 0, 8, 6))], kind="LineString")
    assert not read_masks(scene, Shapefile(), "all.shp")["a"].any()
    assert any("1 lines are no areas" in message for _, _, message in list_problems(scene, Shapefile(), "all.shp"))


def test_a_missing_file_is_a_problem_of_the_mask(scene: Path) -> None:
    (scene / "all.dbf").unlink()
    (problem,) = [message for kind, _, message in list_problems(scene, Shapefile(), "all.shp") if kind == "mask"]
    assert "all.dbf: is missing" in problem
