"""Every command of the README and the guides does what it says, on images small enough to wait for."""

import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segapp.cli import main
from segapp.io import read_raw, write_image, write_mask

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SMALL = [
    "--trainer.max_epochs",
    "1",
    "--trainer.limit_train_batches",
    "1",
    "--data.crop",
    "32",
    "--data.batch_size",
    "2",
]
SMALL_CELLS = [f"--data.source.init_args.{name}={value}" for name, value in (("size", 48), ("train", 4), ("val", 2))]

NARROW = ["--model.net.init_args.encoder.init_args.widths", "[8, 8, 16, 16]"]
"""As many levels as configs/unet.yaml has."""

ELSEWHERE = set(re.findall(r"\(([^()]+\.md)\) \|$", (ROOT / "docs" / "kinds.md").read_text(), re.MULTILINE))
"""Pages whose commands need data of a kind: tests/test_kinds.py, test_large_scene.py, …"""

INSTALL = "pip install -c constraints.txt -e '.[pretrained]'"
"""What `dev` holds, so .ci/run has done it."""


def commands(page: Path) -> list[str]:
    """The lines of a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A newcomer's folder: the configs, images and masks of their own, and photos to segment."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    generator = np.random.default_rng(0)
    for index in range(30):  # so many that `plan` keeps some for the test
        mask = np.zeros((40, 50), np.uint8)
        y, x = generator.integers(2, 20, 2)
        mask[y : y + 15, x : x + 20] = 1
        image = (mask[..., None] * 120 + generator.integers(0, 90, (40, 50, 3))).astype(np.uint8)
        write_image(tmp_path / "data" / "mine" / "images" / f"{index}.png", image)
        write_mask(tmp_path / "data" / "mine" / "masks" / f"{index}.png", mask, [(0, 0, 0), (255, 0, 0)])
        if index < 10:
            write_image(tmp_path / "photos" / "day one" / f"{index}.png", image)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str, folder: Path) -> int:
    """Run one line as printed, made small; several processes need one of their own to start from."""
    program, *words = shlex.split(command)
    assert program == "segapp", command
    for name in re.findall(r"runs/(\w+)/<time>", command):
        (newest,) = folder.glob(f"runs/{name}/2*/")
        words = [word.replace(f"runs/{name}/<time>", str(newest.relative_to(folder))) for word in words]
    if words[0] == "plan":
        words = [re.sub(r"^\d+m$", "60s", word) for word in words]
    if words == ["fit", "--config", "mine.yaml"]:
        words += ["--trainer.val_check_interval", "1"]
    if words[0] == "fit" and "--ckpt_path" not in words:
        of_cells = "configs/unet.yaml" in words
        words += SMALL + (SMALL_CELLS if of_cells and "--data" not in words else [])
        words += NARROW if of_cells and "--model" not in words else []
    if words[0] == "landscape":
        words += ["--points", "3", "--samples", "2", "--seeds", "2"]
    if "--trainer.devices" in words:
        return subprocess.run([sys.executable, "-m", "segapp", *words], cwd=folder, timeout=300).returncode
    return main(words)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # one batch of two images is not what torch would advise
@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page) and page.name not in ELSEWHERE], ids=lambda page: page.name
)
def test_every_command_of_a_page_runs(page, workplace):
    for line in commands(page):
        setup, _, command = line.rpartition(" && ")
        if setup:  # `pip install` is what .ci/run has done
            assert setup == INSTALL or command.startswith("pytest")
        if not command.startswith("pytest") and command != INSTALL:
            assert run(command, workplace) == 0, command
    if page.name == "README.md":
        masks = sorted((workplace / "masks" / "mask").rglob("*.png"))
        assert [str(path.relative_to(workplace / "masks" / "mask")) for path in masks] == [
            f"day one/{index}.png" for index in range(10)
        ]
        assert read_raw(masks[0]).shape == (40, 50)


def test_ci_installs_as_the_readme_says():
    assert "pip install" in (ROOT / ".ci" / "run").read_text()
    lines = commands(ROOT / "README.md")
    assert lines[0] == f"{INSTALL} && segapp fit --config configs/unet.yaml"
    assert lines[-1] == "pip install -c constraints.txt -e '.[dev]' && pytest -n auto"


def find_anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text()):
            linked = page.parent / target if target else page
            assert linked.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in find_anchors(linked), f"{page.name} links to {target}#{anchor}"


@pytest.mark.slow
@pytest.mark.first
def test_the_main_job_reaches_its_dice(tmp_path, monkeypatch):
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--config", "configs/unet.yaml", "--trainer.max_epochs", "4"]) == 0  # a third of its epochs
    (table,) = tmp_path.glob("runs/unet/2*/metrics.csv")
    with table.open(newline="") as file:
        dice = [float(row["val/dice/dataset/cell"]) for row in csv.DictReader(file)]
    assert max(dice) >= 0.90
