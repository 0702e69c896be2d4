"""LabelMe: a JSON file beside each image, drawn as LabelMe draws it."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from segapp.datasets import LabelMe
from segapp.errors import MisuseError
from tests.datasets.annotations.samples import draw, list_problems, read_masks, write_image, write_json

NOISE = np.random.default_rng(0).integers(0, 2, (6, 8)).tolist()


def shape(label: str, points: Any, kind: str | None = "polygon", **settings: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, **({"shape_type": kind} if kind else {}), **settings}


def paint(root: Path, *shapes: dict[str, Any], **settings: Any) -> np.ndarray:
    write_image(root)
    content = {"version": "5.4", "imagePath": "else.jpg", "imageData": None, "imageHeight": 6, "imageWidth": 8}
    write_json(root / "images/a.json", content | {"shapes": shapes} | settings)
    return read_masks(root, LabelMe(), "images")["a"]


def encode(mask: list[list[int]], kind: str = "1") -> str:
    file = io.BytesIO()
    Image.fromarray(np.array(mask, np.uint8) * 255).convert(kind).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_shapes_are_painted_with_their_border(tmp_path: Path) -> None:
    found = paint(
        tmp_path,
        shape("cat", [[0, 0], [2, 0], [2, 2], [0, 2]], None),
        shape("dog", [[4.9, 4.2], [2, 2]], "rectangle"),
        shape("cat", [[6, 1], [6, 2]], "circle"),
    )
    assert found[3:].tolist() == draw("00222000 00222000 00000000")
    assert found[:3, :5].tolist() == draw("11100 11100 11222")
    assert found[1, 5:].tolist() == [1, 1, 1] and found[0, 6] == 1


def test_polygons_are_those_that_labelme_draws(tmp_path: Path) -> None:
    points = [[1.7, 0.3], [7.9, 2.2], [3.4, 5.6]]
    canvas = Image.new("L", (8, 6))
    ImageDraw.Draw(canvas).polygon([tuple(point) for point in points], outline=1, fill=1)
    assert np.array_equal(paint(tmp_path, shape("cat", points)), np.array(canvas))


@pytest.mark.parametrize("kind", ["1", "L"])
def test_masks_lie_at_their_first_point(tmp_path: Path, kind: str) -> None:
    mask = shape("dog", [[3, 2], [5, 3]], "mask", mask=encode([[1, 0, 1], [0, 1, 0]], kind))
    assert paint(tmp_path, mask).tolist() == draw("00000000 00000000 00020200 00002000 00000000 00000000")


def test_points_and_lines_are_counted_and_not_painted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kinds = {"point": 1, "line": 2, "linestrip": 3}
    assert not paint(tmp_path, *[shape("cat", [[1, 1]] * count, kind) for kind, count in kinds.items()]).any()
    assert "2 lines, 1 points" in caplog.text


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (shape("cat", [[0, 0], [1, 1]]), "'polygon' of 2 points"),
        (shape("cat", [[0, 0], [1, 1]], "spline"), "'spline'"),
        (shape("cat", [[0, 0], [1, 1]], "mask", mask="@"), "no PNG"),
        (shape("cat", [[0, 0], [1, 1]], "mask", mask=base64.b64encode(b"x" * 40).decode()), "no PNG"),
        (shape("cat", [[7, 5], [9, 6]], "mask", mask=encode([[1, 0, 1], [0, 1, 0]])), "not inside the image"),
        (shape("cat", [[0, 0], [1, 1]], "mask", mask=encode(NOISE)[:-32]), "damaged PNG"),
        (shape("cat", [[0, 0], [1, float("inf")], [1, 2]]), "coordinate is inf"),
        ({"points": []}, "'label' should be text"),
    ],
)
def test_damaged_shapes_are_named(tmp_path: Path, one: dict[str, Any], found: str) -> None:
    with pytest.raises(MisuseError, match=rf"a\.json.*{found}"):
        paint(tmp_path, one)


def test_a_header_of_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    png = bytearray(base64.b64decode(encode([[1]])))
    png[16:24] = (2**20).to_bytes(4, "big") * 2
    with pytest.raises(MisuseError, match="not inside the image"):
        paint(tmp_path, shape("cat", [[0, 0], [1, 1]], "mask", mask=base64.b64encode(png).decode()))


def test_unknown_names_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    for name, label in (("a", "cat"), ("b", "bird"), ("c", "bird")):
        write_image(tmp_path, f"{name}.png")
        write_json(tmp_path / f"labels/{name}.json", {"shapes": [shape(label, [[0, 0], [1, 0], [1, 1]])]})
    with pytest.raises(MisuseError, match=r"b\.json.*'bird' \(2\), 'cat' \(1\)"):
        read_masks(tmp_path, LabelMe(), "labels")
    assert read_masks(tmp_path, LabelMe(labels={"bird": "dog"}), "labels/{name}.json")["c"].max() == 2


def test_a_damaged_file_is_one_problem(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_image(tmp_path, f"{name}.png")
        write_json(tmp_path / f"labels/{name}.json", {"shapes": []})
    (tmp_path / "labels/b.json").write_text('{"shapes": [')
    (problem,) = [found for found in list_problems(tmp_path, LabelMe(), "labels") if found[1] == "error"]
    assert problem[0] == "mask" and "b.json" in problem[2]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write_image(tmp_path)
    (tmp_path / "labels").mkdir()
    with pytest.raises(MisuseError, match=r"labels/a\.\*"):
        read_masks(tmp_path, LabelMe(), "labels")


def test_images_are_no_annotations(tmp_path: Path) -> None:
    write_image(tmp_path)
    with pytest.raises(MisuseError, match="LabelMe reads no images"):
        read_masks(tmp_path, LabelMe(), "images/{name}.png")
