"""Write the page of a training from the files in its folder: curves, samples, the plan, time and memory."""

import math
import platform
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from segapp import __version__
from segapp.io import read_table
from segapp.io.yaml_comments import read_comments
from segapp.natural_order import make_natural_key
from segapp.report.page import Page, embed_image, fold, format_code, format_facts, keep_width
from segapp.report.tables import format_html
from segapp.spec import Spec
from segapp.system.text_files import read_text
from segapp.system.yaml_files import LARGEST, parse_yaml

MOST_IMAGES = 3
"""Validation images whose samples are shown."""
MOST_EPOCHS = 4
"""Samples of one image: the first, the last and some between."""
MOST_BYTES = 4_000_000
"""All samples of a page together."""
LONGEST_VALUE = 160
"""Letters of the value of a setting that was planned."""

_SAMPLE = re.compile(r"(.+)-epoch(\d+)\.png")


@dataclass(frozen=True)
class Best:
    """The validation with the highest Dice: its score, its epoch from 1 on, and the optimiser steps before it."""

    score: float
    epoch: int
    step: int


@dataclass(frozen=True)
class Session:
    """What was measured between the start of a training, or its resumption, and its end."""

    end: str
    """Why it ended, as a sentence."""
    first_step: int
    """Optimiser steps that were done before."""
    steps: int
    """Optimiser steps of the session."""
    seconds: float
    validation_seconds: float
    best: Best | None
    """The best validation of the session."""
    peak_bytes: int
    """Largest memory of the process."""
    gpu_bytes: int | None
    """Largest memory of the GPU, None without one."""
    device: str


def write_training_page(path: Path, session: Session, spec: Spec) -> Best | None:
    """Write the page beside the files of its run, and return the best validation of all sessions."""
    folder = path.parent
    rows = read_table(folder / "metrics.csv") if (folder / "metrics.csv").is_file() else []
    config = read_text(folder / "config.yaml", LARGEST) if (folder / "config.yaml").is_file() else ""
    found = parse_yaml(config, str(folder / "config.yaml"))
    settings = found if isinstance(found, dict) else {}
    best = find_best(rows, session.best)
    page = Page(f"Training: {settings.get('name') or folder.name}", format_facts(_list_facts(session, rows, best)))
    page.add_section("Result")
    page.add_text(session.end)
    _add_scores(page, rows, best, spec)
    if (folder / "curves.png").is_file():
        page.add_section("Curves")
        page.add(keep_width(embed_image(folder / "curves.png", "Losses, and Dice of every class, over epochs")))
    _add_samples(page, folder / "samples")
    _add_plan(page, config, settings)
    page.add_section("Time and memory")
    page.add(format_facts(_list_costs(session)))
    page.add_text(_describe_costs(session), note=True)
    page.add_section("Settings and versions")
    page.add(format_facts(_list_versions(session)))
    if config:
        page.add(fold("config.yaml", format_code(config)))
    page.write(path)
    return best


def find_best(rows: Sequence[Mapping[str, str]], best: Best | None) -> Best | None:
    """Find the best validation among those of the last session and the rows of metrics.csv."""
    found = [best] if best else []
    for row in rows:
        if row.get("val/dice/dataset") not in (None, "", "nan"):
            found.append(Best(float(row["val/dice/dataset"]), int(row["epoch"]), int(row["step"])))
    # rows have six digits, so of two that agree the first counts, the session's own
    return max(found, key=lambda one: round(one.score, 5), default=None)


