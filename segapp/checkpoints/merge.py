"""Merges settings by the rule of `segapp fit`: later settings replace earlier ones."""

from collections.abc import Callable
from typing import Any

CLASS_KEYS = frozenset({"class_path", "init_args", "dict_kwargs"})
"""The keys of the settings of an object; others beside a known class are arguments of it."""


def merged(below: Any, above: Any, is_value: Callable[[str, str], bool] = lambda path, parameter: False) -> Any:
    """Merge `above` over `below`: mappings key by key, everything else as one value.

    Under another `class_path` nothing of the former `init_args` survives.

    Args:
        below: Settings.
        above: Settings that prevail.
        is_value: Whether the parameter of a class takes a mapping as one value; by default none does.
    """
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    former, path = below.get("class_path"), above.get("class_path")
    if former is not None and path is None and above and not CLASS_KEYS & above.keys():
        above = {"init_args": above}
    elif former is not None and path is not None and not is_same_class(former, path):
        below = {key: value for key, value in below.items() if key != "init_args"}
    elif former is not None and path is not None and "." not in str(path):
        above = above | {"class_path": former}
    changes = {key: merged(below.get(key), value, is_value) for key, value in above.items() if key != "init_args"}
    if "init_args" in above:
        owner = str(path or former)
        changes["init_args"] = merge_arguments(below.get("init_args"), above["init_args"], owner, is_value)
    return below | changes


def merge_arguments(below: Any, above: Any, path: str, is_value: Callable[[str, str], bool]) -> Any:
    """Merge the arguments of the class `path`, of which some may be mappings that are one value, as `merged` does."""
    if isinstance(below, dict) and isinstance(above, dict):
        both = [key for key, value in above.items() if isinstance(value, dict) and isinstance(below.get(key), dict)]
        whole = {key for key in both if "class_path" not in above[key] and is_value(path, str(key))}
        below = {key: value for key, value in below.items() if key not in whole}
    return merged(below, above, is_value)


def is_same_class(path: Any, other: Any) -> bool:
    """Return whether two class paths name one class, by their text alone.

    A name without a module is that of the class whose path ends in it, and a package gives the classes of its modules:
    `AdamW`, `torch.optim.AdamW` and `torch.optim.adamw.AdamW` are the same.
    """
    if not (isinstance(path, str) and isinstance(other, str)):
        return path == other
    (module, _, name), (other_module, _, other_name) = path.rpartition("."), other.rpartition(".")
    short, long = sorted((module, other_module), key=len)
    return name == other_name and (not short or f"{long}.".startswith(f"{short}."))


def nest_value(key: str, value: Any) -> dict[str, Any]:
    """Nest a value by its dotted key: `nest_value("a.b", 1)` is `{"a": {"b": 1}}`."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def override_values(config: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Override values of a config by settings with dotted keys."""
    for key, value in settings.items():
        config = merged(config, nest_value(key, value))
    return config


def get_value(config: Any, key: str) -> Any:
    """Get the value at a dotted key, None where there is none."""
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def flatten_settings(config: Any, prefix: str = "") -> dict[str, Any]:
    """List every value by its dotted key; lists are values."""
    if not isinstance(config, dict) or not config:
        return {prefix: config}
    pairs: dict[str, Any] = {}
    for key, value in config.items():
        pairs |= flatten_settings(value, f"{prefix}.{key}" if prefix else str(key))
    return pairs
