"""Alternatives to the decisions of a plan, to be compared by training them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from segapp.checkpoints.merge import get_value
from segapp.planning.sampling import OVERSAMPLED

RATE = "model.optimizer.init_args.lr"
PRETRAINED = "model.net.init_args.encoder.init_args.pretrained"
WIDTHS = "model.net.init_args.encoder.init_args.widths"
LOSSES = ("model.loss.init_args", "model.loss.init_args.loss.init_args")
"""Prefixes of the settings of the loss: alone, and inside deep supervision."""


@dataclass(frozen=True)
class Alternative:
    """Settings that differ from those of a plan, under a name."""

    name: str
    settings: dict[str, Any]
    """By dotted keys."""


def list_alternatives(config: dict[str, Any]) -> list[Alternative]:
    """Return all alternatives to a plan's configuration, those with the largest expected effect first."""
    found = [make(config) for make in _RULES]
    return [alternative for alternative in found if alternative is not None]


def _raise_rate(config: dict[str, Any]) -> Alternative | None:
    return _scale_rate(config, 3.0, "three times the learning rate")


def _raise_decoder_rate(config: dict[str, Any]) -> Alternative | None:
    """Leave the rate of pretrained weights as it is, and multiply that of the random ones by three."""
    raised = _raise_rate(config)
    if raised is None or not get_value(config, PRETRAINED):
        return None
    settings = raised.settings | {"model.encoder_lr": 0.333}
    return Alternative("three times the learning rate outside the pretrained encoder", settings)


def _lower_rate(config: dict[str, Any]) -> Alternative | None:
    return _scale_rate(config, 1 / 3, "a third of the learning rate")


def _scale_rate(config: dict[str, Any], factor: float, name: str) -> Alternative | None:
    rate = get_value(config, RATE)
    return None if rate is None else Alternative(name, {RATE: float(f"{rate * factor:.2g}")})


def _change_sampling(config: dict[str, Any]) -> Alternative | None:
    if get_value(config, "data.crop") is None:
        return None  # a sample shows the complete image
    if get_value(config, "data.oversample"):
        return Alternative("random crops", {"data.oversample": 0.0})
    return Alternative("a third of the crops centred on classes", {"data.oversample": OVERSAMPLED})


def _mirror_only(config: dict[str, Any]) -> Alternative | None:
    parts = get_value(config, "data.augment") or []
    flips = [part for part in parts if part["class_path"] == "segapp.transforms.Flips"]
    return Alternative("mirrorings alone", {"data.augment": flips}) if len(parts) > len(flips) else None


def _sum_over_image(config: dict[str, Any]) -> Alternative | None:
    found = [prefix for prefix in LOSSES if get_value(config, f"{prefix}.reduce") == "batch"]
    return Alternative("Dice of each image", {f"{found[0]}.reduce": "image"}) if found else None


def _weigh_alike(config: dict[str, Any]) -> Alternative | None:
    found = [prefix for prefix in LOSSES if get_value(config, f"{prefix}.class_weights") is not None]
    return Alternative("classes of equal weight", {f"{found[0]}.class_weights": None}) if found else None


def _halve_channels(config: dict[str, Any]) -> Alternative | None:
    widths = get_value(config, WIDTHS)
    if not widths or widths[0] < 16:
        return None
    return Alternative("half the channels", {WIDTHS: [width // 2 for width in widths]})


def _concatenate(config: dict[str, Any]) -> Alternative | None:
    key = "model.net.init_args.long_skip"
    return Alternative("concatenated long skips", {key: "concat"}) if get_value(config, key) == "add" else None


_RULES: list[Callable[[dict[str, Any]], Alternative | None]] = [
    _raise_rate,
    _raise_decoder_rate,
    _lower_rate,
    _change_sampling,
    _mirror_only,
    _halve_channels,
    _sum_over_image,
    _concatenate,
    _weigh_alike,
]
"""A new alternative is a function and one line here."""
