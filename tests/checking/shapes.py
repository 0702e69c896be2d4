"""A folder of images with bright rectangles at random places, and their masks."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from segapp.cli import main

COUNT = 12
SOURCE = {
    "class_path": "segapp.datasets.Folder",
    "init_args": {
        "root": "data",
        "classes": ["ground", "block"],
        "mask": {"class_path": "segapp.datasets.Indices", "init_args": {"values": {0: 0, 255: 1}}},
        "split": {"class_path": "segapp.datasets.Fraction", "init_args": {"val": 0.25, "test": 0.25}},
    },
}


def check(*options: str) -> tuple[int, list[dict[str, Any]]]:
    """Run `segapp check` on `mine.yaml`; return its exit code and the problems of `check.json`."""
    code = main(["check", "--data", "mine.yaml", *options])
    return code, json.loads(Path("check/check.json").read_text())["problems"]


def draw(seed: int, size: tuple[int, int] = (80, 96)) -> tuple[np.ndarray, np.ndarray]:
    """Return an image (H, W, 3) uint8 and its mask of 0 and 255, with four objects of different brightness."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    image = rng.normal(60, 8, (*size, 3))
    for _ in range(4):
        y, x = (int(rng.integers(4, side - 26)) for side in size)
        h, w = (int(rng.integers(8, 22)) for _ in range(2))
        mask[y : y + h, x : x + w] = 255
        image[y : y + h, x : x + w] += rng.uniform(60, 110, 3)
    return np.clip(image, 0, 255).astype(np.uint8), mask


def write_set(root: Path, count: int = COUNT) -> Path:
    """Write `images/NN.png` and `masks/NN.png`."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, mask = draw(number)
        cv2.imwrite(str(root / f"images/{number:02}.png"), image)
        cv2.imwrite(str(root / f"masks/{number:02}.png"), mask)
    return root
