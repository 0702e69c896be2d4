"""From folders or a data section to a data set."""

import json

import cv2
import numpy as np
import pytest
import tifffile
import yaml

from segapp.cli import main
from segapp.errors import MisuseError
from segapp.planning.decisions import build_config
from segapp.planning.sizes import PIXELS_PER_STEP
from segapp.planning.source import build_planned_source, describe_folder, describe_section, describe_source
from tests.io.volumes import write_nifti
from tests.planning.discs import plan, write_discs


@pytest.fixture
def discs(tmp_path):
    return write_discs(tmp_path)


@pytest.mark.slow
def test_a_data_section_is_kept_and_the_rest_decided(discs, monkeypatch):
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    settings = {"root": str(discs), "images": "photos", "masks": "labels", "classes": ["empty", "disc"]}
    settings["mask"] = {"class_path": "segapp.datasets.Indices", "init_args": {"values": {0: 0, 255: 1}}}
    source = {"class_path": "segapp.datasets.Folder", "init_args": settings}
    (discs / "data.yaml").write_text(yaml.safe_dump({"source": source, "batch_size": 99}))
    options = ["--data", str(discs / "data.yaml"), "--output", str(discs / "mine.yaml")]
    assert main(["plan", *options]) == 0
    config = yaml.safe_load((discs / "mine.yaml").read_text())
    assert config["data"]["source"]["init_args"].items() >= settings.items()
    assert config["data"]["batch_size"] != 99
    assert "What a sample sees" in (discs / "mine.html").read_text()


def test_two_images_are_too_few(discs, capsys):
    for folder in ("photos", "labels"):
        for path in sorted((discs / folder).iterdir())[2:]:
            path.unlink()
    assert plan(discs) == 2
    assert "too few" in capsys.readouterr().err


def describe(folder, *classes):
    decisions = describe_folder(str(folder / "photos"), str(folder / "labels"), classes)
    return build_config(decisions)["data"]["source"]["init_args"]


def test_a_folder_is_described_by_its_files(discs):
    found = describe(discs, "empty", "disc")
    assert (found["images"], found["masks"], found["classes"]) == ("photos", "labels", ["empty", "disc"])
    assert found["mask"]["init_args"] == {"values": {0: 0, 255: 1}}
    assert "split" not in found and "intensity" not in found and "channels" not in found


def test_grey_images_among_colours_become_colour(discs):
    first, *_ = sorted((discs / "photos").iterdir())
    cv2.imwrite(str(first), np.zeros((96, 96, 3), np.uint8))
    assert describe(discs)["channels"] == 3


def replace_by_channels(path, channels):
    path.unlink()
    tifffile.imwrite(path.with_suffix(".tif"), np.zeros((96, 96, channels), np.uint8), planarconfig="contig")


def test_a_few_images_of_other_channels_are_excluded_by_name(discs):
    first, *rest = sorted((discs / "photos").iterdir())
    replace_by_channels(first, 5)
    assert describe(discs)["exclude"] == [first.stem]
    for path in rest[: len(rest) // 2]:
        replace_by_channels(path, 5)
    with pytest.raises(MisuseError, match="channels"):
        describe(discs)


def test_a_class_is_named_once():
    with pytest.raises(MisuseError, match="--classes: 'cat' is there twice"):
        describe_source("photos", "labels", "", "void,cat,void,cat")


@pytest.mark.parametrize("text", ["[]", "source: x", "data: {source: {}}"])
def test_a_section_without_a_source_is_refused_by_name(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(MisuseError, match=r"mine\.yaml"):
        describe_section(tmp_path / "mine.yaml")


def test_volumes_of_several_channels_are_described_with_dataset_json(tmp_path):
    for folder, endings in (("imagesTr", ("_0000", "_0001")), ("labelsTr", ("",))):
        (tmp_path / folder).mkdir()
        for number in range(3):
            for ending in endings:
                voxels = np.arange(60).reshape(5, 4, 3) // 20 if not ending else np.full((5, 4, 3), number + 1.5)
                path = tmp_path / folder / f"v{number}{ending}.nii.gz"
                write_nifti(path, voxels.astype(np.float32), spacing=(1, 3, 1))
    labels = {"background": 0, "tumour": 1, "ignore": 2}
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "T2"}, "labels": labels}))
    decisions = describe_folder(str(tmp_path / "imagesTr"), str(tmp_path / "labelsTr"))
    config = build_config(decisions)["data"]
    found = config["source"]["init_args"]
    assert (found["images"], found["masks"], found["axis"], found["neighbours"]) == (
        "imagesTr",
        "labelsTr",
        "coronal",
        0,
    )
    assert found["channel_files"] == ["{name}_0000", "{name}_0001"]
    assert found["classes"] == ["background", "tumour"] and found["mask"]["init_args"] == {"values": {2: 255}}
    assert found["intensity"] == {"kind": "percentile", "low": 0.5, "high": 99.5}
    source = build_planned_source(decisions)
    assert source.channels == 2 and list(source.problems()) == []
    assert source.item_names()[0] == "v0/coronal=0" and len(source.item_names()) == 12


def test_annotations_are_described(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in "abc":
        cv2.imwrite(str(tmp_path / "photos" / f"{name}.jpg"), np.zeros((20, 30, 3), np.uint8))
        shape = {"label": "cat", "shape_type": "rectangle", "points": [[2, 2], [9, 9]]}
        void = {**shape, "label": "void", "points": [[12, 2], [19, 9]]}
        content = {"shapes": [shape, void], "imageHeight": 20, "imageWidth": 30}
        (tmp_path / "photos" / f"{name}.json").write_text(json.dumps(content))
    decisions = describe_folder(str(tmp_path / "photos"), str(tmp_path / "photos"))
    found = build_config(decisions)["data"]["source"]["init_args"]
    assert found["classes"] == ["background", "cat"]
    assert found["mask"] == {"class_path": "segapp.datasets.LabelMe", "init_args": {"labels": {"void": "ignore"}}}
    assert list(build_planned_source(decisions).problems()) == []


def test_names_are_read_from_the_folder_of_training(discs):
    for split in ("train", "valid"):
        (discs / split).mkdir()
        for path in list((discs / "photos").iterdir())[::2] if split == "train" else (discs / "photos").iterdir():
            path.rename(discs / split / path.name)
            (discs / "labels" / f"{path.stem}.png").rename(discs / split / f"{path.stem}_mask.png")
        (discs / split / "_classes.csv").write_text("Pixel Value, Class\n0, background\n255, disc\n")
    decisions = describe_folder(str(discs / "train"), str(discs / "train"))
    settings = build_config(decisions)["data"]["source"]["init_args"]
    assert (settings["images"], settings["classes"]) == ("{split}", ["background", "disc"])
