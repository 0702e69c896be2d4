"""What the user typed, before anything parses it."""

import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.system.yaml_files import parse_yaml, read_yaml

SLOTS = (
    *("net", "encoder", "loss", "optimizer", "lr_scheduler", "source", "split", "mask", "augment"),
    *("callbacks", "logger", "strategy", "accelerator", "plugins", "profiler", "class_path"),
)
"""The last words of options that take a class."""


def get_values(options: list[str], name: str) -> list[str]:
    """Return every value of `--name value` or `--name=value`, in order."""
    found = []
    for index, word in enumerate(options):
        if word.startswith(f"{name}="):
            found.append(word.partition("=")[2])
        elif word == name and index + 1 < len(options):
            found.append(options[index + 1])
    return found


def get_option(options: list[str], name: str) -> str | None:
    """Return the last value of `--name value` or `--name=value`."""
    found = get_values(options, name)
    return found[-1] if found else None


def read_configs(options: list[str]) -> dict[str, Any]:
    """Return the content of every config that options name, by its path; MisuseError for one that is no config."""
    found = {}
    for index, word in enumerate(options):
        name, equals, value = word.partition("=")
        value = value if equals else (options[index + 1] if index + 1 < len(options) else "")
        if not _names_config(name, value) or not _exists(value):
            continue
        found[value] = content = read_yaml(Path(value))
        if not isinstance(content, dict):
            raise MisuseError(f"{value}: is no config, which is a mapping of settings; see configs/unet.yaml.")
        empty = [key for key in ("data", "model", "trainer") if key in content and content[key] is None]
        if name == "--config" and empty:
            raise MisuseError(
                f"{value}: its section {empty[0]} is empty; leave the word out, or put settings below it."
            )
    return found


def _names_config(name: str, value: str) -> bool:
    """Return whether an option's value, if it is a file, is read as a config."""
    is_section = name.startswith("--") and name[2:].split(".")[0].rstrip("+") in ("data", "model", "trainer")
    return name == "--config" or (is_section and (name.count(".") == 0 or name.rstrip("+").split(".")[-1] in SLOTS))


def refuse_fragments(options: list[str], sections: Mapping[str, Collection[str]]) -> None:
    """Raise MisuseError for a `--config` that holds only what belongs inside a section, or a study.

    Args:
        options: As typed.
        sections: The settings of each section.
    """
    configs = read_configs(options)
    for path in get_values(options, "--config"):
        config = configs.get(path)
        if not config:
            continue
        for section, known in sections.items():
            if config.keys() <= {*known}:
                raise MisuseError(
                    f"{path} is a {section} fragment (it holds {', '.join(config)}), no complete config: "
                    f"give it by --{section} {shlex.quote(str(path))}, after --config configs/unet.yaml."
                )
        if {"grid", "like"} & config.keys():
            raise MisuseError(f"{path} is a study: run it by segapp study --config {shlex.quote(str(path))}.")


def refuse_overridden(options: list[str]) -> None:
    """Raise MisuseError for an option that stands before a `--config` which sets the same, and would prevail."""
    configs = read_configs(options)
    for index, word in enumerate(options):
        key = word.partition("=")[0].removesuffix("+")
        if not key.startswith("--") or key == "--config":
            continue
        for path in get_values(options[index + 1 :], "--config"):
            if path in configs and _sets(configs[path], key[2:].split(".")):
                raise MisuseError(
                    f"{key} stands before --config {path}, which sets it again and would win: write it after."
                )


def gives(options: list[str], text: str) -> bool:
    """Return whether the user gives this text as a value, by an option or in a config."""
    inline = [word.partition("=")[2] or word for word in options]
    parsed = [parse_yaml(word, "an option") for word in inline if word.startswith("{")]
    return text in inline or any(text in _leaves(content) for content in (*read_configs(options).values(), *parsed))


def _leaves(content: Any) -> Iterator[Any]:
    """Yield every value in lists and mappings."""
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else None
    if inner is None:
        yield content
    else:
        for value in inner:
            yield from _leaves(value)


def _sets(config: Any, keys: list[str]) -> bool:
    return not keys or (isinstance(config, dict) and keys[0] in config and _sets(config[keys[0]], keys[1:]))


def _exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).exists()
    except (OSError, ValueError):  # too long a name, or one with a NUL: a config as text
        return False


def classes_named_by_user(options: list[str]) -> list[str]:
    """Return the class paths that the user vouches for: `--allow`, those in configs, and those typed for a class.

    A path of a file, a name or another value vouches for nothing, however much it looks like a class.
    """
    from segapp.checkpoints.trust import find_classes  # with jsonargparse; the rest of this file is light

    named = [name for name in get_values(options, "--allow") if name]
    for content in read_configs(options).values():
        named += find_classes(content)
    for index, word in enumerate(options):
        name, equals, value = word.partition("=")
        value = value if equals else (options[index + 1] if index + 1 < len(options) else "")
        if not name.startswith("--") or name.rstrip("+").split(".")[-1].lstrip("-") not in (*SLOTS, "config"):
            continue
        if "class_path" in value and not _exists(value):
            named += find_classes(parse_yaml(value, name))
        elif "." in value and all(part.isidentifier() for part in value.split(".")):
            named.append(value)
    return named


def add_flag_values(options: list[str], flags: tuple[str, ...]) -> list[str]:
    """Add the value of a flag: `--dry_run` by itself is `--dry_run=true`."""
    following = [*options[1:], "--"]
    return [
        f"{word}=true" if word in flags and after.startswith("-") else word
        for word, after in zip(options, following, strict=False)
    ]


def remove_option(options: list[str], name: str) -> list[str]:
    """Return the options without `--name value` and `--name=value`."""
    kept, words = [], iter(options)
    for word in words:
        if word == name:
            next(words, None)
        elif not word.startswith(f"{name}="):
            kept.append(word)
    return kept
