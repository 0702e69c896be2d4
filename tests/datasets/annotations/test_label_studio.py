"""Label Studio: tasks with regions in per cent of the image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segapp.datasets import LabelStudio
from segapp.errors import MisuseError
from tests.datasets.annotations.samples import draw, read_masks, write_image, write_json
from tests.datasets.annotations.test_brush import encode_brush

SIZE = {"original_width": 8, "original_height": 6}


def region(kind: str, label: str | None, number: str = "r", **value: Any) -> dict[str, Any]:
    named = {} if label is None else {f"{kind}labels": [label]}
    return {"id": number, "type": f"{kind}labels", "from_name": "tag", "value": value | named, **SIZE}


def paint(root: Path, *results: dict[str, Any], **task: Any) -> np.ndarray:
    write_image(root)
    one = {"data": {"image": "/data/upload/2/0a1b2c3d-a.png"}, "annotations": [{"result": list(results)}]} | task
    write_json(root / "all.json", [one])
    return read_masks(root, LabelStudio(), "all.json")["a"]


BOX = {"x": 25, "y": 0, "width": 25, "height": 50, "rotation": 0}


def test_regions_are_painted_in_their_order(tmp_path: Path) -> None:
    triangle = region("polygon", "cat", "p", points=[[0, 0], [50, 0], [50, 50], [0, 50]], closed=True)
    found = paint(tmp_path, triangle, region("rectangle", "dog", **BOX))
    assert found.tolist() == draw("11220000 11220000 11220000 00000000 00000000 00000000")


def test_geometry_and_labels_of_one_region_may_be_two_results(tmp_path: Path) -> None:
    brush = list(encode_brush(np.eye(6, 8, dtype=bool)))
    first = region("brush", None, "b", format="rle", rle=brush)
    second = region("brush", None, "b", format="rle", rle=brush, labels=["dog"])
    relation = {"from_id": "b", "to_id": "c", "type": "relation"}
    assert np.array_equal(paint(tmp_path, first, second, relation), np.eye(6, 8) * 2)


def test_rotation_is_about_the_upper_left_corner_in_pixels(tmp_path: Path) -> None:
    turned = region("rectangle", "cat", x=50, y=0, width=50, height=100 / 6, rotation=90)  # 4 x 1 pixels at (4, 0)
    found = paint(tmp_path, turned)
    assert found.sum() == 4 and found[:4, 3].all()


def test_an_ellipse_and_a_point(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ellipse = region("ellipse", "cat", "e", x=50, y=50, radiusX=37.5, radiusY=100 / 3, rotation=0)
    point = region("keypoint", "dog", "k", x=5, y=5, width=0.3)
    assert paint(tmp_path, ellipse, point).sum() == pytest.approx(6 * np.pi, rel=0.2)
    assert "1 points" in caplog.text


def test_of_several_annotations_the_first_that_was_not_skipped_counts(tmp_path: Path) -> None:
    result = [region("rectangle", "cat", **BOX)]
    several = [{"result": [], "was_cancelled": True}, {"result": result}, {"result": []}]
    assert paint(tmp_path, annotations=several).sum() == 6
    assert not paint(tmp_path, annotations=[]).any()


def test_an_old_file_without_sizes(tmp_path: Path) -> None:
    old = region("rectangle", "cat", **BOX)
    del old["original_width"], old["original_height"]
    assert paint(tmp_path, old).sum() == 6
    with pytest.raises(MisuseError, match="original_width"):
        paint(tmp_path, old | {"value": old["value"] | {"rotation": 5}})


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (region("polygon", "cat", points=[[1, 1], [2, 2]]), "2 points"),
        (region("polygon", "cat", points="x"), "'points' should be a list"),
        (region("rectangle", "cat", **BOX | {"x": float("nan")}), "'x'"),
        (region("brush", "cat", format="rle", rle=[1, 2, 300]), "bytes"),
        (region("brush", "cat", format="rle", rle=[1, 2, 3]), "cut off"),
        (region("brush", "cat", format="png", rle=[]), "format 'rle'"),
        (region("rectangle", "cat", **BOX) | {"original_width": 9}, "6 x 9"),
        (region("rectangle", None, **BOX), "''"),
    ],
)
def test_damaged_regions_are_named(tmp_path: Path, one: dict[str, Any], found: str) -> None:
    with pytest.raises(MisuseError, match=rf"all\.json.*{found}"):
        paint(tmp_path, one)


def test_another_export_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path)
    write_json(tmp_path / "all.json", [{"image": "a.png", "label": []}])
    with pytest.raises(MisuseError, match="JSON-MIN"):
        read_masks(tmp_path, LabelStudio(), "all.json")
