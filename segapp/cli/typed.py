"""What a person typed, before anything parses it."""

from pathlib import Path
from typing import Any

import yaml


def option(options: list[str], name: str) -> str | None:
    """The last value of `--name value` or `--name=value`."""
    value = None
    for index, word in enumerate(options):
        if word.startswith(f"{name}="):
            value = word.partition("=")[2]
        elif word == name and index + 1 < len(options):
            value = options[index + 1]
    return value


def named_by_the_person(options: list[str]) -> list[str]:
    """The class paths on this command line and in the configs it names: those the person vouches for."""
    named = []
    for word in options:
        _, _, value = word.rpartition("=")
        path = Path(value)
        if path.suffix in (".yaml", ".yml", ".json") and path.is_file():
            named += _class_paths(yaml.safe_load(path.read_text()))
        elif all(part.isidentifier() for part in value.split(".")) and "." in value:
            named.append(value)
    return named


def _class_paths(config: Any) -> list[str]:
    if isinstance(config, dict):
        own = [config["class_path"]] if isinstance(config.get("class_path"), str) else []
        return own + [path for value in config.values() for path in _class_paths(value)]
    if isinstance(config, list):
        return [path for value in config for path in _class_paths(value)]
    return []


def with_values(options: list[str], flags: tuple[str, ...]) -> list[str]:
    """`--dry_run` by itself is `--dry_run=true`."""
    following = [*options[1:], "--"]
    return [
        f"{word}=true" if word in flags and after.startswith("-") else word
        for word, after in zip(options, following, strict=False)
    ]


def without(options: list[str], name: str) -> list[str]:
    """The options but `--name value` and `--name=value`."""
    kept, words = [], iter(options)
    for word in words:
        if word == name:
            next(words, None)
        elif not word.startswith(f"{name}="):
            kept.append(word)
    return kept