def choose_samples(names: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """Choose the files of samples that are shown: by image, the epoch and the name of each."""
    by_image: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in names:
        if found := _SAMPLE.fullmatch(name):
            by_image[found[1]].append((int(found[2]), name))
    chosen = sorted(by_image, key=make_natural_key)[:MOST_IMAGES]
    return {image: _pick(sorted(by_image[image]), MOST_EPOCHS) for image in chosen}


def _pick(values: list[tuple[int, str]], most: int) -> list[tuple[int, str]]:
    """Pick the first, the last and evenly spaced values between."""
    if len(values) <= most:
        return values
    return [values[round(number * (len(values) - 1) / (most - 1))] for number in range(most)]


def _list_facts(session: Session, rows: Sequence[Mapping[str, str]], best: Best | None) -> dict[str, str]:
    facts = {"best validation Dice": f"{best.score:.4f}", "its step": f"{best.step:,}"} if best else {}
    return facts | {
        "steps": f"{session.first_step + session.steps:,}",
        "complete epochs": rows[-1]["epoch"] if rows else "0",
        "since it was resumed" if session.first_step else "time": _format_duration(session.seconds),
    }


def _add_scores(page: Page, rows: Sequence[Mapping[str, str]], best: Best | None, spec: Spec) -> None:
    row = next((row for row in rows if best and int(row["step"]) == best.step), None)
    if row is None:
        return
    names = [*((name, f"/{name}") for name in spec.classes), ("mean", "")]
    scores = {"Dice": "val/dice/dataset", "IoU": "val/iou/dataset"}
    table: list[dict[str, Any]] = [
        {"class": name, **{title: float(row.get(f"{key}{end}") or math.nan) for title, key in scores.items()}}
        for name, end in names
    ]
    page.add(format_html(table))
    background = spec.classes[spec.background] if spec.background is not None else None
    rest = f", {background} left out of the mean" if background is not None else ""
    page.add_text(f"Of the best validation, over the pixels of the whole set{rest}.", note=True)


def _add_samples(page: Page, folder: Path) -> None:
    chosen = choose_samples([path.name for path in folder.iterdir()]) if folder.is_dir() else {}
    if not chosen:
        return
    page.add_section("Samples over time")
    left = MOST_BYTES
    for image, files in chosen.items():
        for epoch, name in files:
            left -= (folder / name).stat().st_size
            if left < 0:
                page.add_text(f"More samples are in the folder {folder.name}.", note=True)
                return
            page.add(embed_image(folder / name, f"{image}, epoch {epoch}"))


def _add_plan(page: Page, config: str, settings: dict[str, Any]) -> None:
    reasons = read_comments(config)
    if not reasons:
        return
    page.add_section("What was planned, and why")
    for key, reason in reasons.items():  # no table: on a phone its last column would be out of sight
        page.add_text(f"{key.removesuffix('.class_path')}: {_shorten(settings, key)}")
        page.add_text(reason, note=True)


def _shorten(settings: Any, key: str) -> str:
    """Return a setting's value in a few words: of a class its name."""
    for part in key.split("."):
        settings = settings.get(part) if isinstance(settings, dict) else None
    values = settings if isinstance(settings, list) and settings else [settings]
    names = [one["class_path"] if isinstance(one, dict) and "class_path" in one else one for one in values]
    text = ", ".join(map(str, names)) if isinstance(settings, list) else str(names[0])
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _list_costs(session: Session) -> dict[str, str]:
    training = session.seconds - session.validation_seconds
    costs = {
        "steps a second": f"{session.steps / training:.3g}" if training > 0 else "–",
        "training": _format_duration(training),
        "validation": _format_duration(session.validation_seconds),
        "of the time in validation": f"{session.validation_seconds / session.seconds:.0%}" if session.seconds else "–",
        "memory of the process, at most": f"{session.peak_bytes / 1e9:.3g} GB",
    }
    if session.gpu_bytes is not None:
        costs["memory of the GPU, at most"] = f"{session.gpu_bytes / 1e9:.3g} GB"
    return costs


def _describe_costs(session: Session) -> str:
    last = session.first_step + session.steps
    note = "Steps a second do not count validations; they count the time that steps wait for images."
    if session.first_step:
        return f"Measured from step {session.first_step:,}, where the run was resumed, to {last:,}. {note}"
    return note


def _list_versions(session: Session) -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "lightning")}
    return {"segapp": __version__, "Python": platform.python_version(), **packages, "device": session.device}


def _format_duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"
