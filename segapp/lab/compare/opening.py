"""Opens what a comparison is of: configs and results of runs, folders of predictions, and the true masks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segapp.datasets import Source
from segapp.datasets.masks.encoding import Labels
from segapp.datasets.predicted_masks import PredictedMasks
from segapp.errors import MisuseError
from segapp.lab.compare.competitors import Competitor, name_apart, read_competitors
from segapp.lab.compare.encodings import read_encodings, suggest_encoding
from segapp.lab.compare.runs import ScoredOn, open_run, read_config
from segapp.lab.compare.truth import Truth, find_truth, read_section
from segapp.metrics import BoundaryUnit
from segapp.report.results import Result, name_damaged


@dataclass(frozen=True)
class Request:
    """The options that say what is compared, and on which images."""

    words: Sequence[str]
    folder: Path
    data: str
    encoding: Sequence[str]
    only_common: bool
    score_on: ScoredOn
    allow: Sequence[str]


@dataclass(frozen=True)
class Opened:
    """What is compared; nothing of other tools is scored yet.

    Attributes:
        competitors: In the order of the command line.
        names: What each is called.
        configs: Of the runs, by name.
        results: Of the runs, by name.
        truth: What predictions are scored on; None where all are runs.
        masks: The folders of predictions, by name.
        unit: In which all measure distances between boundaries.
    """

    competitors: Sequence[Competitor]
    names: Sequence[str]
    configs: Mapping[str, dict[str, Any]]
    results: Mapping[str, Result]
    truth: Truth | None
    masks: Mapping[str, PredictedMasks]
    unit: BoundaryUnit


def open_competitors(request: Request) -> Opened:
    """Open runs and folders of predictions; raise MisuseError for what cannot be compared."""
    competitors = read_competitors(request.words)
    found = [read_config(one.path) if one.is_run else None for one in competitors]
    given = [
        one.given if config is None else str(config["name"]) for one, config in zip(competitors, found, strict=True)
    ]
    names = name_apart([one.path for one in competitors], given)
    configs = {name: config for name, config in zip(names, found, strict=True) if config is not None}
    folders = {name: one for name, one in zip(names, competitors, strict=True) if not one.is_run}
    if not folders and (request.data or request.encoding):
        raise MisuseError("--data and --encoding are of folders of predictions, as NAME=FOLDER; leave them out.")
    runs = {
        name: open_run(name, one.path, configs[name], request.score_on, request.allow)
        for name, one in zip(names, competitors, strict=True)
        if one.is_run
    }
    results = {name: result for name, (result, _) in runs.items()}
    unit = find_unit(results)
    truth = None
    if folders:
        truth = _open_truth(request, results, {name: source for name, (_, source) in runs.items()})
    masks = {} if truth is None else _open_masks(folders, request.encoding, truth.source)
    return Opened(competitors, names, configs, results, truth, masks, unit)


def find_unit(results: Mapping[str, Result]) -> BoundaryUnit:
    """Return in which unit the runs' distances are; MisuseError where they differ."""
    units = {}
    for name, result in results.items():
        with name_damaged(Path(str(result.evaluation)) / "metrics.json"):
            stated = result.metrics.get("boundaries")
            units[name] = BoundaryUnit.parse(f"{stated['tolerance']}{stated['unit']}") if stated else BoundaryUnit()
    (first, unit), *others = units.items() or [("", BoundaryUnit())]
    for name, other in others:
        if other != unit:
            raise MisuseError(
                f"{first} was tested with --tolerance {unit}, and {name} with {other}; run segapp test again with one "
                "of them."
            )
    return unit


def _open_masks(
    folders: Mapping[str, Competitor], encoding: Sequence[str], source: Source
) -> dict[str, PredictedMasks]:
    encodings = read_encodings(encoding, [one.given for one in folders.values()], source)
    labels = Labels(source.classes, source.background or 0)
    return {
        name: PredictedMasks(one.path, encodings[one.given], labels, suggest_encoding(one.given, source))
        for name, one in folders.items()
    }


def _open_truth(request: Request, results: Mapping[str, Result], sources: Mapping[str, Source]) -> Truth:
    """Return the images and true masks by which predictions are scored: those that runs were scored on, if any."""
    scored = list(dict.fromkeys(image for result in results.values() for image in result.images))
    first = next(iter(results.values()), None)
    if request.data:
        where, source = Path(request.data), read_section(Path(request.data))
    elif first is not None and first.run is not None:
        where, source = first.run, sources[first.variant]
    else:
        raise MisuseError(
            "predictions are scored on true masks: add --data FILE, a data section that describes images and masks, "
            "such as configs/data/mine.yaml, or a run."
        )
    for name, result in results.items():
        classes = result.metrics.get("classes", list(source.classes))
        if classes != list(source.classes):
            raise MisuseError(
                f"{name} was scored on the classes {', '.join(map(str, classes))}, and {where} describes "
                f"{', '.join(source.classes)}; compare networks of the same classes."
            )
    return find_truth(where, source, request.score_on, scored)
