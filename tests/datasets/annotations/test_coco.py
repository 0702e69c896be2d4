"""COCO: polygons, run lengths, crowds, and one file for all images of a split."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segapp.datasets import Coco, Folders
from segapp.errors import MisuseError
from tests.datasets.annotations.samples import count_shapes, draw, list_problems, read_masks, write_image, write_json


def annotate(*segmentations: Any, kinds: tuple[int, ...] = (1,), **settings: Any) -> list[dict[str, Any]]:
    return [
        {"id": i, "image_id": 1, "category_id": kinds[i % len(kinds)], "segmentation": one, **settings}
        for i, one in enumerate(segmentations)
    ]


def make(annotations: list[dict[str, Any]], names: tuple[str, ...] = ("a.png",)) -> dict[str, Any]:
    images = [{"id": i, "file_name": name, "height": 6, "width": 8} for i, name in enumerate(names, start=1)]
    categories = [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def encode(mask: np.ndarray) -> str:
    return str(coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode())


SQUARE = [[0, 0, 3, 0, 3, 3, 0, 3]]


def paint(root: Path, annotations: list[dict[str, Any]], **labels: Any) -> list[list[int]]:
    write_image(root)
    write_json(root / "all.json", make(annotations))
    return read_masks(root, Coco(**labels), "all.json")["a"].tolist()


def test_smaller_objects_are_above_larger_ones(tmp_path: Path) -> None:
    """Files list windows before or after the facade that they lie on, so their order means nothing."""
    both = annotate(SQUARE, [[2, 1, 5, 1, 5, 4, 2, 4], [6, 4, 8, 4, 8, 6, 6, 6]], kinds=(1, 7))
    expected = "11100000 11122000 11122000 00222000 00000022 00000022"
    assert paint(tmp_path, both) == paint(tmp_path, both[::-1]) == draw(expected)


def test_objects_of_one_size_are_painted_in_the_order_of_the_file(tmp_path: Path) -> None:
    both = annotate(SQUARE, [[2, 1, 5, 1, 5, 4, 2, 4]], kinds=(1, 7))
    assert paint(tmp_path, both) == draw("11100000 11222000 11222000 00222000 00000000 00000000")


@pytest.mark.parametrize("runs", [encode(np.eye(6, 8)), [0, 1, 6, 1, 6, 1, 6, 1, 6, 1, 6, 1, 12]])
def test_smaller_run_lengths_are_above_larger_polygons(tmp_path: Path, runs: Any) -> None:
    line = {"size": [6, 8], "counts": runs}
    both = annotate(line, SQUARE, kinds=(7, 1))
    assert paint(tmp_path, both) == draw("21100000 12100000 11200000 00020000 00002000 00000200")


def test_both_kinds_of_run_lengths(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (6, 8)).astype(np.uint8)
    compressed = coco_mask.encode(np.asfortranarray(mask))
    flat = mask.ravel("F")
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
    counts = np.diff([0, *changes, len(flat)]).tolist()
    for runs in (compressed["counts"].decode(), counts):
        assert paint(tmp_path, annotate({"size": [6, 8], "counts": runs})) == mask.tolist()


def test_crowds_are_ignored(tmp_path: Path) -> None:
    crowd = annotate(SQUARE, iscrowd=1, bbox=[0, 0, 3, 3])
    assert np.sum(np.array(paint(tmp_path, crowd)) == 255) == 9


def test_objects_within_a_crowd_are_learnt_and_a_crowd_within_an_object_is_ignored(tmp_path: Path) -> None:
    everywhere = {"size": [6, 8], "counts": encode(np.ones((6, 8)))}
    around = annotate(SQUARE) + annotate(everywhere, iscrowd=1)
    assert (np.array(paint(tmp_path, around)) == 1).sum() == 9
    within = annotate(SQUARE, iscrowd=1) + annotate(everywhere)
    assert (np.array(paint(tmp_path, within)) == 255).sum() == 9


def test_names_are_renamed_merged_ignored_and_left_out(tmp_path: Path) -> None:
    other = [[4, 0, 6, 0, 6, 2, 4, 2]]
    both = annotate(SQUARE, other, kinds=(1, 7))
    assert paint(tmp_path, both, labels={"dog": "cat"})[0] == [1, 1, 1, 0, 1, 1, 0, 0]
    assert paint(tmp_path, both, labels={"dog": "ignore"})[0] == [1, 1, 1, 0, 255, 255, 0, 0]
    assert paint(tmp_path, both, labels={"dog": None})[0] == [1, 1, 1, 0, 0, 0, 0, 0]
    with pytest.raises(MisuseError, match=r"mask\.labels.*'bird'"):
        paint(tmp_path, both, labels={"dog": "bird"})


def test_images_without_annotations_have_nothing_on_them(tmp_path: Path) -> None:
    write_image(tmp_path, "a.png")
    write_image(tmp_path, "b.png")
    write_json(tmp_path / "all.json", make(annotate(SQUARE), ("a.png", "b.png")))
    masks = read_masks(tmp_path, Coco(), "all.json")
    assert masks["a"].any() and not masks["b"].any()


def test_a_file_for_each_split(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_image(tmp_path, f"../{split}/a.png")
        write_json(tmp_path / split / "_annotations.coco.json", make(annotate(SQUARE * (split == "train"))))
    settings = {"images": "{split}", "split": Folders(train="train", val="valid")}
    from segapp.datasets import Folder

    source = Folder(tmp_path, ("background", "cat"), masks="{split}/_annotations.coco.json", mask=Coco(), **settings)  # type: ignore[arg-type]
    sums = {split: [item.mask.read().sum() for item in source.items(split) if item.mask] for split in ("train", "val")}  # type: ignore[arg-type]
    assert sums == {"train": [9], "val": [0]}


def test_boxes_alone_are_counted_and_not_painted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    boxes = annotate([], None, bbox=[0, 0, 3, 3])
    assert not np.any(paint(tmp_path, boxes))
    assert caplog.text.count("2 boxes without an outline") == 1
    assert [(kind, severity) for kind, severity, _ in list_problems(tmp_path, Coco(), "all.json")] == [
        ("mask", "warning"),
        ("class", "warning"),
    ]


def test_every_unknown_name_is_listed_with_its_count(tmp_path: Path) -> None:
    write_image(tmp_path)
    content = make(annotate(SQUARE, SQUARE, SQUARE, kinds=(1, 7, 7)))
    content["categories"][1]["name"] = "bird"
    write_json(tmp_path / "all.json", content)
    with pytest.raises(MisuseError, match=r"all\.json.*'bird' \(2\), 'cat' \(1\).*mask\.labels"):
        read_masks(tmp_path, Coco(), "all.json")


@pytest.mark.parametrize(
    ("segmentation", "found"),
    [
        ([[0, 0, 3]], "three points"),
        ([[0, 0, 3, 0]], "three points"),
        ([[0, 0, 3, 0, 3, float("nan")]], "coordinate is nan"),
        ([[0, 0, 3, 0, 3, 1e300]], "coordinate is 1e"),
        ([["a"] * 6], "three points"),
        ("text", "a list or an object"),
        ({"size": [6, 9], "counts": "x"}, r"\[6, 9\]"),
        ({"size": [6, 8], "counts": [1, "b"]}, "whole numbers"),
        ({"size": [6, 8], "counts": [[1]]}, "whole numbers"),
        ({"size": [6, 8], "counts": [1, 2]}, "add up to 3"),
        ({"size": [6, 8], "counts": "é"}, "text or whole numbers"),
        ({"size": [6, 8], "counts": "ooo"}, "damaged or cut off"),
    ],
)
def test_damaged_shapes_are_named(tmp_path: Path, segmentation: Any, found: str) -> None:
    with pytest.raises(MisuseError, match=rf"all\.json.*{found}"):
        paint(tmp_path, annotate(segmentation))


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"images": None}, "'images' should be a list"),
        ({"categories": []}, "'category_id' 1 is none"),
        ({"images": []}, "'image_id' 1 is none"),
        ({"annotations": [3]}, "an object is expected"),
        ({"annotations": [{"image_id": "x", "category_id": 1}]}, "'image_id' should be a whole number"),
    ],
)
def test_files_of_another_form_are_named(tmp_path: Path, change: dict[str, Any], found: str) -> None:
    write_image(tmp_path)
    write_json(tmp_path / "all.json", make(annotate(SQUARE)) | change)
    with pytest.raises(MisuseError, match=rf"all\.json.*{found}"):
        read_masks(tmp_path, Coco(), "all.json")


def test_a_list_of_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="results"):
        count_shapes(Coco(), write_json(tmp_path / "a.json", []))


def test_a_missing_entry_and_a_missing_file(tmp_path: Path) -> None:
    write_image(tmp_path, "a.png")
    write_image(tmp_path, "b.png")
    write_json(tmp_path / "all.json", make(annotate(SQUARE)))
    with pytest.raises(MisuseError, match=r"no entry for 1 images, such as b\.png"):
        read_masks(tmp_path, Coco(), "all.json")
    assert ("mask missing", "error") in [problem[:2] for problem in list_problems(tmp_path, Coco(), "all.json")]
    with pytest.raises(MisuseError, match=r"none\.json: there is no such file.*all\.json"):
        read_masks(tmp_path, Coco(), "none.json")


def test_images_that_are_not_there_are_counted_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_image(tmp_path)
    write_json(tmp_path / "all.json", make(annotate(SQUARE), ("a.png", "x.png", "y.png")))
    read_masks(tmp_path, Coco(), "all.json")
    assert caplog.text.count("2 of 3 annotated images") == 1


def test_an_image_of_another_size_is_a_problem(tmp_path: Path) -> None:
    write_image(tmp_path, height=7)
    write_json(tmp_path / "all.json", make(annotate(SQUARE)))
    problems = list_problems(tmp_path, Coco(), "all.json")
    assert [kind for kind, severity, message in problems if "6 x 8" in message and "7 x 8" in message] == ["mask"]
