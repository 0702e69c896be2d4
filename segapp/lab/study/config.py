"""A study as its YAML says it: what is held, what is varied, and what is asked."""

import difflib
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from segapp.checkpoints.merge import merged, override_values
from segapp.errors import MisuseError
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

LANDSCAPE = ("samples", "points", "radius", "seeds", "eigenvalues")
"""Numbers of `segapp landscape` that a study may set; it may set `split` and `recalibrate` too."""

WIDTHS = "model.net.init_args.encoder.init_args.widths"


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
        """The name as a file system takes it."""
        return re.sub(r"[^\w.=+-]+", "_", self.name).strip("_.") or "variant"


@dataclass(frozen=True)
class Contrast:
    """A difference that was asked for: the mean of some variants minus the mean of others."""

    name: str
    variants: tuple[str, ...]
    against: tuple[str, ...]


@dataclass(frozen=True)
class Matching:
    """How variants are made equally large."""

    target: str | int
    widths: str = WIDTHS
    tolerance: float = 0.01


@dataclass(frozen=True)
class Study:
    """What `segapp study` carries out."""

    name: str
    about: str
    budget: str
    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    contrasts: tuple[Contrast, ...] = ()
    matching: Matching | None = None
    score_on: Literal["test", "validate"] = "test"
    groups: dict[str, Any] = field(default_factory=dict)
    landscape: dict[str, Any] | None = None


def read_study(path: Path) -> Study:
    """Read the study of a YAML file; raise MisuseError for what is missing, unknown or contradictory."""
    text = _read_sections(path)
    variants = _build_variants(path, text)
    seeds = text.get("seeds", [0])
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) and seed >= 0 for seed in seeds):
        raise MisuseError(f"{path}: seeds must be a list of whole numbers, such as [0, 1, 2], got {seeds!r}.")
    if len(set(seeds)) < len(seeds):
        raise MisuseError(f"{path}: a seed appears twice in {seeds}.")
    verb = text.get("score_on", "test")
    if verb not in ("test", "validate"):
        raise MisuseError(f"{path}: score_on must be test or validate, got {verb!r}.")
    return Study(
        name=_name(path, text.get("name", path.stem)),
        about=" ".join(str(text.get("about", "")).split()),
        budget=str(text.get("budget", "")),
        variants=variants,
        seeds=tuple(seeds),
        contrasts=tuple(_read_contrast(path, variants, item) for item in text.get("contrasts") or []),
        matching=_read_matching(path, variants, text.get("match_params")),
        score_on=verb,
        groups=_groups(path, text.get("groups") or {}),
        landscape=_read_landscape(path, text.get("landscape")),
    )


def _read_sections(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read the file's sections over those of the study it is like; `set` is merged, all others are replaced."""
    text = _read(path)
    unknown = [key for key in text if key not in KEYS]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0]), KEYS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else f"; a study has {', '.join(KEYS)}"
        raise MisuseError(f"{path}: there is no key {unknown[0]!r}{hint}.")
    for key, (kind, meant) in TYPES.items():
        if text.get(key) is not None and not isinstance(text[key], kind):
            raise MisuseError(f"{path}: {key} is {meant}, got {text[key]!r}.")
    like = text.pop("like", None)
    if like is None:
        return text
    if Path(like) in seen:
        raise MisuseError(f"{path}: `like: {like}` refers back to itself.")
    below = _read_sections(Path(like), (*seen, path, Path(like)))
    below.pop("name", None)
    return below | text | {"set": (below.get("set") or {}) | (text.get("set") or {})}


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MisuseError(
            f"there is no config {path}; paths in a study are relative to the folder in which segapp is started."
        )
    text = read_yaml(path)
    if not isinstance(text, dict):
        raise MisuseError(f"{path}: a mapping of keys to values is expected.")
    return text


def _name(path: Path, name: Any) -> str:
    if not isinstance(name, str) or not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise MisuseError(f"{path}: name={name!r} must be a plain name, because it becomes a folder under runs/.")
    return name


def _build_variants(path: Path, text: dict[str, Any]) -> tuple[Variant, ...]:
    if "base" not in text:
        raise MisuseError(f"{path}: `base` must name a complete config of `segapp fit`, such as configs/unet.yaml.")
    config = _read(Path(text["base"]))
    for section in ("data", "model"):
        if text.get(section):
            config = merged(config, {section: _read(Path(text[section]))})
    config = override_values(config, text.get("set") or {})
    axes = [_read_axis(path, name, values) for name, values in (text.get("grid") or {}).items()]
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


def _read_contrast(path: Path, variants: tuple[Variant, ...], item: Any) -> Contrast:
    if not isinstance(item, dict) or set(item) != {"name", "variants", "against"}:
        raise MisuseError(f"{path}: a contrast must have name, variants and against, got {item!r}.")
    chosen = [select_variants(path, variants, item[side]) for side in ("variants", "against")]
    if set(chosen[0]) & set(chosen[1]):
        raise MisuseError(f"{path}: the contrast {item['name']!r} has a variant on both sides.")
    return Contrast(str(item["name"]), chosen[0], chosen[1])


def select_variants(path: Path, variants: Iterable[Variant], selection: Any) -> tuple[str, ...]:
    """Select the variants that a name, a list of names, or {axis: value's name or names} stands for."""
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


def _read_matching(path: Path, variants: tuple[Variant, ...], given: Any) -> Matching | None:
    if given is None:
        return None
    if not isinstance(given, dict) or not {"target"} <= set(given) <= {"target", "widths", "tolerance"}:
        raise MisuseError(f"{path}: match_params must have target, and may have widths and tolerance, got {given!r}.")
    target = given["target"]
    if not isinstance(target, int):
        (target,) = select_variants(path, variants, str(target))
    return Matching(**{**given, "target": target})


def _groups(path: Path, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or set(given) - {"neighbours", "pattern"} or len(given) > 1:
        raise MisuseError(
            f"{path}: groups must be {{neighbours: n}} or {{pattern: regular expression}}, got {given!r}."
        )
    count = given.get("neighbours", 1)
    if type(count) is not int or count < 1:
        raise MisuseError(f"{path}: groups.neighbours must be a number of images, 1 or more, got {count!r}.")
    try:
        re.compile(given.get("pattern", ""))
    except (re.error, TypeError) as error:
        raise MisuseError(f"{path}: groups.pattern is no regular expression ({error}).") from error
    return given


def _read_landscape(path: Path, given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    known = (*LANDSCAPE, "split", "recalibrate")
    if not isinstance(given, dict) or set(given) - set(known):
        raise MisuseError(f"{path}: landscape must have keys of {', '.join(known)}, got {given!r}.")
    if given.get("split", "train") not in ("train", "val", "test"):
        raise MisuseError(f"{path}: landscape.split must be train, val or test, got {given['split']!r}.")
    if not isinstance(given.get("recalibrate", False), bool):
        raise MisuseError(f"{path}: landscape.recalibrate must be true or false, got {given['recalibrate']!r}.")
    for key in set(LANDSCAPE) & set(given):
        if isinstance(given[key], bool) or not isinstance(given[key], (int, float) if key == "radius" else int):
            raise MisuseError(f"{path}: landscape.{key} must be a number, got {given[key]!r}.")
    return given
