"""A decision of a plan: a setting, its value, and the numbers that led to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Decision:
    """One setting of the configuration that a plan writes."""

    setting: str
    """Dotted path in the configuration, as `data.crop`."""
    value: Any
    """Plain types only: numbers, text, lists, and `{class_path, init_args}` for objects."""
    reason: str
    """One or two sentences with the numbers behind the value; empty for settings that follow from another."""


def build_config(decisions: Iterable[Decision]) -> dict[str, Any]:
    """Return the nested configuration; a later decision replaces an earlier one of the same setting."""
    config: dict[str, Any] = {}
    for decision in decisions:
        *sections, name = decision.setting.split(".")
        place = config
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = decision.value
    return config


def list_reasons(decisions: Iterable[Decision]) -> Mapping[str, str]:
    """Return the reason of each setting that has one."""
    return {decision.setting: decision.reason for decision in decisions if decision.reason}
