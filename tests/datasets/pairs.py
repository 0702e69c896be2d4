"""Pairs of small images and masks, and what is found wrong with a data set."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.datasets import Problem
from tests.datasets.look_alikes import save

GREY = np.zeros((8, 9), np.uint8)


MASK = np.eye(8, 9, dtype=np.uint8)


def write_pairs(root: Path, names: Sequence[str]) -> None:
    for name in names:
        save(root / f"images/{name}.png", GREY)
        save(root / f"masks/{name}.png", MASK)


def kinds(found: Sequence[Problem]) -> list[str]:
    return sorted(problem.kind for problem in found)
