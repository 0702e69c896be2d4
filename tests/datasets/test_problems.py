"""Everything that is wrong with a data set, from one call."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segapp.datasets import Cells, KFold
from segapp.errors import MisuseError
from tests.datasets.folders import folder
from tests.datasets.look_alikes import save
from tests.datasets.pairs import GREY, MASK, kinds, write_pairs


def test_a_sound_data_set_has_none(tmp_path: Path) -> None:
    write_pairs(tmp_path, [f"{index}" for index in range(8)])
    assert list(folder(tmp_path).problems()) == []


def test_twenty_faults_are_twenty_problems_from_one_call(tmp_path: Path) -> None:
    write_pairs(tmp_path, [f"ok{index}" for index in range(6)])
    for index in range(5):
        save(tmp_path / f"images/no_mask{index}.png", GREY)
        save(tmp_path / f"masks/no_image{index}.png", MASK)
    write_pairs(tmp_path, [f"bad{index}" for index in range(9)])
    for index in range(3):
        save(tmp_path / f"masks/bad{index}.png", MASK + 7)
        save(tmp_path / f"masks/bad{index + 3}.png", MASK[:, :5])
        image = tmp_path / f"images/bad{index + 6}.png"
        save(image, np.random.default_rng(0).integers(0, 256, (8, 9), np.uint8))
        image.write_bytes(image.read_bytes()[:80])
    save(tmp_path / "images/ok0.bmp", GREY)
    errors = [problem for problem in folder(tmp_path).problems() if problem.severity == "error"]
    expected = ["mask missing"] * 5 + ["image missing"] * 5 + ["mask"] * 6 + ["image"] * 3 + ["name"]
    assert kinds(errors) == sorted(expected)
    assert len(errors) == 20
    assert {problem.path.name for problem in errors if problem.path and problem.kind == "mask"} == {
        f"bad{index}.png" for index in range(6)
    }
    assert {problem.setting for problem in errors if problem.kind == "mask missing"} == {"masks"}
    for problem in errors:
        assert problem.path is not None
        assert problem.path.name.split(".")[0] in problem.message


def test_items_raises_the_first_that_makes_training_wrong(tmp_path: Path) -> None:
    write_pairs(tmp_path, ["a", "b"])
    save(tmp_path / "images/c.png", GREY)
    source = folder(tmp_path)
    first = next(source.problems())
    with pytest.raises(MisuseError) as raised:
        source.items("train")
    assert str(raised.value) == first.message


@pytest.mark.parametrize(
    ("settings", "kind", "setting"),
    [
        ({"images": "photos"}, "layout", "images"),
        ({"group": "(x)"}, "group", "group"),
        ({"exclude": ["*"]}, "name", "exclude"),
        ({"split": KFold(fold=0, folds=5)}, "split", "split"),
    ],
    ids=["images", "group", "exclude", "split"],
)
def test_settings_are_named(tmp_path: Path, settings: dict[str, Any], kind: str, setting: str) -> None:
    write_pairs(tmp_path, ["a", "b"])
    problem = next(folder(tmp_path, **settings).problems())
    assert (problem.kind, problem.setting) == (kind, setting)


def test_cells_name_a_setting_that_they_have(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert [(p.kind, p.setting, p.path) for p in Cells(tmp_path).problems()] == [("layout", "root", tmp_path)]
    assert (tmp_path / "notes.txt").read_text() == "mine"
