"""Make one config for each fold from a config of `segapp fit`."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from segapp.checkpoints.merge import get_value, override_values
from segapp.datasets import Contiguous, Joined, Source, Split
from segapp.errors import MisuseError
from segapp.lab.study.config import Study
from segapp.lab.study.variants import Variant
from segapp.loading.source_building import build_source, list_source_arguments
from segapp.system.yaml_files import read_yaml

SOURCE = "data.source.init_args"
SPLIT, SOURCES = f"{SOURCE}.split", f"{SOURCE}.sources"
K_FOLD = "segapp.datasets.KFold"


def read_folds(path: Path, folds: int) -> Study:
    """Read a complete config of `segapp fit`, and return a study with a variant for each fold.

    A split that holds test images out keeps them out of every fold; folds of a contiguous split are contiguous, those
    of a stratified one stratified. Each of several joined data sets is divided by itself, and a fold holds one of each.
    Raises MisuseError for a config without data, for a data set that does not take a split, and for fewer than 2 folds.
    """
    if folds < 2:
        raise MisuseError(f"--folds must be 2 or more, got {folds}; 5 is usual.")
    config = _read_config(path)
    parts = _list_parts(path, config, folds)
    variants = tuple(
        Variant(name_fold(number), {}, override_values(config, _choose_fold(config, parts, number)))
        for number in range(folds)
    )
    name = get_value(config, "name") or path.stem
    return Study(
        name=f"{name}_folds",
        about=f"Every image of {name} predicted by the network that has not seen its fold.",
        budget="",
        variants=variants,
        seeds=(_check_number(path, "seed_everything", get_value(config, "seed_everything")),),
        score_on="validate",
    )


@dataclass(frozen=True)
class _Part:
    """A data set that is divided into folds.

    Attributes:
        key: Of its settings in the config.
        common: Arguments of `KFold` that are those of every fold.
    """

    key: str
    common: dict[str, Any]


def _list_parts(path: Path, config: dict[str, Any], folds: int) -> list[_Part]:
    """Return the data sets of a config: one, or those that it joins; MisuseError for one that takes no split."""
    source = build_source(path, deepcopy(config["data"]))  # parsing changes lists in place
    sources = source.sources if isinstance(source, Joined) else (source,)
    places = list_source_arguments(config["data"]["source"])
    return [
        _Part(place, _describe_folds(path, one, arguments, place) | {"folds": folds})
        for one, (place, arguments) in zip(sources, places, strict=True)
    ]


def _describe_folds(path: Path, source: Source, arguments: dict[str, Any], place: str) -> dict[str, Any]:
    split, given = getattr(source, "split", None), arguments.get("split")
    if not isinstance(split, Split) or "split" not in signature(type(source)).parameters:
        raise MisuseError(
            f"{path}: {place}: {type(source).__name__} divides its images itself; folds need a data set with a split, "
            "such as segapp.datasets.Folder."
        )
    if isinstance(given, dict) and str(given.get("class_path")).endswith("KFold"):
        raise MisuseError(f"{path}: {place}.split is one of k folds already; set another split, or null.")
    seed = _check_number(path, f"{place}.split.init_args.seed", get_value(arguments, "split.init_args.seed"))
    return {
        "seed": seed,
        "contiguous": isinstance(split, Contiguous),
        "stratify": bool(getattr(split, "stratify", False)),
        "within": _describe_split(source, given),
    }


def name_fold(number: int) -> str:
    """Return the name of a fold, counted from 0."""
    return f"fold {number}"


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MisuseError(
            f"there is no config {path}; --config needs a complete config of segapp fit, such as segapp plan writes."
        )
    config = read_yaml(path)
    if not isinstance(config, dict) or not isinstance(get_value(config, "data.source"), dict):
        raise MisuseError(f"{path}: has no data.source; segapp folds needs a complete config of segapp fit.")
    return config


def _check_number(path: Path, key: str, value: Any) -> int:
    if value is None or value is True:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise MisuseError(f"{path}: {key} must be a whole number, 0 or more, got {value!r}.")
    return value


def _describe_split(source: Source, given: Any) -> dict[str, Any] | None:
    """Return the settings of the split within which folds are made; None where it leaves nothing to keep.

    Its test images stay out of all folds, and the blocks into which it cuts images are what folds are made of.
    """
    if not source.items("test") and not source.cuts_images:
        return None
    if isinstance(given, dict):
        return given
    return {"class_path": given or "segapp.datasets.Folders"}


def _choose_fold(config: dict[str, Any], parts: Sequence[_Part], fold: int) -> dict[str, Any]:
    """Return the changes of the config: a split is one value, so that nothing of the former one remains."""
    splits = [{"class_path": K_FOLD, "init_args": part.common | {"fold": fold}} for part in parts]
    if parts[0].key == SOURCE:
        return {SPLIT: splits[0]}
    sources = [
        {**one, "init_args": {**(one.get("init_args") or {}), "split": split}}
        for one, split in zip(get_value(config, SOURCES), splits, strict=True)
    ]
    return {SOURCES: sources}
