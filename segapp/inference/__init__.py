"""From a checkpoint and an image to class indices: the one path of validation, test and prediction."""

from segapp.inference.checkpoint import (
    build_network,
    check_class_paths,
    limited_imports,
    load_checkpoint,
    read_checkpoint,
)
from segapp.inference.engine import ArrayImage, Band, Engine, Picture
from segapp.inference.runtime import Runtime, TorchRuntime, chosen_device, computes_bf16, usable_precision

__all__ = [
    "load_checkpoint",
    "read_checkpoint",
    "build_network",
    "check_class_paths",
    "limited_imports",
    "Runtime",
    "TorchRuntime",
    "chosen_device",
    "computes_bf16",
    "usable_precision",
    "Engine",
    "Band",
    "Picture",
    "ArrayImage",
]
