"""A checkpoint of the smallest network, opened from Python."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import segapp
from tests.inference.checkpoints import THRESHOLD, write_checkpoint

PIXELS = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8), (0, 0), 3) // 2 + 60


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_checkpoint(tmp_path_factory.mktemp("model") / "best.ckpt"))


@pytest.fixture
def model(checkpoint: Path) -> segapp.Model:
    return segapp.load(checkpoint, device="cpu", allow=[THRESHOLD])
