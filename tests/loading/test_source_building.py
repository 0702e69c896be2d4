"""Data sets are built from settings, and the root that a file names is looked at first."""

import cv2
import numpy as np
import pytest

from segapp.datasets import Folder
from segapp.errors import MisuseError
from segapp.loading.source_building import build_source, check_root


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / "mine" / folder).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "mine" / folder / "a.png"), np.zeros((4, 4), np.uint8))
    return tmp_path / "mine"


def section(root, class_path="segapp.datasets.Folder"):
    return {"source": {"class_path": class_path, "init_args": {"root": str(root), "classes": ["a", "b"]}}}


@pytest.mark.parametrize("allowed", [None, ()])
def test_a_section_becomes_its_data_set(root, allowed):
    source = build_source("x.yaml", section(root), allowed)
    assert isinstance(source, Folder) and source.classes == ("a", "b")


@pytest.mark.parametrize("data", [{}, {"source": {}}, {"source": {"class_path": "segapp.datasets.Nothing"}}])
@pytest.mark.parametrize("allowed", [None, ()])
def test_a_section_without_a_data_set_is_refused_with_its_file(data, allowed):
    with pytest.raises(MisuseError, match=r"^x\.yaml: "):
        build_source("x.yaml", data, allowed)


def test_what_came_with_a_file_names_no_other_code_and_no_missing_root(root):
    with pytest.raises(MisuseError, match=r"best\.ckpt"):
        build_source("best.ckpt", section(root, "collections.OrderedDict"), [])
    with pytest.raises(MisuseError, match=r"best\.ckpt: .*gone"):
        build_source("best.ckpt", section("gone"), [])
    assert not (root.parent / "gone").exists()
    with pytest.raises(MisuseError, match=r"masks/nothing"):
        (root / "masks" / "nothing").mkdir()
        check_root("best.ckpt", str(root / "masks" / "nothing"), "look")


def test_a_root_outside_the_current_folder_is_reported(root, monkeypatch, caplog):
    check_root("best.ckpt", "mine", "look")
    assert not caplog.records
    monkeypatch.chdir(root)
    check_root("best.ckpt", str(root.parent), "look")
    assert str(root.parent) in caplog.text and "best.ckpt" in caplog.text


def test_a_file_generates_no_data_in_a_folder_that_it_does_not_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MisuseError, match="data/cells"):
        build_source("run", {"source": {"class_path": "segapp.datasets.Cells", "init_args": {"train": 2}}}, [])
    assert not list(tmp_path.iterdir())
