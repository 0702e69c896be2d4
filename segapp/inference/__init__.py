"""From a checkpoint or bundle and an image to class indices: the one path of validation, test and prediction.

What needs torch is imported when it is first asked for: an exported bundle predicts without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from segapp.inference.engine import ArrayImage, Band, Engine, Picture
from segapp.inference.opening import Networks, open_networks

if TYPE_CHECKING:
    from segapp.inference.building import build_network, build_own, build_part, offline, planned_network
    from segapp.inference.checkpoint import (
        load_checkpoint,
        load_weights,
        network_of,
        read_checkpoint,
        weights_under,
    )
    from segapp.inference.runtime import Runtime, TorchRuntime, chosen_device, computes_bf16, usable_precision
    from segapp.inference.trust import Review, arguments_of, check_class_paths, classes_named, limited_imports

TORCH = {
    "building": ("build_network", "build_own", "build_part", "offline", "planned_network"),
    "checkpoint": ("load_checkpoint", "load_weights", "network_of", "read_checkpoint", "weights_under"),
    "trust": ("Review", "arguments_of", "check_class_paths", "classes_named", "limited_imports"),
    "runtime": ("Runtime", "TorchRuntime", "chosen_device", "computes_bf16", "usable_precision"),
}

__all__ = [
    "open_networks",
    "Networks",
    "load_checkpoint",
    "load_weights",
    "network_of",
    "offline",
    "weights_under",
    "read_checkpoint",
    "build_network",
    "build_own",
    "build_part",
    "planned_network",
    "Review",
    "arguments_of",
    "check_class_paths",
    "classes_named",
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


def __getattr__(name: str) -> Any:
    for module, held in TORCH.items():
        if name in held:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
