"""Make one config for each fold from a config of `segapp fit`."""

from inspect import signature
from pathlib import Path
from typing import Any

from segapp.checkpoints.merge import get_value, override_values
from segapp.datasets import Contiguous, Source, Split
from segapp.errors import MisuseError
from segapp.lab.study.config import Study
from segapp.lab.study.variants import Variant
from segapp.loading.source_building import build_source
from segapp.system.yaml_files import read_yaml

SPLIT = "data.source.init_args.split"
K_FOLD = "segapp.datasets.KFold"


def read_folds(path: Path, folds: int) -> Study:
    """Read a complete config of `segapp fit`, and return a study with a variant for each fold.

    A split that holds test images out keeps them out of every fold; folds of a contiguous split are contiguous, those
    of a stratified one stratified. Raises MisuseError for a config without data, for a data set that does not
    take a split, and for fewer than 2 folds.
    """
    if folds < 2:
        raise MisuseError(f"--folds must be 2 or more, got {folds}; 5 is usual.")
    config = _read_config(path)
    source = build_source(path, config["data"])
    split = getattr(source, "split", None)
    if not isinstance(split, Split) or "split" not in signature(type(source)).parameters:
        raise MisuseError(
            f"{path}: {type(source).__name__} divides its images itself; folds need a data set with a split, "
            "such as segapp.datasets.Folder."
        )
    given = get_value(config, SPLIT)
    if isinstance(given, dict) and str(given.get("class_path")).endswith("KFold"):
        raise MisuseError(f"{path}: its split is one of k folds already; set another split, or null.")
    common = {"folds": folds, "seed": _read_number(path, config, f"{SPLIT}.init_args.seed")}
    common |= {"contiguous": isinstance(split, Contiguous), "stratify": bool(getattr(split, "stratify", False))}
    within = _describe_split(source, given)
    variants = tuple(
        Variant(name_fold(number), {}, override_values(config, _choose_fold(common | {"fold": number}, within)))
        for number in range(folds)
    )
    name = get_value(config, "name") or path.stem
    return Study(
        name=f"{name}_folds",
        about=f"Every image of {name} predicted by the network that has not seen its fold.",
        budget="",
        variants=variants,
        seeds=(_read_number(path, config, "seed_everything"),),
        score_on="validate",
    )


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


def _read_number(path: Path, config: dict[str, Any], key: str) -> int:
    value = get_value(config, key)
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


def _choose_fold(settings: dict[str, Any], within: dict[str, Any] | None) -> dict[str, Any]:
    """Return the changes of the config: the split is one value, so that nothing of the former one remains."""
    return {SPLIT: {"class_path": K_FOLD, "init_args": settings | {"within": within}}}
