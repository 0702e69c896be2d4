"""A small U-Net, its checkpoints, and a bundle of each format."""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from segapp.commands.export import export
from segapp.export import write
from segapp.export.convert import convert_to_onnx
from segapp.io import write_image
from segapp.models import PlainEncoder, UNet
from segapp.spec import Spec
from tests.inference.checkpoints import make_spec, record

NET = {
    "class_path": "segapp.models.UNet",
    "init_args": {
        "encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4, 8, 8]}},
        "upsample": "transpose",
        "in_channels": 3,
        "num_classes": 2,
    },
}


def write_checkpoint(path: Path, seed: int = 0, spec: Spec | None = None) -> None:
    torch.manual_seed(seed)
    net = UNet(3, 2, partial(PlainEncoder, widths=[4, 8, 8]), upsample="transpose")
    weights = {f"net.{name}": value for name, value in net.state_dict().items()}
    torch.save({"state_dict": weights, "segapp": record(spec or make_spec(), net=NET)}, path)


class ConvertOnce:
    """Torch traces a network once for all formats that begin with its `.onnx`: tracing takes seconds."""

    def __init__(self) -> None:
        self.contents: dict[tuple[str, str, str], bytes] = {}

    def __call__(self, net: nn.Module, spec: Spec, path: Path) -> None:
        weights = hashlib.sha256()
        for value in net.state_dict().values():
            weights.update(str(value.dtype).encode() + value.numpy().tobytes())
        key = (weights.hexdigest(), repr(net), repr(spec))
        if key not in self.contents:
            convert_to_onnx(net, spec, path)
            self.contents[key] = path.read_bytes()
        path.write_bytes(self.contents[key])


CONVERT_ONCE = ConvertOnce()
"""For all tests of a process."""


def write_exports(folder: Path) -> Path:
    """Write two checkpoints, as two folds would leave, four images, and a bundle of the first for each format."""
    for seed in (0, 1):
        write_checkpoint(folder / f"{seed}.ckpt", seed)
    random = np.random.default_rng(0)
    for index in range(4):
        pixels = random.integers(0, 256, (70, 90, 3), dtype=np.uint8)
        write_image(folder / "images" / f"{index}.png", pixels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "convert_to_onnx", CONVERT_ONCE)
        for format in ("onnx", "openvino", "weights"):
            assert export(str(folder / "0.ckpt"), format, str(folder / format), images=str(folder / "images")) == 0
    return folder
