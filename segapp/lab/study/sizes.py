"""Measure the networks of variants, and find widths of equal size; nothing is allocated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from segapp.checkpoints.building import build_network
from segapp.checkpoints.merge import get_value, override_values
from segapp.checkpoints.trust import find_classes
from segapp.datasets import Source
from segapp.errors import MisuseError
from segapp.lab.study.config import Matching, Study
from segapp.lab.study.variants import Variant
from segapp.models import count_params, match_params

DEFAULT_SIDES = (512, 512)
"""Height and width for counting FLOPs where training takes complete images."""


@dataclass(frozen=True)
class NetworkSize:
    """Parameters and FLOPs of one network."""

    parameters: int
    flops: int
    """Of one forward pass of one image; a multiplication and an addition are two."""
    image: tuple[int, int, int]
    """Channels, height, width of that image."""


def measure_size(
    where: str, config: dict[str, Any], source: Source, allowed: Sequence[str] | None = None
) -> NetworkSize:
    """Return the parameters and FLOPs of the network that a config describes.

    `allowed` are the classes outside segapp that it may use; by default all that it names, for a config of the user.
    """
    with torch.device("meta"):
        net = _make_builder(where, config, source, allowed)(config["model"]["net"]).eval()
    channels, sides = source.channels, _get_sides(config["data"])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(1, channels, *sides, device="meta"))
    return NetworkSize(count_params(net), int(counter.get_total_flops()), (channels, *sides))


def match_variants(study: Study, sources: dict[str, Source], before: Mapping[str, list[int]]) -> Study:
    """Return the study with explicit widths in every variant's config, at which its variants are equally large.

    `before` has widths that were found for variants in an earlier call; those that still fit are kept.
    """
    matching = study.matching
    if matching is None:
        return study
    target = matching.target
    if isinstance(target, str):
        model = next(variant for variant in study.variants if variant.name == target)
        target = measure_size(model.name, model.config, sources[model.name]).parameters
    variants = []
    for variant in tqdm(study.variants, desc="matching sizes", unit="variant", delay=2, disable=None):
        if variant.name != matching.target:
            variant = _match_variant(variant, matching, target, sources[variant.name], before.get(variant.name))
        variants.append(variant)
    return replace(study, variants=tuple(variants))


def _match_variant(
    variant: Variant, matching: Matching, target: int, source: Source, before: list[int] | None
) -> Variant:
    key = matching.widths
    widths = get_value(variant.config, key)
    if not isinstance(widths, list):
        raise MisuseError(
            f"{variant.name}: match_params needs a list of widths at {key}, got {widths!r}; write the list into the "
            "config."
        )
    build = _make_builder(variant.name, variant.config, source)

    def build_with_widths(chosen: list[int]) -> nn.Module:
        return build(override_values(variant.config, {key: chosen})["model"]["net"])

    if before is not None and _is_matching(build_with_widths, before, target, matching.tolerance):
        return replace(variant, config=override_values(variant.config, {key: before}))
    try:
        found = match_params(build_with_widths, widths, target, matching.tolerance)
    except MisuseError as error:
        raise MisuseError(f"{variant.name}: {error}") from error
    return replace(variant, config=override_values(variant.config, {key: [int(width) for width in found]}))


def _is_matching(build: Callable[[list[int]], nn.Module], widths: list[int], target: int, tolerance: float) -> bool:
    with torch.device("meta"):
        return abs(count_params(build(widths)) - target) <= tolerance * target


def _make_builder(
    where: str, config: dict[str, Any], source: Source, named: Sequence[str] | None = None
) -> Callable[[dict[str, Any]], nn.Module]:
    """Return a function from a net section to the network, with the data's channels and classes."""
    allowed = find_classes(config["model"]) if named is None else named

    def build(net: dict[str, Any]) -> nn.Module:
        data = {"in_channels": source.channels, "num_classes": len(source.classes)}
        return build_network(where, {**net, "init_args": {**(net.get("init_args") or {}), **data}}, allowed)

    return build


def _get_sides(data: dict[str, Any]) -> tuple[int, int]:
    size = data.get("crop") or data.get("resize") or data.get("window") or DEFAULT_SIDES
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)
