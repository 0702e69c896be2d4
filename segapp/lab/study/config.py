"""Read a study from its YAML: what is held, what is varied, and what is asked."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from segapp.errors import MisuseError
from segapp.lab.study.sections import read_sections
from segapp.lab.study.variants import Variant, build_variants, select_variants

LANDSCAPE_NUMBERS = ("samples", "points", "radius", "seeds", "eigenvalues")
"""Numbers of `segapp landscape` that a study may set; it may set `split` and `recalibrate` too."""

WIDTHS = "model.net.init_args.encoder.init_args.widths"


@dataclass(frozen=True)
class Contrast:
    """A difference to estimate: the mean of some variants minus the mean of others."""

    name: str
    variants: tuple[str, ...]
    against: tuple[str, ...]


@dataclass(frozen=True)
class Matching:
    """How variants get the same number of parameters."""

    target: str | int
    widths: str = WIDTHS
    tolerance: float = 0.01


@dataclass(frozen=True)
class Study:
    """The variants, seeds and contrasts that `segapp study` runs."""

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
    sections = read_sections(path)
    variants = build_variants(path, sections)
    seeds = sections.get("seeds", [0])
    if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) and seed >= 0 for seed in seeds):
        raise MisuseError(f"{path}: seeds must be a list of whole numbers, such as [0, 1, 2], got {seeds!r}.")
    if len(set(seeds)) < len(seeds):
        raise MisuseError(f"{path}: a seed appears twice in {seeds}.")
    verb = sections.get("score_on", "test")
    if verb not in ("test", "validate"):
        raise MisuseError(f"{path}: score_on must be test or validate, got {verb!r}.")
    return Study(
        name=_check_name(path, sections.get("name", path.stem)),
        about=" ".join(str(sections.get("about", "")).split()),
        budget=str(sections.get("budget", "")),
        variants=variants,
        seeds=tuple(seeds),
        contrasts=tuple(_read_contrast(path, variants, item) for item in sections.get("contrasts") or []),
        matching=_read_matching(path, variants, sections.get("match_params")),
        score_on=verb,
        groups=_check_groups(path, sections.get("groups") or {}),
        landscape=_read_landscape(path, sections.get("landscape")),
    )


def _check_name(path: Path, name: Any) -> str:
    if not isinstance(name, str) or not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise MisuseError(f"{path}: name={name!r} must be a plain name, because it becomes a folder under runs/.")
    return name


def _read_contrast(path: Path, variants: tuple[Variant, ...], item: Any) -> Contrast:
    if not isinstance(item, dict) or set(item) != {"name", "variants", "against"}:
        raise MisuseError(f"{path}: a contrast must have name, variants and against, got {item!r}.")
    chosen = [select_variants(path, variants, item[side]) for side in ("variants", "against")]
    if set(chosen[0]) & set(chosen[1]):
        raise MisuseError(f"{path}: the contrast {item['name']!r} has a variant on both sides.")
    return Contrast(str(item["name"]), chosen[0], chosen[1])


def _read_matching(path: Path, variants: tuple[Variant, ...], given: Any) -> Matching | None:
    if given is None:
        return None
    if not isinstance(given, dict) or not {"target"} <= set(given) <= {"target", "widths", "tolerance"}:
        raise MisuseError(f"{path}: match_params must have target, and may have widths and tolerance, got {given!r}.")
    target = given["target"]
    if not isinstance(target, int):
        (target,) = select_variants(path, variants, str(target))
    return Matching(**{**given, "target": target})


def _check_groups(path: Path, given: Any) -> dict[str, Any]:
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
    known = (*LANDSCAPE_NUMBERS, "split", "recalibrate")
    if not isinstance(given, dict) or set(given) - set(known):
        raise MisuseError(f"{path}: landscape must have keys of {', '.join(known)}, got {given!r}.")
    if given.get("split", "train") not in ("train", "val", "test"):
        raise MisuseError(f"{path}: landscape.split must be train, val or test, got {given['split']!r}.")
    if not isinstance(given.get("recalibrate", False), bool):
        raise MisuseError(f"{path}: landscape.recalibrate must be true or false, got {given['recalibrate']!r}.")
    for key in set(LANDSCAPE_NUMBERS) & set(given):
        if isinstance(given[key], bool) or not isinstance(given[key], (int, float) if key == "radius" else int):
            raise MisuseError(f"{path}: landscape.{key} must be a number, got {given[key]!r}.")
    return given
