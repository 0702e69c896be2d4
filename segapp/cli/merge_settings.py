"""Merges settings from configs, checkpoints and options into one config for jsonargparse: later replaces earlier."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from segapp.checkpoints.merge import CLASS_KEYS, get_value, is_same_class, merge_arguments, merged, nest_value
from segapp.cli.arguments import SECTIONS, SLOTS, SUFFIXES, Arguments, Option, is_class_path, is_file
from segapp.cli.parser_errors import describe_missing_file
from segapp.errors import MisuseError
from segapp.system.yaml_files import parse_yaml, read_yaml

SECTION_CLASSES = {
    "data": "segapp.loading.datamodule.SegmentationDataModule",
    "model": "segapp.training.module.SegmentationModule",
    "trainer": "lightning.pytorch.Trainer",
}
"""The classes whose arguments the sections are."""

DEEPEST = 8
"""Most config files that name one another in a chain."""


def merge_settings(
    arguments: Arguments,
    below: Mapping[str, Any] | None = None,
    is_value: Callable[[str, str], bool] = lambda path, parameter: False,
) -> tuple[dict[str, Any], list[Option]]:
    """Merge the configs, the files of sections and the classes that the user names over other settings.

    Single values stay options, for the parser knows their types and applies them last.

    Args:
        arguments: As typed.
        below: The settings of a checkpoint or bundle.
        is_value: Whether the parameter of a class takes a mapping as one value (`checkpoints.merge.merged`).

    Returns:
        The merged settings, and the options that are left.
    """
    settings: dict[str, Any] = dict(below or {})
    rest: list[Option] = []
    for option in arguments.options:
        layer = _read_layer(option, arguments, settings)
        if layer is None:
            rest.append(option)
        else:
            before, settings = settings, _merge_layer(settings, layer, is_value)
            rest = [one for one in rest if not _is_overridden(one, layer, before, settings)]
    return settings, rest


def _is_overridden(option: Option, layer: Any, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Return whether a layer after an option sets it again, or replaces the class that the option belongs to."""
    if option.name and not option.appends and has_key(layer, option.keys):
        return True
    for count in range(1, len(option.keys)):
        former, now = (get_value(settings, ".".join(option.keys[:count])) for settings in (before, after))
        path, other = (one.get("class_path") if isinstance(one, dict) else None for one in (former, now))
        if path is not None and other is not None and not is_same_class(path, other):
            return True
    return False


def has_key(config: Any, keys: list[str]) -> bool:
    """Return whether a config sets a value at a path of keys."""
    return not keys or (isinstance(config, dict) and keys[0] in config and has_key(config[keys[0]], keys[1:]))


def _merge_layer(
    settings: dict[str, Any], layer: dict[str, Any], is_value: Callable[[str, str], bool]
) -> dict[str, Any]:
    """Merge a config over the settings; `callbacks+` of a section appends to its list."""
    result = merged(settings, {key: value for key, value in layer.items() if key not in SECTION_CLASSES})
    for section, path in SECTION_CLASSES.items():
        below, above = settings.get(section), layer.get(section)
        if isinstance(below, dict) and isinstance(above, dict):
            lists = {key: _list(below.get(key[:-1])) + _list(value) for key, value in above.items() if key[-1:] == "+"}
            above = {key: value for key, value in above.items() if key not in lists}
            above |= {key[:-1]: value for key, value in lists.items()}
        if section in layer:
            result[section] = merge_arguments(below, above, path, is_value)
    return result


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _read_layer(option: Option, arguments: Arguments, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the part of a config that an option sets; None for an option that is left to the parser."""
    value = option.value
    if value is None or not option.name or option.appends:
        return None
    content = arguments.configs.get(value) if option.takes_config else None
    folder = Path(value).parent if content is not None else Path()
    if option.name == "--config":
        content = _parse_mapping(value, option.name) if content is None else content
        return None if content is None else expand(content, folder)
    if option.keys[0] not in SECTIONS:
        return None
    key = ".".join(option.keys)
    if content is None and option.takes_config and (missing := describe_missing_file(Path(value))):
        raise MisuseError(f"{key}: {missing}")
    former = get_value(settings, key)
    holds_class = option.keys[-1] in SLOTS or (isinstance(former, dict) and "class_path" in former)
    if content is None and (holds_class or len(option.keys) == 1):
        content = _parse_mapping(value, option.name)
    if content is not None and len(option.keys) == 1:
        return nest_value(key, expand(content, folder))
    if content is not None and CLASS_KEYS & content.keys():
        return nest_value(key, expand_part(content, folder))
    if option.keys[-1] == "class_path":
        return nest_value(key, value)
    if holds_class and is_class_path(value) and not value.endswith(SUFFIXES):
        return nest_value(key, {"class_path": value})
    if holds_class and value.isidentifier():  # SGD, ddp, null, false
        same = isinstance(former, dict) and is_same_class(value, former.get("class_path"))
        return {} if same else nest_value(key, parse_yaml(value, option.name))
    return None


def _parse_mapping(text: str, name: str) -> dict[Any, Any] | None:
    """Parse settings that are given as text; return None for other text."""
    if is_file(text) or not any(mark in text for mark in ("{", ":")):
        return None
    content = parse_yaml(text, name)
    return content if isinstance(content, dict) else None


def expand(content: Mapping[Any, Any], folder: Path, depth: int = 0) -> dict[str, Any]:
    """Return a config, or a section of it, in its longest form, so that every setting has one place.

    Dotted keys are nested, the files in it are read, relative to its folder, and a class given by name only
    becomes its `class_path`.
    """
    full: dict[str, Any] = {}
    for key, value in content.items():
        path, is_section = str(key), str(key) in SECTIONS
        if is_section and isinstance(value, str) and value.endswith(SUFFIXES):
            value = _read_file(folder / value, depth)
            value = expand(value, (folder / str(content[key])).parent, depth + 1)
        elif is_section and isinstance(value, dict):
            value = expand(value, folder, depth)
        else:
            value = _expand_slot(path, value, folder, depth)
        full = merged(full, nest_value(path, value))
    return full


def expand_part(content: Any, folder: Path, depth: int = 0) -> Any:
    """Return the settings of a part in their longest form: classes by their `class_path`, files read."""
    if isinstance(content, list):
        return [expand_part(value, folder, depth) for value in content]
    if not isinstance(content, dict):
        return content
    return {key: _expand_slot(str(key), value, folder, depth) for key, value in content.items()}


def _expand_slot(key: str, value: Any, folder: Path, depth: int) -> Any:
    slot = key.split(".")[-1].removesuffix("+")
    if isinstance(value, str) and slot in SLOTS and slot != "class_path":
        if value.endswith(SUFFIXES) and is_file(str(folder / value)):
            path = folder / value
            return expand_part(_read_file(path, depth), path.parent, depth + 1)
        if is_class_path(value) and not value.endswith(SUFFIXES):
            return {"class_path": value}
    return expand_part(value, folder, depth)


def _read_file(path: Path, depth: int) -> Any:
    if depth >= DEEPEST:
        raise MisuseError(f"{path}: config files refer to one another more than {DEEPEST} levels deep.")
    return read_yaml(path)
