"""Small images with annotation files beside them, and the masks painted from these."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segapp.datasets import Contiguous, Encoding, Folder
from segapp.datasets.annotations.annotations import Annotations
from tests.datasets.look_alikes import save

CLASSES = ("background", "cat", "dog")


def write_image(root: Path, name: str = "a.png", height: int = 6, width: int = 8) -> Path:
    """Write a black image under root/images and return its path."""
    path = root / "images" / name
    save(path, np.zeros((height, width), np.uint8))
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write a JSON file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def read_masks(
    root: Path, mask: Encoding, masks: str, classes: Sequence[str] = CLASSES, **settings: Any
) -> dict[str, np.ndarray]:
    """Return the masks of all images by their names."""
    source = Folder(root, classes, masks=masks, mask=mask, split=Contiguous(val=0), **settings)
    return {item.name: item.mask.read() for item in source.select(source.item_names()) if item.mask is not None}


def list_problems(root: Path, mask: Encoding, masks: str, **settings: Any) -> list[tuple[str, str, str]]:
    """Return kind, severity and message of everything that is wrong."""
    source = Folder(root, CLASSES, masks=masks, mask=mask, split=Contiguous(val=0), **settings)
    return [
        (problem.kind, problem.severity, problem.message) for problem in source.problems() if problem.kind != "split"
    ]


def count_shapes(encoding: Annotations, path: Path) -> list[tuple[str, list[str]]]:
    """Return the names of images and of their shapes."""
    return [(entry.name, [shape.label for shape in entry.shapes]) for entry in encoding.parse(path)]


def draw(rows: str) -> list[list[int]]:
    """Return a mask from rows of digits."""
    return [[int(digit) for digit in row] for row in rows.split()]
