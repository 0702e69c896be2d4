"""Annotations that are named by a message: how they are read, or that they are not."""

import os
from pathlib import Path

import pytest

from segapp.datasets.unsupported import describe_annotations, explain_unread
from segapp.errors import MisuseError
from tests.datasets.folders import GREY, folder, names
from tests.datasets.look_alikes import save


def test_annotations_in_place_of_masks_are_named(tmp_path: Path) -> None:
    save(tmp_path / "images/0.png", GREY)
    (tmp_path / "images/_annotations.coco.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(MisuseError, match=r"_annotations\.coco\.json.* COCO.*segapp\.datasets\.Coco"):
        names(folder(tmp_path))
    (tmp_path / "images/_annotations.coco.json").unlink()
    save(tmp_path / "images/1.png", GREY)
    (tmp_path / "images/0.json").write_text('{"version": "5", "shapes": [], "imagePath": "0.png"}')
    with pytest.raises(MisuseError, match=r"images/0\.json.*JSON.*LabelMe"):
        names(folder(tmp_path, masks="images"))
    with pytest.raises(MisuseError, match=r"labels/\{name\}\.xml.*Cvat"):
        names(folder(tmp_path, masks="labels/{name}.xml"))


@pytest.mark.parametrize(
    ("suffix", "named"),
    [
        (".xml", "Cvat"),
        (".json", "Coco"),
        (".geojson", "GeoJson"),
        (".gpkg", "GeoPackage"),
        (".shp", "Shapefile"),
        (".mat", "MATLAB"),
        (".csv", "tables"),
        (".png", ""),
    ],
)
def test_annotations_are_named_by_their_suffix(suffix: str, named: str) -> None:
    assert named in explain_unread(suffix) and bool(explain_unread(suffix)) == bool(named)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('{"shapes": []}', "LabelMe"),
        ('{"images": [], "annotations": []}', "Coco"),
        ('{"type": "FeatureCollection"}', "QuPath"),
        ('[{"type": "Feature", "geometry": {"type": "Polygon"}}]', "QuPath"),
        ('[{"annotations": [{"result": [{"original_width": 9, "value": {"rle": [0, 0', "LabelStudio"),
        ('[{"annotations": [{"result": [{"from_name": "tag"}]}]}]', "LabelStudio"),
        ('{"objects": [{"classTitle": "a"}]}', "Supervisely"),
        ('{"a.png1": {"regions": [{"region_attributes": {}}]}}', "Via"),
        ('{"mine": 1}', None),
    ],
)
def test_json_is_named_by_its_tool(tmp_path: Path, content: str, kind: str | None) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.json").write_text(content)
    found = describe_annotations(tmp_path)
    assert (f"segapp.datasets.{kind}" in found and str(tmp_path / "deep/a.json") in found) if kind else found == ""


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    assert describe_annotations(tmp_path) == ""
