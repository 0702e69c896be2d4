"""COCO annotations: one file for each image, and one for the folder."""

import json

import cv2
import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import read_raw
from segapp.prediction.writers.coco import CocoWriter
from segapp.prediction.writers.writer import FinishedImage, ImageInfo
from tests.inference.checkpoints import make_spec
from tests.prediction.predicting import make_run, put, scene


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_regions_as_polygons_and_in_one_coco_file(run, tmp_path):
    for name, seed in (("b.png", 1), ("sub/a.png", 2)):
        put(tmp_path / "images", name, scene(40, 50, seed)[0])
    assert run(["contours", "coco", "mask"]) == 0
    out = tmp_path / "out"
    coco = json.loads((out / "coco.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == ["b.png", "sub/a.png"]
    assert coco["categories"] == [{"id": 1, "name": "cell"}]
    assert [a["id"] for a in coco["annotations"]] == list(range(1, len(coco["annotations"]) + 1))
    for image in coco["images"]:
        mask = read_raw(out / "mask" / image["file_name"])
        mine = [a for a in coco["annotations"] if a["image_id"] == image["id"]]
        assert sum(a["area"] for a in mine) == (mask == 1).sum()
        shapes = json.loads((out / "contours" / image["file_name"]).with_suffix(".geojson").read_text())["features"]
        assert len(shapes) == len(mine) == cv2.connectedComponents(mask, connectivity=4)[0] - 1


def test_annotations_of_images_are_numbered_through_the_folder(tmp_path):
    spec, images = make_spec(), []
    for name, corner in (("a", 0), ("empty", None), ("b", 2)):
        mask = np.zeros((4, 5), np.uint8)
        if corner is not None:
            mask[corner, :2] = mask[corner, 4] = 1
        path = tmp_path / f"{name}.json"
        with CocoWriter(path, ImageInfo(name, (4, 5), spec)) as writer:
            pass
        writer.finish(mask)
        images.append(FinishedImage(name, 4, 5, path))
    CocoWriter.write_folder_file(tmp_path / "coco.json", images, spec)
    found = json.loads((tmp_path / "coco.json").read_text())
    assert [(image["id"], image["file_name"], image["width"]) for image in found["images"]] == [
        (1, "a", 5),
        (2, "empty", 5),
        (3, "b", 5),
    ]
    assert [(one["id"], one["image_id"], one["area"]) for one in found["annotations"]] == [
        (1, 1, 2),
        (2, 1, 1),
        (3, 3, 2),
        (4, 3, 1),
    ]
    assert found["annotations"][2]["bbox"] == [0, 2, 2, 1]


@pytest.mark.parametrize("content", ["{", "[1]", "{}", '[{"password": "hunter2"}]', "[" * 100_000], ids=range(5))
def test_what_is_no_annotation_does_not_come_into_the_folders_file(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(SegappError, match=r"a\.json: damaged"):
        CocoWriter.write_folder_file(tmp_path / "coco.json", [FinishedImage("a", 4, 5, path)], make_spec())
    assert not (tmp_path / "coco.json").exists()
