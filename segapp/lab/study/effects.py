"""Make the tables of a study: a row per run, per image, per variant and per contrast."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segapp.report.gradient_flow_table import compute_median
from segapp.report.results import Result, assign_groups, find_common_images, name_score, select_scores
from segapp.report.statistics import Interval, adjust_p_values, estimate_difference, estimate_mean

TableRow = dict[str, Any]

P, P_RUNS = "p", "p (these runs)"
"""Two columns of p: with one seed only, p is over other images, not over other seeds."""


@dataclass(frozen=True)
class Question:
    """A contrast: the mean of `variants` minus the mean of `against`."""

    name: str
    variants: tuple[str, ...]
    against: tuple[str, ...]


def make_run_rows(results: Sequence[Result]) -> list[TableRow]:
    """Make one row per variant and seed: its settings, cost and scores."""
    return [_make_run_row(result) for result in results]


def _make_run_row(result: Result) -> TableRow:
    row: TableRow = {"variant": result.variant, **result.levels, "seed": result.seed, "status": result.status}
    row |= {"parameters": result.facts.get("parameters"), "gflops": None, "seconds": _round(result.seconds, 4)}
    if result.facts.get("flops"):
        row["gflops"] = _round(result.facts["flops"] / 1e9, 4)
    if result.curves:
        row["epochs"] = len(result.curves)
        row |= {name: _find_last(result, name) for name in ("train/loss", "val/loss")}
        dice = [float(each["val/dice/dataset"]) for each in result.records if each.get("val/dice/dataset")]
        row["best val/dice/dataset"] = max((value for value in dice if not math.isnan(value)), default=None)
    if result.metrics:
        row["scored loss"] = _round(result.metrics["loss"])
        names = [name for name in result.metrics["scores"] if name.count("/") == 1]
        row |= {name: _round(result.metrics["scores"][name]) for name in names}
    return row | {f"gradient/{module}": _round(norm) for module, norm in compute_gradient_profile(result).items()}


def find_best_losses(result: Result) -> tuple[float, float]:
    """Find the lowest validation loss of any epoch, after the training loss of that epoch; NaN where there is none."""
    pairs = [(float(row.get("val/loss") or "nan"), float(row.get("train/loss") or "nan")) for row in result.curves]
    validation, training = min((pair for pair in pairs if not math.isnan(pair[0])), default=(math.nan, math.nan))
    return training, validation


def _find_last(result: Result, name: str) -> float | None:
    value = result.curves[-1].get(name)
    return float(value) if value else None


def compute_gradient_profile(result: Result) -> dict[str, float]:
    """Compute every module's gradient norm, the median over the measured steps, in the order of execution."""
    if result.flow is None:
        return {}
    flow = result.flow.select_weighted()
    return dict(zip(flow.modules, compute_median(flow.values["gradient_norm"]).tolist(), strict=True))


def make_image_rows(results: Sequence[Result], rule: dict[str, Any]) -> list[TableRow]:
    """Make one row per variant, seed and image: its group and every score."""
    rows = []
    for result in results:
        images = sorted(result.images)
        groups = assign_groups(images, result.facts.get("groups", {}), rule)
        for image, group in zip(images, groups, strict=True):
            scores = {score: _round(value) for score, value in result.images[image].items()}
            rows.append({"variant": result.variant, "seed": result.seed, "image": image, "group": group, **scores})
    return rows


def make_variant_rows(results: Sequence[Result], scores: Sequence[str], rule: dict[str, Any]) -> list[TableRow]:
    """Make one row per variant and score: the mean over seeds and images, and its interval."""
    images = find_common_images(results)
    groups = _assign_groups(results, images, rule)
    rows = []
    for score in scores:
        for variant in dict.fromkeys(result.variant for result in results):
            by_seed = select_scores(results, variant, score, images)
            if by_seed:
                found = estimate_mean(np.stack(list(by_seed.values())), groups)
                rows.append(
                    {"score": name_score(score), "variant": variant, "seeds": len(by_seed), **_format_interval(found)}
                )
    return rows


def make_contrast_rows(
    results: Sequence[Result], questions: Sequence[Question], scores: Sequence[str], rule: dict[str, Any]
) -> list[TableRow]:
    """Return a row per contrast and score: the difference, its interval, p and Holm's p among those of the score."""
    images = find_common_images(results)
    groups = _assign_groups(results, images, rule)
    rows: list[TableRow] = []
    for score in scores:
        family = [_compute_contrast(results, question, score, images, groups) for question in questions]
        for column in (P, P_RUNS):
            corrected = adjust_p_values([row.get(column, math.nan) for row in family])
            family = [
                row | {f"{column} (Holm)": value} if column in row else row
                for row, value in zip(family, corrected, strict=True)
            ]
        rows += family
    return rows


def _compute_contrast(
    results: Sequence[Result], question: Question, score: str, images: Sequence[str], groups: Sequence[str]
) -> TableRow:
    """Compute a contrast paired by seed and image; seeds that lack a variant of the contrast are left out.

    `images` and `groups` are those with a score in any variant.
    """
    sides = [
        {variant: select_scores(results, variant, score, images) for variant in variants}
        for variants in (question.variants, question.against)
    ]
    seeds = sorted(set.intersection(*(set(found) for side in sides for found in side.values())))
    row: TableRow = {"score": name_score(score), "contrast": question.name, "seeds": len(seeds)}
    if not seeds:
        return (
            row
            | {"images": len(images), "groups": len(set(groups))}
            | _format_interval(Interval(math.nan))
            | {P: math.nan}
        )
    first, second = (np.array([[found[seed] for seed in seeds] for found in side.values()]) for side in sides)
    known = ~np.isnan(np.concatenate([first, second])).all((0, 1))
    row |= {"images": int(known.sum()), "groups": len(set(np.asarray(groups)[known]))}
    found = estimate_difference(first, second, groups)
    return row | _format_interval(found) | {P if len(seeds) > 1 else P_RUNS: found.p}


def _assign_groups(results: Sequence[Result], images: Sequence[str], rule: dict[str, Any]) -> list[str]:
    known: dict[str, str] = {}
    for result in results:
        known |= result.facts.get("groups", {})
    return assign_groups(images, known, rule)


def _format_interval(found: Interval) -> TableRow:
    return {"estimate": found.estimate, "low": found.low, "high": found.high}


def _round(value: float | None, digits: int = 6) -> float | None:
    return None if value is None or math.isnan(value) else float(f"{value:.{digits}g}")
