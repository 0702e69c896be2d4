"""Build the variants of a study's grid, each a complete config, and select some of them."""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segapp.checkpoints.merge import merged, override_values
from segapp.errors import MisuseError
from segapp.lab.study.sections import read_mapping


@dataclass(frozen=True)
class Variant:
    """One combination of the grid."""

    name: str
    levels: dict[str, str]
    """The name of its value on every axis."""
    config: dict[str, Any]
    """A complete config of `segapp fit`, but for the seed."""

    @property
    def folder(self) -> str:
        """The name without characters that file systems refuse."""
        return re.sub(r"[^\w.=+-]+", "_", self.name).strip("_.") or "variant"


def build_variants(path: Path, sections: dict[str, Any]) -> tuple[Variant, ...]:
    """Build one variant for every combination of the grid's values."""
    if "base" not in sections:
        raise MisuseError(f"{path}: `base` must name a complete config of `segapp fit`, such as configs/unet.yaml.")
    config = read_mapping(Path(sections["base"]))
    for section in ("data", "model"):
        if sections.get(section):
            config = merged(config, {section: read_mapping(Path(sections[section]))})
    config = override_values(config, sections.get("set") or {})
    axes = [_read_axis(path, name, values) for name, values in (sections.get("grid") or {}).items()]
    variants = []
    for choice in itertools.product(*(values.items() for _, values in axes)):
        settings = {key: value for _, (_, level) in zip(axes, choice, strict=True) for key, value in level.items()}
        levels = {axis: name for (axis, _), (name, _) in zip(axes, choice, strict=True)}
        name = ", ".join(levels.values()) or "base"
        variants.append(Variant(name, levels, override_values(config, settings)))
    folders = [variant.folder for variant in variants]
    twice = [variant.name for variant in variants if folders.count(variant.folder) > 1]
    if twice:
        raise MisuseError(f"{path}: two variants have the same folder, {twice[0]!r}; rename a value of the grid.")
    return tuple(variants)


def _read_axis(path: Path, name: str, values: Any) -> tuple[str, dict[str, dict[str, Any]]]:
    """Read the axis's name, and the settings of each of its values by name."""
    if isinstance(values, list) and values:
        short, words = name.split(".")[-1], [_shorten_value(value) for value in values]
        if len(set(words)) < len(words):
            words = [str(value) for value in values]
        if len(set(words)) < len(words):
            raise MisuseError(f"{path}: grid.{name} has the same value twice: {values}.")
        return short, {f"{short}={word}": {name: value} for word, value in zip(words, values, strict=True)}
    if isinstance(values, dict) and values and all(isinstance(level, dict) for level in values.values()):
        return name, {str(key): level for key, level in values.items()}
    raise MisuseError(
        f"{path}: grid.{name} is either a config key with a list of values, or a name with "
        "{value's name: {config key: value}}."
    )


def _shorten_value(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(map(_shorten_value, value))
    return str(value).rpartition(".")[2] if isinstance(value, str) else str(value)


def select_variants(path: Path, variants: Iterable[Variant], selection: Any) -> tuple[str, ...]:
    """Select the variants that a name, a list of names, or {axis: value's name or names} means."""
    variants = tuple(variants)
    if isinstance(selection, dict):
        wanted = {str(axis): _split_words(words) for axis, words in selection.items()}
        for axis, words in wanted.items():
            there = {variant.levels.get(axis) for variant in variants}
            missing = [word for word in words if word not in there]
            if missing and there != {None}:
                raise MisuseError(f"{path}: {axis} has no {missing[0]!r}; it has {', '.join(sorted(map(str, there)))}.")
        found = [
            variant.name
            for variant in variants
            if all(variant.levels.get(axis) in words for axis, words in wanted.items())
        ]
        if not found:
            axes = {axis: sorted({variant.levels[axis] for variant in variants}) for axis in variants[0].levels}
            raise MisuseError(f"{path}: no variant matches {selection}; the axes are {axes}.")
        return tuple(found)
    names = _split_words(selection)
    known = [variant.name for variant in variants]
    for name in names:
        if name not in known:
            raise MisuseError(f"{path}: there is no variant {name!r}; the variants are {'; '.join(known)}.")
    return tuple(names)


def _split_words(words: Any) -> list[str]:
    return [str(word) for word in words] if isinstance(words, list) else [str(words)]
