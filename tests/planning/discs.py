"""A folder of bright discs, and a plan for it."""

from pathlib import Path

import cv2
import numpy as np

from segapp.cli import main


def write_discs(root: Path) -> Path:
    """Write ten grey images of 96 x 96 pixels with bright discs to `photos`, and masks of 0 and 255 to `labels`."""
    rng = np.random.default_rng(0)
    for folder in ("photos", "labels"):
        (root / folder).mkdir()
    for _ in range(10):
        mask = np.zeros((96, 96), np.uint8)
        for _ in range(5):
            cv2.circle(mask, rng.integers(10, 86, 2).tolist(), int(rng.integers(5, 12)), 255, -1)
        image = mask // 2 + rng.integers(0, 60, mask.shape, dtype=np.uint8)
        name = f"{rng.integers(10**6)}.png"
        cv2.imwrite(str(root / "photos" / name), image)
        cv2.imwrite(str(root / "labels" / name), mask)
    return root


def plan(folder: Path, *options: str) -> int:
    """Run `segapp plan` on the folder; the plan is `mine.yaml` in it."""
    words = ["--images", folder / "photos", "--masks", folder / "labels", "--output", folder / "mine.yaml"]
    return main(["plan", *map(str, words), *options])
