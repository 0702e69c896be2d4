"""`segapp metrics` on small folders of masks."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segapp.api.evaluate import evaluate
from segapp.cli import main

CLASSES = ("ground", "cell")
RNG = np.random.default_rng(0)
TRUE = [RNG.integers(0, 2, (6, 5)) for _ in range(2)] + [np.zeros((4, 4), int)]
FOUND = [np.where(RNG.random(mask.shape) < 0.3, 1 - mask, mask) for mask in TRUE]


def save(folder: Path, masks: list[np.ndarray], scale: int = 1) -> str:
    folder.mkdir()
    for index, mask in enumerate(masks):
        Image.fromarray((mask * scale).astype(np.uint8)).save(folder / f"{index}.png")
    return str(folder)


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    return ["--predictions", save(tmp_path / "found", FOUND), "--truth", save(tmp_path / "true", TRUE)]


def test_segapps_scores_are_those_of_evaluate(folders, tmp_path, capsys) -> None:
    options = ["--classes", "ground,cell", "--background", "ground", "--output", str(tmp_path / "out")]
    unit = ["--tolerance", "0.5", "--spacing", "0.5,0.25"]
    assert main(["metrics", *folders, *options, *unit]) == 0
    expected = evaluate(FOUND, TRUE, CLASSES, "ground", tolerance=0.5, spacing=(0.5, 0.25))
    results = json.loads((tmp_path / "out/metrics.json").read_text())
    known = {name: value for name, value in results["scores"].items() if value is not None}
    assert known == pytest.approx({name: value for name, value in expected.flat.items() if name in known})
    assert results["boundaries"] == {"tolerance": 0.5, "spacing": [0.5, 0.25]}
    assert "precision/dataset/cell" in known and results["as"] == "segapp" and results["images"] == 3
    printed = capsys.readouterr().out
    assert f"{expected.flat['dice/image']:.4f}" in printed and "Once a class was predicted" in printed
    with (tmp_path / "out/per_image.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["0", "1", "2"]
    assert main(["metrics", *folders, *options]) == 2
    assert "metrics.json: is there already" in capsys.readouterr().err
    assert main(["metrics", *folders, *options, "--overwrite", "--as=nnunet"]) == 0


def test_centrelines_are_scored_where_asked_for(folders, tmp_path, capsys) -> None:
    options = ["--classes", "ground,cell", "--output", str(tmp_path / "out"), "--cldice"]
    assert main(["metrics", *folders, *options]) == 0
    scores = json.loads((tmp_path / "out/metrics.json").read_text())["scores"]
    assert scores["cldice/image/cell"] == evaluate(FOUND, TRUE, CLASSES, cldice=True).flat["cldice/image/cell"]
    assert "cldice/image" not in evaluate(FOUND, TRUE, CLASSES).flat
    assert main(["metrics", *folders, *options[:2], "--cldice", "--as=monai"]) == 2
    assert "--as segapp only" in capsys.readouterr().err


def test_tools_differ_and_say_why(folders, tmp_path, capsys) -> None:
    values = {}
    for tool in ("nnunet", "monai"):
        options = ["--as", tool, "--classes", "ground,cell", "--background", "ground", "--output", str(tmp_path / tool)]
        assert main(["metrics", *folders, *options]) == 0
        results = json.loads((tmp_path / tool / "metrics.json").read_text())
        values[tool] = results["scores"]["Dice"]
        printed = capsys.readouterr().out
        assert all(sentence in printed for sentence in results["explanation"]) and "segapp's rules" in printed
        assert f"{values[tool]:.4f}" in printed
    assert values["nnunet"] == pytest.approx(values["monai"] * 2 / 3)  # false positives in an empty third image
    with (tmp_path / "nnunet/per_image.csv").open() as file:
        assert next(csv.DictReader(file)).keys() >= {"name", "Dice", "tp/cell", "IoU/cell"}


def test_a_data_section_says_what_the_true_masks_hold(tmp_path, capsys) -> None:
    section = tmp_path / "data.yaml"
    section.write_text(
        f"source:\n  class_path: segapp.datasets.Folder\n  init_args:\n    root: {tmp_path}\n"
        "    classes: [ground, cell]\n"
        "    mask:\n      class_path: segapp.datasets.Indices\n      init_args: {values: {0: 0, 255: 1}}\n"
    )
    words = ["--predictions", save(tmp_path / "found", FOUND), "--truth", save(tmp_path / "true", TRUE, 255)]
    assert main(["metrics", *words, "--data", str(section), "--as", "mmseg"]) == 0
    printed = capsys.readouterr().out
    assert (
        main(["metrics", *words[:2], "--truth", save(tmp_path / "plain", TRUE), "--classes=ground,cell", "--as=mmseg"])
        == 0
    )
    assert capsys.readouterr().out.splitlines()[1:6] == printed.splitlines()[1:6]
    partial = tmp_path / "partial.yaml"
    partial.write_text(section.read_text() + "    looked_for: [cell]\n")
    assert main(["metrics", *words, "--data", str(partial)]) == 2
    assert "looked_for" in capsys.readouterr().err
    same = ["--predictions", words[3], "--truth", words[3], "--data", str(section), "--prediction_data", str(section)]
    assert main(["metrics", *same, "--as", "camvid"]) == 0
    assert "1.0000" in capsys.readouterr().out


BAD = {
    "no classes": (["--classes", ""], "--classes"),
    "unknown tool": (["--as", "photoshop"], "as: expected segapp | nnunet"),
    "unknown value": (["--classes", "cell,ground=7"], "png"),
    "both": (["--data", "x.yaml"], "--data"),
    "only predictions described": (["--prediction_data", "x.yaml"], "--data"),
    "background": (["--background", "sky"], "sky"),
    "no spacing": (["--spacing", "0.5 mm"], "--spacing"),
    "a spacing of nothing": (["--spacing", "0,1"], "spacing"),
    "a tolerance without boundaries": (["--tolerance", "1", "--as", "nnunet"], "--tolerance"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_options_are_refused(case, folders, capsys) -> None:
    options, word = BAD[case]
    assert main(["metrics", *folders, "--classes", "ground,cell", *options]) == 2
    error = capsys.readouterr().err
    assert word in error and "Traceback" not in error and len(error.splitlines()) == 1


def test_masks_that_cannot_be_compared_are_named(tmp_path, capsys) -> None:
    ignored = [np.where(mask == 1, 255, mask) for mask in TRUE]
    true = save(tmp_path / "true", TRUE)
    for name, masks, words in (
        ("sizes", [mask[1:] for mask in TRUE], ["sizes/0.png: 5 x 5", "true/0.png has 6 x 5"]),
        ("fewer", TRUE[:2], ["fewer: has no file 2"]),
        ("undecided", ignored, ["undecided/0.png", "ignored"]),
        ("values", [mask * 9 for mask in TRUE], ["values/0.png", "hold 9"]),
    ):
        assert main(["metrics", "--predictions", save(tmp_path / name, masks), "--truth", true, "--classes=a,b"]) == 2
        error = capsys.readouterr().err
        assert all(word in error for word in words), error
    (tmp_path / "fewer/2.png").write_bytes(b"\x89PNG damaged")
    assert main(["metrics", "--predictions", str(tmp_path / "fewer"), "--truth", true, "--classes=a,b"]) == 1
    assert "fewer/2.png" in capsys.readouterr().err
