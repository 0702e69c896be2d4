"""The guides to kinds of data: every command does what it says, and every message is one of segapp's."""

import ast
import json
import re
import shlex
from collections.abc import Callable
from functools import cache
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pydicom
import pytest
import yaml
import zarr

from segapp.cli import main
from segapp.io import read_raw
from segapp.planning.sizes import PIXELS_PER_STEP
from segapp.planning.source import build_planned_source, describe_source, list_items
from tests import kinds
from tests.checking.conftest import no_figures  # noqa: F401 - a fixture
from tests.kinds import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, WRITE

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INDEX = (DOCS / "kinds.md").read_text()
PAGES = re.findall(r"^\| .* \| \[.*\]\((.+\.md)\) \|$", INDEX, re.MULTILINE)
ELSEWHERE = {"slides.md", "geotiff-vectors.md", "large-scene.md"}
"""Pages of which tests/test_slides.py, … run the commands: their data is larger."""
STEPS = ["check", "plan", "fit", "test", "predict"]
SHORT = [
    "--trainer.max_steps=1",
    "--trainer.limit_val_batches=1",
    "--trainer.val_check_interval=1",
    "--data.num_workers=0",
]


def read_page(name: str) -> str:
    return (DOCS / name).read_text()


def list_steps(page: str) -> list[str]:
    """Return the five commands that a page begins with."""
    blocks = re.findall(r"```sh\n(.*?)```", read_page(page), re.DOTALL)
    (block,) = (block for block in blocks if "segapp check" in block)
    return block.splitlines()


def list_checks() -> dict[str, str]:
    """Return every other `check` of the pages, with its page."""
    found = {}
    for page in PAGES:
        checks = re.findall(r"`(segapp check --images [^`]*)`", read_page(page)) if page not in ELSEWHERE else []
        found |= {check: page for check in checks if check != list_steps(page)[0]}
    return found


def find_data(command: str) -> str:
    """Return the images of a command, or its data section."""
    return shlex.split(command)[3]


@cache
def read_messages() -> str:
    """Return all text in segapp's code, with … in place of what is filled in."""
    texts = []
    for path in (ROOT / "segapp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                texts.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(texts)


def test_every_data_set_is_checked_by_a_page():
    chains = [find_data(list_steps(page)[0]) for page in PAGES if page not in ELSEWHERE]
    assert sorted([*chains, *map(find_data, list_checks())]) == sorted(WRITE)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_answers_in_the_same_order(page):
    text = read_page(page)
    assert text.startswith("# I have ")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[:4] == ["Arrange the files", "Run it", "Open what comes back", "Fix what goes wrong"]
    assert [line.split()[1] for line in list_steps(page)] == STEPS
    beginning = text[: text.index("## Run it")]
    assert "pip install -c" in beginning or "has to be installed" in beginning


@pytest.mark.parametrize("page", PAGES)
def test_messages_of_a_page_are_those_of_segapp(page):
    section = read_page(page).split("## Fix what goes wrong\n\n| message |")[1].split("\n\n")[0]
    messages = re.findall(r"^\| (.+?) \| ", section.split("|---|---|\n")[1], re.MULTILINE)
    assert messages
    known = read_messages()
    for message in messages:
        for part in message.split("…"):
            assert part.strip(" |`") in known, part


def check_masks(size: int) -> None:
    """Check that every mask of the data section shows the box."""
    items = list_items(build_planned_source(describe_source("", "", "check/data.yaml", "")))
    assert len(items) in (size, 3 * size)
    masks = [item.mask.read() for item in items]
    inside = np.s_[TOP + 1 : BOTTOM - 1, LEFT + 1 : RIGHT - 1]
    assert all(mask.shape == (HEIGHT, WIDTH) and (mask[inside] > 0).all() for mask in masks)
    assert all(mask[BOTTOM + 1 :].max() == 0 for mask in masks)


def verify_folders() -> None:
    assert read_raw(Path("found/mask/a.png")).shape == (HEIGHT, WIDTH) and Path("found/overlay/a.png").exists()


def verify_volumes() -> None:
    image, mask = (nibabel.load(path) for path in ("hippocampus/imagesTs/z.nii.gz", "found/mask/z.nii.gz"))
    assert mask.shape == image.shape and mask.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(mask.affine, image.affine)
    run = Path("runs/mine/latest")
    assert len((run / "test-1/per_volume.csv").read_text().splitlines()) == 7
    assert main(["test", f"--ckpt_path={run}/checkpoints/best.ckpt", "--tolerance=2.5mm"]) == 0
    measured = [json.loads((run / name / "metrics.json").read_text()) for name in ("test-1", "test-2")]
    assert "boundaries" not in measured[0] and measured[1]["boundaries"] == {"tolerance": 2.5, "unit": "mm"}
    assert measured[0]["scores"]["dice/dataset"] == measured[1]["scores"]["dice/dataset"]


def verify_dicom() -> None:
    assert pydicom.dcmread("found/mask/a.dcm").Modality == "SEG"


def verify_microscopy() -> None:
    group = zarr.open_group("found/mask/a.zarr", mode="r")
    assert group["0"].shape == (HEIGHT, WIDTH) and group.attrs["multiscales"]


def verify_arrays() -> None:
    with h5py.File("found/mask/a.h5") as file:
        assert file["image"].shape == (HEIGHT, WIDTH) and file["image"].dtype == np.uint8


VERIFY: dict[str, Callable[[], None]] = {
    "folders.md": verify_folders,
    "volumes.md": verify_volumes,
    "dicom.md": verify_dicom,
    "microscopy.md": verify_microscopy,
    "arrays.md": verify_arrays,
}
PLANNED = {"annotations.md": "segapp.datasets.Folder", "several-sources.md": "segapp.datasets.Joined"}
"""Pages whose further commands are those of images in folders, and the source that `plan` writes."""


@pytest.mark.slow
@pytest.mark.usefixtures("no_figures", "without_curves")
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # one step on two images is not what torch would advise
@pytest.mark.parametrize("page", [*VERIFY, *PLANNED])
def test_the_commands_of_a_page(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 32**2)
    monkeypatch.setattr("segapp.planning.candidates.MIN_CROP", 32)
    monkeypatch.setattr(kinds, "NAMES", [*"abcdefghijklmnopqrstuvwxyz0123"])  # of 30 some are kept for the test
    commands = list_steps(page)
    WRITE[find_data(commands[0])]()
    for section in re.findall(r"```yaml\n(source:.*?)```", read_page(page), re.DOTALL):
        Path("sources.yaml").write_text(section)
    for command in commands[: 2 if page in PLANNED else None]:
        words = shlex.split(command)[1:]
        assert main([*words, *(SHORT if words[0] == "fit" else [])]) == 0, capsys.readouterr().err
        if words[:2] == ["check", "--images"]:
            check_masks(30)
    if page in VERIFY:
        VERIFY[page]()
    else:
        assert yaml.safe_load(Path("mine.yaml").read_text())["data"]["source"]["class_path"] == PLANNED[page]


@pytest.mark.parametrize("page", PLANNED)
def test_other_commands_of_a_page_are_those_for_folders(page):
    *steps, predict = list_steps(page)[2:]
    *others, other_predict = list_steps("folders.md")[2:]
    assert steps == others and predict.split(" --images ")[0] == other_predict.split(" --images ")[0]
