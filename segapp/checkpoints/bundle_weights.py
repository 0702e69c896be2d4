"""Loads the networks of a bundle of format `weights`; `bundle.py` reads its other files, without torch."""

from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

from segapp.checkpoints.building import build_filled_network, shorten_error
from segapp.errors import MisuseError
from segapp.system.text_files import read_json


def load_weights(path: Path, allowed: Sequence[str] = ()) -> nn.Module:
    """Load the network of a bundle of format `weights`, in evaluation mode on the CPU.

    `path` is its `.safetensors`; the class_path and init_args lie beside it in a `.json`. As safe as
    `load_checkpoint`; raises MisuseError with one message.
    """
    net = read_json(path.with_suffix(".json"))
    try:
        weights = load_file(path)
    except Exception as error:  # a truncated or altered file fails anywhere in safetensors
        files = f"{path} with {path.stem}.json"
        raise MisuseError(f"{files}: cannot be loaded, or is damaged ({shorten_error(error)}).") from error
    return build_filled_network(path, net, weights, allowed)
