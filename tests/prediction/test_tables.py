"""Tables of a folder of predictions."""

import json

import numpy as np
import pytest
import tifffile

from segapp.io import read_table
from segapp.prediction.manifest import Manifest, Row
from segapp.prediction.tables import format_least_certain, list_done_rows, list_tables
from segapp.prediction.tasks import ImageTask
from tests.inference.checkpoints import make_spec, write_checkpoint
from tests.prediction.predicting import make_run, put, scene, table


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_tables_hold_what_this_model_did_while_others_replace_the_rest(run, tmp_path, monkeypatch):
    for name in ("a.png", "b.png", "c.png"):
        put(tmp_path / "images", name, scene(40, 50)[0])
    assert run() == 0
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, names in (("1", ["b.png"]), ("0", ["a.png", "b.png", "c.png"])):
        monkeypatch.setenv("RANK", rank)
        assert run(["coco"], overwrite=True) == 0
        assert [row["image"] for row in table(tmp_path / "out")] == names
        coco = json.loads((tmp_path / "out" / "coco.json").read_text())
        assert [image["file_name"] for image in coco["images"]] == names


def test_classes_are_named_beside_the_masks(run, tmp_path):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    assert run() == 0
    assert json.loads((tmp_path / "out" / "classes.json").read_text()) == [
        {"index": 0, "name": "background", "colour": [0, 0, 0]},
        {"index": 1, "name": "cell", "colour": [60, 200, 90]},
    ]


def test_hostile_names_are_escaped_in_the_terminal_and_the_table(tmp_path, run, capsys):
    names = ("=HYPERLINK(1).png", "a\x1b[2J.png", "b\r\n.png", "not\udcffutf8.png")
    for name in names:
        put(tmp_path / "images", name, scene(40, 50)[0])
    (tmp_path / "images" / "c\x1b[31m.png").write_bytes(b"")
    spec = make_spec(classes=("<b>ground", "=1+1"))
    assert run(ckpt_path=str(write_checkpoint(tmp_path / "hostile.ckpt", spec)), flag_uncertain=4) == 1
    said = capsys.readouterr()
    assert not set("\x1b\r\udcff") & set(said.out + said.err)
    assert r"c\x1b[31m.png: the file is empty" in said.err
    for name in ("per_image.csv", "manifest.csv"):
        content = (tmp_path / "out" / name).read_bytes().decode()
        assert "\x1b" not in content and "\n=" not in content
    assert [row["image"] for row in read_table(tmp_path / "out" / "per_image.csv")] == sorted(names)
    assert list(Manifest(tmp_path / "out").rows) == sorted([*names, "c\x1b[31m.png"])


def test_areas_and_confidence_are_those_of_the_masks(run, tmp_path):
    put(tmp_path / "images", "a.png", scene(40, 50)[0])
    pixels, truth = scene(60, 50, 1)
    described = {"description": "ImageJ=1.54f\nunit=um\n", "metadata": None, "resolution": (10, 5)}  # pixels per µm
    tifffile.imwrite(tmp_path / "images" / "b.tif", pixels, photometric="rgb", **described)
    assert run(["mask", "probability"]) == 0
    plain, measured = table(tmp_path / "out")
    assert plain["cell/area"] == "" and plain["unit"] == ""
    assert int(measured["cell/pixels"]) == truth.sum()
    assert int(measured["background/pixels"]) == (truth == 0).sum()
    assert float(measured["cell/area"]) == pytest.approx(truth.sum() * 0.1 * 0.2, rel=1e-5)
    assert measured["unit"] == "µm²"
    chances = np.load(tmp_path / "out" / "probability" / "b.npy", allow_pickle=False).astype(float)
    assert float(measured["mean_confidence"]) == pytest.approx(chances.max(0).mean(), abs=1e-3)


def test_the_least_sure_images_are_listed_first(run, tmp_path, capsys):
    put(tmp_path / "images", "clear.png", scene(40, 50)[0])
    put(tmp_path / "images", "grey.png", np.full((40, 50, 3), 127, np.uint8))
    assert run(flag_uncertain=1) == 0
    said = capsys.readouterr().out
    assert "look at these first" in said and "grey.png" in said and "clear.png" not in said.split("look at")[1]


def test_the_tables_of_a_folder_are_listed_before_they_are_written(tmp_path):
    assert [path.name for path in list_tables(tmp_path, ["mask"])] == ["per_image.csv", "classes.json"]
    assert [path.name for path in list_tables(tmp_path, ["coco", "mask"])] == [
        "per_image.csv",
        "coco.json",
        "classes.json",
    ]


def test_finished_images_come_in_the_order_of_the_jobs(tmp_path):
    manifest = Manifest(tmp_path)
    for name, status in (("b", "done"), ("a", "done"), ("c", "failed"), ("d", "begun"), ("x", "done")):
        manifest.add(Row(name, 1, 2, "m", status))
    tasks = [ImageTask(tmp_path / name, {}, name, name) for name in ("a", "b", "c", "d", "e")]
    assert [row.image for row in list_done_rows(tmp_path, tasks)] == ["a", "b"]


def test_the_least_certain_images_come_first_and_are_escaped():
    rows = [Row(name, 1, 2, "m", "done", confidence=sure) for name, sure in (("a", 0.9), ("b\x1b[2J", 0.2), ("c", 0.5))]
    first, *shown = format_least_certain(rows, 2).splitlines()
    assert "3 images" in first and "\x1b" not in shown[0]
    assert [line.split()[0] for line in shown] == ["0.2000", "0.5000"]
