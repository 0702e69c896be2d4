"""Data modules on small folders, for the tests of several modules."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.datasets import Contiguous, Folder
from segapp.loading.datamodule import SegmentationDataModule
from segapp.loading.loader import Loader
from segapp.transforms import Microscopy
from tests.datasets.look_alikes import write_pair


def ten_images(root: Path) -> Folder:
    """Ten 40 x 50 RGB images with two classes; class 1 is one pixel, in image 3 only."""
    rng = np.random.default_rng(0)
    for i in range(10):
        mask = np.zeros((40, 50), np.uint8)
        if i == 3:
            mask[7, 41] = 1
        write_pair(root, f"{i}", rng.integers(0, 255, (40, 50, 3), np.uint8), mask)
    return Folder(root, ["background", "dot"], split=Contiguous(val=0.2, test=0.1))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return ten_images(tmp_path)


def batches(data: SegmentationDataModule) -> list[Any]:
    """Return the batches of an epoch; end the workers, for which the garbage collector would wait 5 s each."""
    loader = data.train_dataloader()
    try:
        return read_all(loader)
    finally:
        loader.close()


def read_all(loader: Loader) -> list[Any]:
    return [(batch["name"], batch["image"].numpy().copy(), batch["mask"].numpy().copy()) for batch in loader]


def same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(
        a[0] == b[0] and np.array_equal(a[1], b[1]) and np.array_equal(a[2], b[2])
        for a, b in zip(first, second, strict=True)
    )


class Recorder(LightningModule):
    """Learns nothing and writes down what it is fed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[Any] = []
        self.validated: list[str] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        name, image = list(batch["name"]), batch["image"].numpy().copy()
        self.seen.append((name, image, batch["mask"].numpy().copy()))
        return self.weight.sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.validated += batch["name"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trained(
    data: SegmentationDataModule, root: Path, callbacks: list[Callback], ckpt: Path | None = None, **extra: Any
) -> Recorder:
    module = Recorder()
    trainer = Trainer(
        default_root_dir=root,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=callbacks,
        enable_checkpointing=False,
        **{"max_epochs": 3, "num_sanity_val_steps": 0, **extra},
    )
    trainer.fit(module, data, ckpt_path=ckpt)
    return module


def data_module(folder: Folder, **settings: Any) -> SegmentationDataModule:
    given = {"batch_size": 2, "crop": 16, "augment": [Microscopy()], "num_workers": 0, **settings}
    return SegmentationDataModule(folder, **given)


class Pixels:
    """An array as an image or a mask."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype

    def read(self) -> np.ndarray:
        return self.pixels.copy()

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        return self.pixels[y : y + h, x : x + w].copy()
