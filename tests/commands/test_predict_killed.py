"""`segapp predict` over a large folder, killed again and again: it ends as if nothing had happened."""

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segapp.io import write_image
from segapp.prediction.manifest import Manifest
from tests.inference.checkpoints import make_spec, write_checkpoint

FILES, KILLS = 1000, 3
ROOT = Path(__file__).parents[2]


def started(place: Path, output: str) -> subprocess.Popen:
    words = ["predict", "--ckpt_path", str(place / "best.ckpt"), "--images", str(place / "images")]
    words += ["--output", str(place / output), "--device", "cpu", "--allow", "tests.inference.checkpoints"]
    return subprocess.Popen([sys.executable, "-m", "segapp", *words], cwd=ROOT, stdout=subprocess.DEVNULL)


def killed(place: Path, after: int, moment: float) -> None:
    """A run that dies by SIGKILL once so many bytes are in its manifest, and a moment later."""
    process, manifest = started(place, "killed"), place / "killed" / "manifest.csv"
    while process.poll() is None and not (manifest.exists() and manifest.stat().st_size >= after):
        time.sleep(0.001)
    time.sleep(moment)
    process.kill()
    assert process.wait() == -9


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a person's, the manifest left out: it holds the times."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(("manifest", ".")))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_a_thousand_files_killed_three_times_at_random_moments_end_as_undisturbed(tmp_path):
    write_checkpoint(tmp_path / "best.ckpt", make_spec(window=(16, 16)))
    pixels = np.random.default_rng(0).integers(0, 256, (FILES, 16, 16, 3), np.uint8)
    for index in range(FILES):
        write_image(tmp_path / "images" / f"{index % 7}" / f"{index:04}.png", pixels[index])
    assert started(tmp_path, "undisturbed").wait() == 0
    size = (tmp_path / "undisturbed" / "manifest.csv").stat().st_size
    chance = random.Random(0)
    for part in sorted(chance.uniform(0.02, 0.95) for _ in range(KILLS)):
        killed(tmp_path, int(part * size), chance.uniform(0, 0.02))
    assert 0 < len(content(tmp_path / "killed")) < FILES
    assert started(tmp_path, "killed").wait() == 0
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")
    assert len(content(tmp_path / "killed")) == FILES + 2  # per_image.csv, classes.json
    one, other = (Manifest(tmp_path / name).rows for name in ("killed", "undisturbed"))
    assert {name: replace(row, time_ns=0) for name, row in one.items()} == {
        name: replace(row, time_ns=0) for name, row in other.items()
    }
    assert {row.status for row in one.values()} == {"done"}
