"""Supervisely: a JSON file for each image, named after the image with its suffix."""

import base64
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segapp.datasets import Supervisely
from segapp.errors import MisuseError
from tests.datasets.annotations.samples import draw, read_masks, write_image, write_json


def thing(kind: str, label: str = "cat", **settings: Any) -> dict[str, Any]:
    return {"classTitle": label, "geometryType": kind, **settings}


def polygon(exterior: Any, *interior: Any, kind: str = "polygon", label: str = "cat") -> dict[str, Any]:
    return thing(kind, label, points={"exterior": exterior, "interior": list(interior)})


def bitmap(mask: Any, origin: Any, kind: str = "P") -> dict[str, Any]:
    image = Image.fromarray(np.array(mask, np.uint8) * 255)
    if kind == "P":
        image = Image.fromarray(np.array(mask, np.uint8), "P")
        image.putpalette([0, 0, 0, 255, 255, 255])
    if kind == "RGBA":
        image = Image.merge("RGBA", [image.point(lambda value: 255)] * 3 + [image])
    file = io.BytesIO()
    image.save(file, "PNG")
    data = base64.b64encode(zlib.compress(file.getvalue())).decode()
    return thing("bitmap", "dog", bitmap={"data": data, "origin": origin})


def paint(root: Path, *objects: dict[str, Any]) -> np.ndarray:
    write_image(root)
    content = {"description": "", "tags": [], "size": {"height": 6, "width": 8}, "objects": objects}
    write_json(root / "ann/a.png.json", content)
    write_json(root / "ann/meta.json", {"classes": []})
    return read_masks(root, Supervisely(), "ann")["a"]


def test_polygons_and_holes_have_borders(tmp_path: Path) -> None:
    found = paint(
        tmp_path,
        polygon([[0, 0], [4, 0], [4, 4], [0, 4]], [[1, 1], [2, 1], [2, 2], [1, 2]]),
        polygon([[6, 1], [7, 2]], kind="rectangle", label="dog"),
    )
    assert found.tolist() == draw("11111000 10011022 10011022 11111000 11111000 00000000")


@pytest.mark.parametrize("kind", ["L", "P", "RGBA"])
def test_bitmaps_lie_at_their_origin(tmp_path: Path, kind: str) -> None:
    found = paint(tmp_path, bitmap([[1, 0, 1], [0, 1, 0]], [3, 2], kind))
    assert found.tolist() == draw("00000000 00000000 00020200 00002000 00000000 00000000")


def test_points_are_counted_and_not_painted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not paint(tmp_path, thing("point"), thing("line"), thing("point")).any()
    assert "2 points, 1 lines" in caplog.text


def make_bomb() -> dict[str, Any]:
    """Return a bitmap of one pixel whose data unpack to megabytes."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    data = base64.b64encode(zlib.compress(file.getvalue() + bytes(2**22))).decode()
    return thing("bitmap", bitmap={"data": data, "origin": [0, 0]})


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (thing("bitmap", bitmap={"data": "@", "origin": [0, 0]}), "no compressed PNG"),
        (thing("bitmap", bitmap={"data": base64.b64encode(b"x" * 30).decode(), "origin": [0, 0]}), "no compressed PNG"),
        (bitmap([[1]], [9, 0]), "not inside the image"),
        (bitmap([[1]], [0.5, 0]), "whole pixels"),
        (bitmap([[1]], "x"), "'origin' should be a list"),
        (make_bomb(), "more than"),
        (thing("cube"), "'cube'"),
        (polygon([[0, 0], [1, float("nan")], [2, 2]]), "coordinate is nan"),
        (thing("polygon", points=None), "an object is expected"),
        (thing("polygon", points={"exterior": [[0, 0], [2, 0], [2, 2]], "interior": 3}), "'interior' should be a list"),
    ],
)
def test_damaged_objects_are_named(tmp_path: Path, one: dict[str, Any], found: str) -> None:
    with pytest.raises(MisuseError, match=rf"a\.png\.json.*{found}"):
        paint(tmp_path, one)


def test_images_in_folders_of_a_data_set(tmp_path: Path) -> None:
    write_image(tmp_path, "../ds0/img/x/a.png")
    write_json(tmp_path / "ds0/ann/x/a.png.json", {"size": {"height": 6, "width": 8}, "objects": []})
    assert list(read_masks(tmp_path, Supervisely(), "ds0/ann", images="ds0/img")) == ["x/a"]
