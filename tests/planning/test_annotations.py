"""Annotations recognised by their content, and the classes of their shapes."""

import json

import PIL.Image
import pytest

from segapp import datasets
from segapp.errors import MisuseError
from segapp.planning.annotations import name_shapes, recognise_annotations, recognise_file

COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 9, "width": 9}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "bird"}],
    "annotations": [
        {"image_id": 1, "category_id": kind, "segmentation": [[0, 0, 5, 0, 5, 5]], "iscrowd": 0} for kind in (2, 1, 1)
    ],
}
FILES = {
    "coco.json": (json.dumps(COCO), datasets.Coco),
    "long.json": ('{"images": [{"file_name": "a.png"}], "licenses": "' + "x" * 2**17, datasets.Coco),
    "labelme.json": ('{"shapes": []}', datasets.LabelMe),
    "qupath.geojson": ('{"type": "FeatureCollection"}', datasets.QuPath),
    "task.xml": ("<annotations></annotations>", datasets.Cvat),
    "voc.xml": ("<annotation></annotation>", None),
    "yolo.txt": ("0 0.1 0.1 0.9 0.1 0.9 0.9\n", datasets.Yolo),
    "boxes.txt": ("0 0.5 0.5 0.1 0.2\n", datasets.Yolo),
    "train.txt": ("a\nb\n", None),
    "other.txt": ("a b c d e f g\n", None),
    "dataset.json": ('{"labels": {}}', None),
}


@pytest.mark.parametrize(("name", "text", "expected"), [(name, *rest) for name, rest in FILES.items()], ids=FILES)
def test_a_file_is_recognised(tmp_path, name, text, expected):
    (tmp_path / name).write_text(text)
    assert recognise_file(tmp_path / name) is expected


def test_a_folder_of_masks_is_none_of_annotations(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.json").write_text('{"shapes": []}')
    assert recognise_annotations(tmp_path, "images", "labels") is datasets.LabelMe
    assert recognise_annotations(tmp_path, "images", "labels/*.json") is datasets.LabelMe
    PIL.Image.new("L", (4, 4)).save(tmp_path / "labels" / "a.png")
    assert recognise_annotations(tmp_path, "images", "labels") is None
    assert recognise_annotations(tmp_path, "labels", "labels") is datasets.LabelMe


def test_classes_are_the_names_that_occur_in_alphabetical_order(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(COCO))
    meaning = name_shapes([tmp_path / "a.json"], datasets.Coco, ())
    assert meaning.classes == ("background", "cat", "dog") and meaning.background == 0
    assert meaning.mask == {"class_path": "segapp.datasets.Coco"}
    assert "cat (2)" in meaning.reason


def test_the_user_chooses_classes_and_the_others_are_left_out(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(COCO))
    meaning = name_shapes([tmp_path / "a.json"], datasets.Coco, ("background", "dog"))
    assert meaning.classes == ("background", "dog")
    assert meaning.mask["init_args"] == {"labels": {"cat": None}}
    with pytest.raises(MisuseError, match=r"'cow'.*cat, dog"):
        name_shapes([tmp_path / "a.json"], datasets.Coco, ("cow",))


def test_names_of_the_background_and_of_what_is_ignored_are_no_classes(tmp_path):
    shapes = [{"label": label, "points": [[0, 0], [1, 0], [1, 1]]} for label in ("cat", "_background_", "__ignore__")]
    (tmp_path / "a.json").write_text(json.dumps({"shapes": shapes}))
    meaning = name_shapes([tmp_path / "a.json"], datasets.LabelMe, ())
    assert meaning.classes == ("background", "cat")
    assert meaning.mask["init_args"] == {"labels": {"__ignore__": "ignore", "_background_": "background"}}


def test_boxes_alone_are_nothing_to_learn(tmp_path):
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(MisuseError, match=r"a\.txt.*1 boxes"):
        name_shapes([tmp_path / "a.txt"], datasets.Yolo, ())


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("coco.json", "the smaller one"),
        ("labelme.json", "the later one in the file"),
        ("task.xml", "the one with the higher z_order"),
    ],
)
def test_the_plan_tells_which_of_two_shapes_is_above(tmp_path, name, above):
    shape = {"label": "cat", "points": [[0, 0], [1, 0], [1, 1]]}
    task = "<annotations><image name='a.png' height='9' width='9'>{}</image></annotations>"
    polygon = "<polygon label='cat' points='0,0;1,0;1,1' z_order='0'/>"
    texts = {"labelme.json": json.dumps({"shapes": [shape]}), "task.xml": task.format(polygon)}
    (tmp_path / name).write_text(texts.get(name, json.dumps(COCO)))
    kind = recognise_file(tmp_path / name)
    assert f"where shapes overlap, {above} is painted over" in name_shapes([tmp_path / name], kind, ()).reason


def test_five_words_of_which_none_is_a_class_are_no_annotation(tmp_path):
    (tmp_path / "1.txt").write_text("P0: 1 0 2 0\n")
    (tmp_path / "2.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert [recognise_file(tmp_path / name) for name in ("1.txt", "2.txt")] == [None, datasets.Yolo]
