"""Settings on top of settings, by the rule of `segapp fit`: later beats earlier."""

from typing import Any


def merged(below: Any, above: Any) -> Any:
    """Merge `above` over `below`: mappings key by key, everything else as one value.

    Under another `class_path` nothing of the former `init_args` survives.
    """
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    if "class_path" in above and "class_path" in below and above["class_path"] != below["class_path"]:
        below = {key: value for key, value in below.items() if key != "init_args"}
    return below | {key: merged(below.get(key), value) for key, value in above.items()}


def nest_value(key: str, value: Any) -> dict[str, Any]:
    """Nest a value by its dotted key: `nest_value("a.b", 1)` is `{"a": {"b": 1}}`."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def changed(config: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Change the config by settings with dotted keys, which prevail."""
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
