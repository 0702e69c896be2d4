"""A decision of a plan: a setting, its value, and the numbers that led to it."""

from collections.abc import Iterable, Mapping, Sequence
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
        level = config
        for section in sections:
            level = level.setdefault(section, {})
        level[name] = decision.value
    return config


def change_decisions(decisions: Iterable[Decision], settings: Mapping[str, Any], reason: str) -> list[Decision]:
    """Return the decisions with other values of some settings, by dotted keys; `reason` is added to theirs.

    A setting may lie inside a decision's value, as `model.optimizer.init_args.lr` in `model.optimizer`.
    """
    changed = list(decisions)
    for key, value in settings.items():
        inside = [i for i, decision in enumerate(changed) if f"{key}.".startswith(f"{decision.setting}.")]
        if not inside:
            changed.append(Decision(key, value, reason))
            continue
        former = changed[inside[-1]]
        path = key[len(former.setting) + 1 :].split(".") if key != former.setting else []
        new = _replace_inside(former.value, path, value)
        changed[inside[-1]] = Decision(former.setting, new, f"{former.reason} {reason}".strip())
    return changed


def _replace_inside(value: Any, path: Sequence[str], new: Any) -> Any:
    """Return a nested value with another one at a path; nothing is changed in place."""
    if not path:
        return new
    return {**value, path[0]: _replace_inside(value.get(path[0], {}), path[1:], new)}


def list_reasons(decisions: Iterable[Decision]) -> Mapping[str, str]:
    """Return the reason of each setting that has one."""
    return {decision.setting: decision.reason for decision in decisions if decision.reason}
