"""What a person typed, before anything parses it."""

import inspect
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from segapp.errors import MisuseError


def values(options: list[str], name: str) -> list[str]:
    """Every value of `--name value` or `--name=value`, in order."""
    found = []
    for index, word in enumerate(options):
        if word.startswith(f"{name}="):
            found.append(word.partition("=")[2])
        elif word == name and index + 1 < len(options):
            found.append(options[index + 1])
    return found


def option(options: list[str], name: str) -> str | None:
    """The last value of `--name value` or `--name=value`."""
    found = values(options, name)
    return found[-1] if found else None


def refuse_fragments(options: list[str], sections: Mapping[str, type]) -> None:
    """MisuseError for a `--config` that holds only what belongs inside a section, or a study.

    Args:
        options: As typed.
        sections: What is made of each section.
    """
    for path in map(Path, values(options, "--config")):
        config = yaml.safe_load(path.read_text()) if _is_file(path) else None
        if not isinstance(config, dict) or not config:
            continue
        for section, kind in sections.items():
            if config.keys() <= inspect.signature(kind).parameters.keys():
                raise MisuseError(
                    f"{path} is a {section} fragment (it holds {', '.join(config)}), no complete config: "
                    f"give it by --{section} {shlex.quote(str(path))}, after --config configs/unet.yaml."
                )
        if {"grid", "like"} & config.keys():
            raise MisuseError(f"{path} is a study: run it by segapp study --config {shlex.quote(str(path))}.")


def refuse_overridden(options: list[str]) -> None:
    """MisuseError for an option that stands before a `--config` which sets the same, and would win."""
    for index, word in enumerate(options):
        key = word.partition("=")[0].removesuffix("+")
        if not key.startswith("--") or key == "--config":
            continue
        for path in values(options[index + 1 :], "--config"):
            if _is_file(path) and _sets(yaml.safe_load(Path(path).read_text()), key[2:].split(".")):
                raise MisuseError(
                    f"{key} stands before --config {path}, which sets it again and would win: write it after."
                )


def _sets(config: Any, keys: list[str]) -> bool:
    return not keys or (isinstance(config, dict) and keys[0] in config and _sets(config[keys[0]], keys[1:]))


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # too long a name: a config as text
        return False


def named_by_the_person(options: list[str]) -> list[str]:
    """The class paths on this command line and in the configs it names: those the person vouches for."""
    named = values(options, "--allow")
    for word in options:
        _, _, value = word.rpartition("=")
        path = Path(value)
        if path.suffix in (".yaml", ".yml", ".json") and _is_file(path):
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
