"""`segapp check` on folders: its files, the section it proposes, and what it refuses."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import yaml

from segapp.cli import main
from segapp.io import write_image
from tests.checking.conftest import clean, folder, no_figures  # noqa: F401 - fixtures
from tests.inference.checkpoints import THRESHOLD, make_spec, write_checkpoint

FOLDERS = ["--images", "data/images", "--masks", "data/masks"]
UNET = Path(__file__).resolve().parents[2] / "configs" / "unet.yaml"


def test_folders_are_checked_and_get_a_section(folder, request):  # noqa: F811
    assert main(["check", *FOLDERS, "--output", "out"]) == 0
    init = yaml.safe_load(Path("out/data.yaml").read_text())["source"]["init_args"]
    assert init["mask"]["init_args"]["values"] == {0: 0, 255: 1}
    assert init["split"]["class_path"] == "segapp.datasets.Fraction"
    assert "Check: data/images" in Path("out/check.html").read_text()
    request.getfixturevalue("no_figures")
    assert main(["check", *FOLDERS, "--output", "out"]) == 2  # nothing is replaced unasked
    assert main(["check", "--data", "out/data.yaml", "--output", "again"]) == 0


@pytest.mark.slow
def test_the_section_that_is_proposed_trains(folder):  # noqa: F811
    assert main(["check", *FOLDERS]) == 0
    short = ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.accelerator", "cpu"]
    assert main(["fit", "--config", str(UNET), "--data", "check/data.yaml", "--data.crop", "[64, 64]", *short]) == 0


@pytest.mark.parametrize(
    "words",
    [[], ["--data", "none.yaml"], ["--images", "a", "--masks", "b"], ["--images", "a"], [*FOLDERS, "--data", "x"]],
)
def test_what_is_not_there_is_reported_in_one_sentence(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check", *words]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not list(tmp_path.glob("check/*"))


@pytest.mark.usefixtures("no_figures")
def test_problems_are_printed_errors_first(folder, capsys):  # noqa: F811
    (folder / "masks/03.png").unlink()
    (folder / "images/05.png").write_bytes(b"")
    assert main(["check", "--data", "mine.yaml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("error") and "03" in lines[0]
    assert any(line.startswith("2 errors") for line in lines)
    init = yaml.safe_load(Path("check/data.yaml").read_text())["source"]["init_args"]
    assert init["exclude"] == ["05"]  # what is not read does not end a training with the proposed section


@pytest.mark.usefixtures("no_figures")
def test_images_that_the_proposed_section_leaves_out_are_reported(folder, capsys):  # noqa: F811
    (folder / "images/05.png").unlink()
    tifffile.imwrite("data/images/05.tif", np.zeros((80, 96, 5), np.uint8), planarconfig="contig")
    assert main(["check", *FOLDERS]) == 0
    out = capsys.readouterr().out
    assert "warning  Left out, 1 of 12: 05 has 5 channels, 11 images have 3. Correct" in out and "1 warning\n" in out


@pytest.mark.usefixtures("no_figures")
def test_masks_that_a_network_contradicts_are_ranked(folder, tmp_path, capsys):  # noqa: F811
    classes = make_spec(classes=("ground", "block"), window=(64, 64))
    checkpoint = str(write_checkpoint(tmp_path / "net.ckpt", classes, level=0.35))
    network = ["--ckpt_path", checkpoint, "--allow", THRESHOLD]
    mask = cv2.imread("data/masks/04.png", cv2.IMREAD_UNCHANGED)
    cv2.imwrite("data/masks/04.png", mask[::-1])
    main(["check", *FOLDERS, *network, "--output", "out"])
    assert "04: " in next(line for line in capsys.readouterr().out.splitlines() if line.startswith("look at"))
    ranking = json.loads(Path("out/check.json").read_text())["contradictions"]
    assert len(ranking) == 12 and ranking[0]["image"] == "04"
    assert "contradicts" in Path("out/check.html").read_text()
    init = yaml.safe_load(Path("out/data.yaml").read_text())["source"]["init_args"]
    assert init["classes"] == ["ground", "block"]  # those of the network
    capsys.readouterr()
    assert main(["check", *FOLDERS, *network, "--classes", "a,b", "--output", "other"]) == 2
    assert "ground, block" in capsys.readouterr().err
    assert not list(Path("other").glob("*"))


def test_a_folder_of_the_default_name_that_is_a_link_is_not_written_to(folder, tmp_path, capsys):  # noqa: F811
    (tmp_path.parent / "home").mkdir(exist_ok=True)
    Path("check").symlink_to(tmp_path.parent / "home")
    assert main(["check", *FOLDERS]) == 2
    assert "check: a link" in capsys.readouterr().err and not list((tmp_path.parent / "home").iterdir())


@pytest.mark.usefixtures("no_figures")
def test_a_name_that_is_no_utf8_is_reported(folder):  # noqa: F811
    Path("data/images").joinpath(os.fsdecode(b"a\xff.png")).write_bytes(b"")
    assert main(["check", "--data", "mine.yaml"]) == 1
    problems = json.loads(Path("check/check.json").read_text())["problems"]
    assert any("\udcff" in (one["path"] or "") for one in problems)


@pytest.mark.usefixtures("no_figures")
def test_annotations_get_a_section_and_those_of_no_tool_a_message(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in "abcd":
        write_image(tmp_path / "images" / f"{name}.png", np.full((24, 24), ord(name), np.uint8))
    shape = {"category_id": 1, "segmentation": [[3, 3, 15, 3, 15, 15]]}
    content = {
        "images": [{"id": n, "file_name": f"{name}.png", "height": 24, "width": 24} for n, name in enumerate("abcd")],
        "categories": [{"id": 1, "name": "leaf"}],
        "annotations": [{"image_id": n, **shape} for n in range(4)],
    }
    folders = ["--images", "images", "--masks", "annotations.json"]
    Path("annotations.json").write_text(json.dumps(content))
    main(["check", *folders, "--output", "out"])
    init = yaml.safe_load(Path("out/data.yaml").read_text())["source"]["init_args"]
    assert (init["masks"], init["classes"]) == ("annotations.json", ["background", "leaf"])
    assert init["mask"] == {"class_path": "segapp.datasets.Coco"}
    Path("annotations.json").write_text("{}")
    capsys.readouterr()
    assert main(["check", *folders, "--output", "new"]) == 2
    assert "annotations.json" in capsys.readouterr().err
