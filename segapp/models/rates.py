"""Group parameters so that the layers of a pretrained encoder have smaller learning rates than the rest."""

from typing import Any

import torch
from torch import nn

from segapp.errors import MisuseError
from segapp.models.encoders import PlainEncoder

ENCODERS = ("encoder", "network.encoder")
"""Name of the encoder in segapp's networks, and in SMP's."""


def find_encoder(net: nn.Module) -> dict[str, nn.Module]:
    """Return the encoder of a network by its name, and the bottleneck that a `PlainEncoder` makes, by its own.

    Raises MisuseError for a network that has no submodule `encoder`.
    """
    parts = dict(net.named_modules())
    for name in ENCODERS:
        if name in parts:
            found = {name: parts[name]}
            return found | ({"bottleneck": parts["bottleneck"]} if isinstance(parts[name], PlainEncoder) else {})
    raise MisuseError(f"{type(net).__name__} has no submodule `encoder`; call the encoder of the network so.")


def find_levels(net: nn.Module, channels: int) -> dict[str, int]:
    """Return the level of each trainable parameter of the encoder, by its name in `net`; 0 is the finest.

    The level is the first whose features depend on the parameter, whatever the layers are called.
    """
    name, encoder = next(iter(find_encoder(net).items()))
    parameters = {f"{name}.{key}": value for key, value in encoder.named_parameters() if value.requires_grad}
    first: dict[str, int] = {}
    for level, feature in enumerate(_compute_features(encoder, channels)):
        if feature.requires_grad and feature.numel():
            used = torch.autograd.grad(feature.sum(), [*parameters.values()], allow_unused=True, retain_graph=True)
            for key, gradient in zip(parameters, used, strict=True):
                if gradient is not None:
                    first.setdefault(key, level)
    order = sorted({*first.values()})
    levels = {key: order.index(first.get(key, order[-1])) for key in parameters}
    for prefix, part in [*find_encoder(net).items()][1:]:
        levels |= {f"{prefix}.{key}": len(order) for key, value in part.named_parameters() if value.requires_grad}
    return levels


def group_parameters(net: nn.Module, channels: int, encoder_lr: float, layer_decay: float) -> list[dict[str, Any]]:
    """Return groups of the trainable parameters for an optimiser, each with its `name` and `lr_scale`.

    The first holds what is not the encoder's, at scale 1. The encoder's deepest level has `encoder_lr`, and every
    finer one `layer_decay` times that of the level below it. Group `lr_scale` is to be multiplied with the rate.
    """
    for setting, value in (("encoder_lr", encoder_lr), ("layer_decay", layer_decay)):
        if not 0 < value <= 1:
            raise MisuseError(
                f"model.{setting} must be a factor above 0, up to 1, got {value}; "
                "segapp.callbacks.FreezeEncoder keeps the encoder unchanged."
            )
    levels = find_levels(net, channels)
    deepest = max(levels.values(), default=0)
    rest = [value for name, value in net.named_parameters() if value.requires_grad and name not in levels]
    groups = [{"params": rest, "name": "rest", "lr_scale": 1.0}]
    own = dict(net.named_parameters())
    for level in range(deepest, -1, -1):
        scale = encoder_lr * layer_decay ** (deepest - level)
        members = [own[name] for name, its_level in levels.items() if its_level == level]
        groups.append({"params": members, "name": f"encoder.{level}", "lr_scale": scale})
    return groups


def _compute_features(encoder: nn.Module, channels: int) -> list[torch.Tensor]:
    """Return the features of an image of the smallest common size that the encoder takes."""
    device = next(encoder.parameters()).device
    was, refused = encoder.training, None
    encoder.eval()
    try:
        for side in (64, 224, 256):
            try:
                return list(encoder(torch.zeros(1, channels, side, side, device=device)))
            except (MisuseError, RuntimeError) as error:  # one made for another size
                refused = error
        raise MisuseError(f"model.layer_decay: the encoder's levels cannot be found ({refused}); set it to 1.0.")
    finally:
        encoder.train(was)
