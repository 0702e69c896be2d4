"""Read the sections of a study's YAML, over those of the study that it is like."""

import difflib
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.io import real_path
from segapp.system.yaml_files import read_yaml

KEYS = {
    "like": "another study, whose keys this one overrides",
    "name": "the study's folder under runs/",
    "about": "a paragraph for the page",
    "budget": "how long it takes and on what",
    "base": "a complete config of `segapp fit`",
    "data": "a fragment over its data section",
    "model": "a fragment over its model section",
    "set": "settings by dotted keys, for all variants",
    "grid": "axes: {axis: {value's name: {key: value}}} or {key: [values]}",
    "seeds": "a list of seeds",
    "match_params": "{target: a variant or a number of parameters, widths: key, tolerance: fraction}",
    "score_on": "test or validate",
    "groups": "{neighbours: n} or {pattern: regular expression} of the images",
    "landscape": "options of `segapp landscape` for every run, as {samples: 32, points: 15}; {}: its defaults",
    "contrasts": "[{name, variants: selection, against: selection}]",
}

TYPES: dict[str, tuple[type, str]] = {
    "like": (str, "the path of a YAML"),
    "base": (str, "the path of a YAML"),
    "data": (str, "the path of a YAML"),
    "model": (str, "the path of a YAML"),
    "set": (dict, "a mapping of dotted keys to values"),
    "grid": (dict, "a mapping of axes"),
    "contrasts": (list, "a list"),
}


FILES = ("base", "data", "model")
"""Keys whose values are paths."""


def read_sections(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read the file's sections over those of the study named by `like`; `set` is merged, all others are replaced.

    Paths are relative to the file that they stand in, as those in the configs of `segapp fit`; in the result they are
    relative to the current folder.
    """
    sections = read_mapping(path)
    unknown = [key for key in sections if key not in KEYS]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0]), KEYS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else f"; a study has {', '.join(KEYS)}"
        raise MisuseError(f"{path}: there is no key {unknown[0]!r}{hint}.")
    for key, (kind, meant) in TYPES.items():
        if sections.get(key) is not None and not isinstance(sections[key], kind):
            raise MisuseError(f"{path}: {key} is {meant}, got {sections[key]!r}.")
    sections |= {key: str(path.parent / sections[key]) for key in FILES if sections.get(key)}
    like = sections.pop("like", None)
    if like is None:
        return sections
    seen = (*seen, real_path(path))
    if real_path(path.parent / like) in seen:
        raise MisuseError(f"{path}: `like: {like}` refers back to itself.")
    below = read_sections(path.parent / like, seen)
    below.pop("name", None)
    return below | sections | {"set": (below.get("set") or {}) | (sections.get("set") or {})}


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file of keys and values; raise MisuseError for another one."""
    if not path.is_file():
        raise MisuseError(f"there is no config {path}; paths in a study are relative to the study's own file.")
    sections = read_yaml(path)
    if not isinstance(sections, dict):
        raise MisuseError(f"{path}: a mapping of keys to values is expected.")
    return sections
