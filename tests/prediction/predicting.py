"""Folders of images, and a network that predicts them."""

import csv

import cv2
import numpy as np
import PIL.Image
import tifffile

from segapp.commands.predict import predict
from tests.inference.checkpoints import write_checkpoint

ALLOWED = ["tests.inference.checkpoints"]


def make_run(tmp_path):
    """Return what predicts with a network that finds bright pixels, from `images` to `out`."""
    checkpoint = write_checkpoint(tmp_path / "best.ckpt")
    (tmp_path / "images").mkdir()

    def run(save=("mask",), **options):
        settings = {"ckpt_path": str(checkpoint), "images": str(tmp_path / "images"), "output": str(tmp_path / "out")}
        return predict(**(settings | {"save": list(save), "device": "cpu", "allow": ALLOWED} | options))

    return run


def scene(height, width, seed=0):
    """(H, W, 3) uint8 with bright discs, and where they are."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((height, width), np.uint8)
    for _ in range(5):
        centre = int(rng.integers(0, width)), int(rng.integers(0, height))
        cv2.circle(truth, centre, int(rng.integers(2, 3 + min(height, width) // 4)), 1, -1)
    pixels = np.where(truth[..., None] == 1, 220, 30) + rng.integers(-20, 20, (height, width, 3))
    return pixels.astype(np.uint8), truth


def put(folder, name, pixels):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    else:
        PIL.Image.fromarray(pixels).save(path, quality=95)


TABLES = {"manifest.csv", "per_image.csv", "classes.json"}


def files(folder):
    """Everything in it but the tables that every run writes."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name not in TABLES)


def table(folder):
    with (folder / "per_image.csv").open(newline="") as file:
        return list(csv.DictReader(file))
