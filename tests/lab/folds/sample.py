"""A folder of twelve small images of six groups, and a config that trains on it in a moment."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from segapp.io import write_image

CONFIG: dict[str, Any] = {
    "name": "mine",
    "seed_everything": 3,
    "data": {
        "source": {
            "class_path": "segapp.datasets.Folder",
            "init_args": {
                "root": "data",
                "classes": ["ground", "disc"],
                "group": r"^(p\d+)",
                "split": {
                    "class_path": "segapp.datasets.Fraction",
                    "init_args": {"val": 0.2, "test": 0.2, "seed": 1},
                },
            },
        },
        "crop": [32, 32],
        "batch_size": 4,
        "num_workers": 0,
    },
    "model": {
        "net": {
            "class_path": "segapp.models.UNet",
            "init_args": {
                "encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4, 8]}},
            },
        },
        "loss": {"class_path": "segapp.losses.DiceCrossEntropy"},
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}},
    },
    "trainer": {"max_epochs": 1, "accelerator": "cpu"},
}


def write_data(folder: Path) -> list[str]:
    """Write images of a disc with their masks, and return their names."""
    rng = np.random.default_rng(0)
    names = [f"p{i // 2}_{i}" for i in range(12)]
    y, x = np.mgrid[:48, :48]
    for name in names:
        at = rng.integers(12, 36, 2)
        mask = (y - at[0]) ** 2 + (x - at[1]) ** 2 < 80
        write_image(folder / "images" / f"{name}.png", (mask * 120 + rng.integers(0, 80, mask.shape)).astype(np.uint8))
        write_image(folder / "masks" / f"{name}.png", mask.astype(np.uint8))
    return names


def write_config(path: Path, config: dict[str, Any] = CONFIG) -> Path:
    """Write a config and return its path."""
    path.write_text(yaml.safe_dump(config))
    return path
