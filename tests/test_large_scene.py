"""The page on one large scene: its commands plan, train, test and predict."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import yaml

from segapp.cli import main
from segapp.datasets import Blocks
from segapp.io import read_raw
from segapp.planning.sizes import PIXELS_PER_STEP

PAGE = (Path(__file__).parents[1] / "docs" / "large-scene.md").read_text()
SHORT = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.val_check_interval=1"]
"""One step and a validation, however many steps the plan of this machine has between validations."""


def write_scene(root: Path) -> None:
    """Write an image of 600 x 800 pixels with bright discs, and its mask."""
    rng = np.random.default_rng(0)
    mask = np.zeros((600, 800), np.uint8)
    for _ in range(90):
        cv2.circle(mask, rng.integers(0, [800, 600]).tolist(), int(rng.integers(8, 25)), 1, -1)
    for folder in ("scene", "truth"):
        (root / folder).mkdir()
    image = mask * 120 + rng.integers(0, 60, mask.shape, dtype=np.uint8)
    tifffile.imwrite(root / "scene/a.tif", image, tile=(128, 128))
    tifffile.imwrite(root / "truth/a.tif", mask, compression="zlib")


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    write_scene(tmp_path)
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        assert main([*words, *(SHORT if words[0] == "fit" else [])]) == 0, capsys.readouterr().err
    split = yaml.safe_load((tmp_path / "mine.yaml").read_text())["data"]["source"]["init_args"]["split"]
    assert split["class_path"] == "segapp.datasets.Blocks" and split["init_args"]["size"] == 256
    (scores,) = tmp_path.glob("runs/mine/2*/test-1/per_image.csv")
    assert len(re.findall(r"^a@r\dc\d,", scores.read_text(), re.MULTILINE)) == 2
    assert read_raw(tmp_path / "masks/mask/a.tif").shape == (600, 800)


def test_the_split_of_the_page_is_one():
    (section,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    split = yaml.safe_load(section)["split"]
    assert split["class_path"] == "segapp.datasets.Blocks"
    assert Blocks(**split["init_args"]).blocks.size == 1024
