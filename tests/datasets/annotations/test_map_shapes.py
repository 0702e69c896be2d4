"""What all files of areas in map coordinates have: a property that is the class, and a coordinate system."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from segapp.datasets.annotations.map_shapes import FindLabel, MapFile, MapShapes
from segapp.datasets.annotations.shapes import Polygons
from segapp.errors import MisuseError

SQUARE = np.array([[0.0, 0], [1, 0], [1, 1]])


class Rows(MapShapes):
    """A file of one property, whose values are its lines."""

    suffixes = (".rows",)

    def read(self, path: Path, find_label: FindLabel, fields: Sequence[str] | None) -> MapFile:
        self.asked = fields
        labels = [find_label({"kind": value}) for value in (None, 7.0, 7, True, "a", ["b"])]
        return MapFile(path, [Polygons(label, ((SQUARE,),)) for label in labels], fields=["kind"])


def test_the_class_is_a_property_as_text() -> None:
    rows = Rows(class_field="kind", crs="EPSG:32633")
    (entry,) = rows.parse(Path("a.rows"))
    assert [shape.label for shape in entry.shapes] == ["", "7", "7", "true", "a", ""]
    assert (entry.crs, rows.asked) == ("EPSG:32633", ["kind"])


def test_without_a_class_field_no_property_is_read() -> None:
    rows = Rows(crs="EPSG:32633")
    (entry,) = rows.parse(Path("a.rows"))
    assert {shape.label for shape in entry.shapes} == {""} and rows.asked == []


def test_a_property_that_no_feature_has_is_named_with_those_that_are() -> None:
    with pytest.raises(MisuseError, match=r"a\.rows: .*'crop' \(mask\.class_field\).*: kind\."):
        list(Rows(class_field="crop", crs="EPSG:32633").parse(Path("a.rows")))


def test_a_file_without_a_system_is_refused_where_no_setting_names_one() -> None:
    with pytest.raises(MisuseError, match=r"a\.rows: names no coordinate system; set mask\.crs"):
        list(Rows().parse(Path("a.rows")))
