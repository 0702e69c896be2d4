"""The page on whole slides: its commands check, plan, train, test and predict, at the µm per pixel it chooses."""

import json
import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import yaml

from segapp.checkpoints.checkpoint import read_checkpoint
from segapp.cli import main
from segapp.io import read_raw
from segapp.planning.sizes import PIXELS_PER_STEP
from tests.datasets.annotations.samples import write_json
from tests.io.slides import make_levels, write_svs

PAGE = (Path(__file__).parents[1] / "docs" / "slides.md").read_text()
SHORT = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.val_check_interval=1"]
HEIGHT, WIDTH = 520, 660


def write_slide(root: Path, name: str, um: float, seed: int) -> None:
    """Write a slide of three levels with bright discs, and the discs as QuPath exports them."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    features = []
    for _ in range(40):
        centre, radius = rng.integers(30, [WIDTH - 30, HEIGHT - 30]), int(rng.integers(12, 28))
        cv2.circle(pixels, centre.tolist(), radius, (200, 180, 220), -1)
        angles = np.linspace(0, 2 * np.pi, 33)
        ring = centre + 0.5 + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        ring[-1] = ring[0]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring.tolist()]},
                "properties": {"objectType": "annotation", "classification": {"name": "tumor"}},
            }
        )
    (root / "slides").mkdir(exist_ok=True)
    write_svs(root / f"slides/{name}.svs", make_levels(pixels, [1, 2, 4] if um == 0.25 else [1, 4]), um)
    write_json(root / f"geojson/{name}.geojson", {"type": "FeatureCollection", "features": features})


@pytest.mark.slow
def test_the_commands_of_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    monkeypatch.setitem(PIXELS_PER_STEP, "cpu", 2 * 128**2)
    for number, name in enumerate("abcd"):
        write_slide(tmp_path, name, 0.25, number)
    write_slide(tmp_path, "e", 0.5, 4)
    (section,), (block,) = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("yaml", "sh"))
    (tmp_path / "slides.yaml").write_text(section)
    for line in block.splitlines():
        words = shlex.split(line)[1:]
        assert main([*words, *(SHORT if words[0] == "fit" else [])]) == 0, capsys.readouterr().err
    (checkpoint,) = tmp_path.glob("runs/mine/2*/checkpoints/best.ckpt")
    assert read_checkpoint(str(checkpoint))["segapp"]["spec"]["resolution"] == {"level": None, "um_per_pixel": 0.5}
    for name, size in (("a", (HEIGHT // 2, WIDTH // 2)), ("e", (HEIGHT, WIDTH))):
        assert read_raw(tmp_path / f"found/mask/{name}.tif").shape == size
        found = json.loads((tmp_path / f"found/contours/{name}.geojson").read_text())["features"]
        points = np.array([point for one in found for point in one["geometry"]["coordinates"][0]]).reshape(-1, 2)
        assert (points % (HEIGHT // size[0]) == 0).all() and (points <= (WIDTH, HEIGHT)).all()


@pytest.mark.slow
def test_a_level_and_its_um_per_pixel_train_and_predict_alike(tmp_path, monkeypatch, capsys):
    """After three steps the probabilities of every slide are the same to the last bit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGAPP_RUN_FOLDER", raising=False)
    for number, name in enumerate("abc"):
        write_slide(tmp_path, name, 0.25, number)
    (section,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    source = yaml.safe_load(section)["source"]
    probabilities = []
    for name, resolution in (("level", {"level": 1}), ("um", {"um_per_pixel": 0.5})):
        source["init_args"] |= {"resolution": resolution, "split": None}
        net = {"encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4, 8]}}}
        config = {
            "name": name,
            "seed_everything": 1,
            "data": {"source": source, "crop": [64, 64], "batch_size": 2, "num_workers": 0, "window": [128, 128]},
            "model": {
                "net": {"class_path": "segapp.models.UNet", "init_args": net},
                "loss": {"class_path": "segapp.losses.DiceCrossEntropy"},
                "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.01}},
            },
            "trainer": {"max_steps": 3, "accelerator": "cpu"},
        }
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))
        assert main(["fit", "--config", f"{name}.yaml"]) == 0, capsys.readouterr().err
        (checkpoint,) = tmp_path.glob(f"runs/{name}/2*/checkpoints/last.ckpt")
        words = ["predict", "--ckpt_path", str(checkpoint), "--images", "slides", "--output", f"found/{name}"]
        assert main([*words, "--save", "probability"]) == 0, capsys.readouterr().err
        probabilities.append([np.load(path) for path in sorted((tmp_path / f"found/{name}/probability").glob("*.npy"))])
    assert len(probabilities[0]) == 3
    for first, second in zip(*probabilities, strict=True):
        assert first.shape[1:] == (HEIGHT // 2, WIDTH // 2)
        np.testing.assert_array_equal(first, second)


def test_a_slide_of_the_page_is_one_of_several_levels(tmp_path):
    write_slide(tmp_path, "a", 0.25, 0)
    with tifffile.TiffFile(tmp_path / "slides/a.svs") as file:
        assert file.is_svs and len(file.series[0].levels) == 3
