"""Folders of images and masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segapp.datasets import Contiguous, Folder
from segapp.datasets.masks.encoded_mask import EncodedMask
from tests.datasets.look_alikes import write_pair

GREY = np.zeros((8, 9), np.uint8)


CLASSES = ("background", "a")


def folder(root: Path, classes: Sequence[str] = CLASSES, **settings: Any) -> Folder:
    return Folder(root, classes, **{"split": Contiguous(val=0.4), **settings})


def names(source: Folder) -> list[str]:
    return [item.name for split in ("train", "val", "test") for item in source.items(split)]  # type: ignore[arg-type]


def mask_names(source: Folder) -> dict[str, list[str]]:
    found = {}
    for item in [*source.items("train"), *source.items("val")]:
        assert isinstance(item.mask, EncodedMask)
        found[item.name] = [str(file.path.relative_to(source.root)) for file in item.mask.files]
    return found


def pairs(root: Path) -> None:
    for i in range(5):
        write_pair(root, f"{i}", GREY, GREY)
