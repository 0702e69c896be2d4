"""`segapp check`: what is wrong with a data set, before an epoch is spent on it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from segapp.checking.contradictions import (
    Contradiction,
    find_contradictions,
    predict_classes,
    rank_contradictions,
)
from segapp.checking.data_set import DataSet
from segapp.checking.facts import ItemFacts, read_facts
from segapp.checking.page import describe_contradiction, write_page
from segapp.checking.report import write_report
from segapp.checking.rules import apply_rules
from segapp.datasets.problems import Problem
from segapp.datasets.source import SPLITS, Item, Source
from segapp.errors import MisuseError, SegappError
from segapp.inference.engine import Engine
from segapp.inference.open import make_engine, open_networks
from segapp.io import require_free
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import MIN_IMAGES, Fingerprint
from segapp.planning.source import (
    SOURCE_KEY,
    build_planned_source,
    describe_source,
    exclude_unreadable,
    is_folder,
    is_undivided,
)
from segapp.planning.splitting import choose_split
from segapp.planning.unreadable import are_few
from segapp.planning.write import write_plan
from segapp.system.regular_files import refuse_linked_folder
from segapp.terminal.text import for_terminal

FILES = ("check.html", "check.json", "data.yaml")
SHOWN = 20
"""Problems that are printed; the page has more."""
DRAWN = 12
"""Contradicted masks on the page."""


def check(
    images: str = "",
    masks: str = "",
    data: str = "",
    output: str = "check",
    classes: str = "",
    overwrite: bool = False,
    ckpt_path: str = "",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    allow: list[str] = [],  # noqa: B006 - only read; a list is what the command line gives and shows
) -> int:
    """Read every image and mask once, and report what is wrong: a page, a JSON file, and a data section to train with.

    Errors make training wrong, or stop it; warnings are worth a look. The exit code is 1 where there is an error.
    docs/check.md lists the rules.

    Args:
        images: Folder of images, one image, or a pattern with * in quotes.
        masks: Folder of masks, the mask of one image, or a pattern with {name} in quotes.
        data: Data section that describes a data set, as configs/data/mine.yaml, instead of images and masks.
        output: Folder for check.html, check.json and data.yaml.
        classes: Names of the classes, separated by commas, in the order of their values or colours in the masks.
        overwrite: Whether to replace the files of an earlier check.
        ckpt_path: Checkpoint of `segapp fit`, or bundle of `segapp export`: also rank the masks by how confidently this
            network contradicts them. Best is a network that was not trained on these images.
        device: Where the network computes; auto takes the GPU if there is one.
        allow: Class or package outside segapp that the checkpoint may use, for networks of your own.
    """
    folder = Path(output)
    if output == "check":  # what the user names may be a link
        refuse_linked_folder(folder, Path())
    require_free(folder, FILES, overwrite)
    engine = _open_network(ckpt_path, allow, device) if ckpt_path else None
    if engine and images and not classes:
        classes = ",".join(engine.spec.classes)
    decisions = describe_source(images, masks, data, classes)
    source = build_planned_source(decisions)
    if engine and engine.spec.classes != source.classes:
        raise MisuseError(
            f"{ckpt_path}: its classes are {', '.join(engine.spec.classes)}, and those of the data "
            f"{', '.join(source.classes)}. Give the data the classes of the network (`classes`)."
        )
    facts = _read_all(source)
    fingerprint = _describe(source, facts)
    unreadable = _propose_exclusions(fingerprint, decisions)
    if is_undivided(decisions) and len(fingerprint.images) >= MIN_IMAGES:
        decisions += choose_split(fingerprint)
        source = build_planned_source(decisions)
        facts = _assign_splits(source, facts)
    found = DataSet(tuple(facts), source.classes, source.background, _is_grouped(facts))
    problems = [*_list_exclusions(decisions), *source.layout_problems(), *apply_rules(found)]
    problems.sort(key=lambda problem: problem.severity != "error")
    items = [item for members in source.checkable_items().values() for item in members if item.mask is not None]
    ranking = _rank(engine, items) if engine else []
    folder.mkdir(parents=True, exist_ok=True)
    page, report, section = (folder / name for name in FILES)
    write_page(page, data or images, source, found, problems, _predict_worst(engine, items, ranking) if engine else ())
    write_report(report, found, problems, ranking)
    settings = [
        replace(decision, setting=decision.setting.removeprefix("data.")) for decision in (*decisions, *unreadable)
    ]
    write_plan(
        section, settings, f"segapp plan --data {section}\nsegapp fit --config configs/unet.yaml --data {section}"
    )
    _print_problems(problems)
    for one in ranking[:3]:
        if one.region.area:
            print(f"look at  {for_terminal(describe_contradiction(one, source.classes))}")
    print(f"written: {page}, {report}, {section}")
    return 1 if any(problem.severity == "error" for problem in problems) else 0


def _read_all(source: Source) -> list[ItemFacts]:
    items = source.checkable_items()
    total = sum(len(members) for members in items.values())
    if not total:
        problem = next((one for one in source.layout_problems()), None)
        raise MisuseError(problem.message if problem else "there are no images with masks.")
    read = read_facts(items, len(source.classes), source.background)
    return list(tqdm(read, "reading images and masks", total, leave=False, delay=1, disable=None))


def _open_network(ckpt_path: str, allow: Sequence[str], device: str) -> Engine:
    networks = open_networks([ckpt_path], allow, device)
    return make_engine(networks, networks.spec)


def _rank(engine: Engine, items: Sequence[Item]) -> list[Contradiction]:
    """Return how confidently the network contradicts every mask, the most contradicted first."""
    found = tqdm(
        find_contradictions(engine, items), "comparing masks with the network", len(items), leave=False, disable=None
    )
    return rank_contradictions(found)


def _predict_worst(
    engine: Engine, items: Sequence[Item], ranking: Sequence[Contradiction]
) -> list[tuple[Contradiction, np.ndarray]]:
    known = {item.name: item for item in items}
    return [(one, predict_classes(engine, known[one.name])) for one in ranking[:DRAWN] if one.region.area]


def _describe(source: Source, facts: Sequence[ItemFacts]) -> Fingerprint:
    described = tuple(one.described for one in facts if one.described is not None)
    failed = ((one.name, problem.message) for one in facts for problem in one.problems if problem.severity == "error")
    unreadable = tuple(dict(failed).items())
    return Fingerprint(source.classes, source.background, described, len(facts) - len(unreadable), unreadable)


def _propose_exclusions(fingerprint: Fingerprint, decisions: Sequence[Decision]) -> list[Decision]:
    """Propose to leave out images that end a training, where they are few: otherwise the settings are wrong."""
    few = are_few(len(fingerprint.unreadable), fingerprint.total)
    return exclude_unreadable(fingerprint, decisions) if few and is_folder(decisions) else []


def _list_exclusions(decisions: Sequence[Decision]) -> list[Problem]:
    """Return a warning where the proposed settings leave out images that were never read."""
    return [
        Problem(
            "image",
            f"{decision.reason} Correct them, or keep `exclude` in the data section.",
            None,
            "exclude",
            "warning",
        )
        for decision in decisions
        if decision.setting == f"{SOURCE_KEY}.exclude" and decision.reason
    ]


def _assign_splits(source: Source, facts: Sequence[ItemFacts]) -> list[ItemFacts]:
    """Return the same facts with the split and the group that the proposed settings give each image."""
    try:
        placed = {item.name: (split, item.group) for split in SPLITS for item in source.items(split)}
    except SegappError:
        return list(facts)  # reported by `layout_problems`
    return [replace(one, split=placed[one.name][0], group=placed[one.name][1]) for one in facts if one.name in placed]


def _is_grouped(facts: Sequence[ItemFacts]) -> bool:
    return any(one.group != one.name for one in facts)


def _print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems[:SHOWN]:
        print(f"{problem.severity:<8} {for_terminal(problem.message)}")
    if len(problems) > SHOWN:
        print(f"… and {len(problems) - SHOWN} more")
    counts = Counter(problem.severity for problem in problems)
    print(", ".join(f"{counts[kind]} {kind}{'' if counts[kind] == 1 else 's'}" for kind in ("error", "warning")))
