"""Successive halving: all alternatives train for a short time, the better half for longer, and so on.

Jamieson and Talwalkar 2016. The plan itself takes part in every round, so that the last one compares it with the best
alternative on the same seeds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segapp.checkpoints.merge import get_value, override_values
from segapp.errors import MisuseError, SegappError
from segapp.lab.study.config import Study
from segapp.lab.study.jobs import make_jobs
from segapp.lab.study.queue import Executor, run_all
from segapp.lab.study.results import read_result
from segapp.lab.study.variants import Variant
from segapp.planning.alternatives import Alternative
from segapp.report.results import Result, compute_nan_mean, find_common_images, list_scores, select_scores
from segapp.report.statistics import Interval, estimate_difference

PLAN = "as planned"
FINAL_SEEDS = (0, 1, 2)
"""Seeds of the last round, whose spread a difference is compared with."""
MIN_SECONDS = 60.0
"""Shortest run, without its start; a shorter one would not predict a longer one."""
MIN_STEPS = 30


@dataclass(frozen=True)
class Round:
    """One round of runs of equal time."""

    number: int
    competitors: tuple[str, ...]
    """The plan first."""
    seeds: tuple[int, ...]
    seconds: float
    """Time of each run."""


@dataclass(frozen=True)
class Outcome:
    """Result of the comparison."""

    winner: str
    """`PLAN`, or the alternative that is better than it beyond the noise."""
    best: str
    """The alternative that was left in the last round."""
    difference: Interval
    """Its score minus that of the plan."""
    score: str
    rows: tuple[dict[str, Any], ...]
    """One per round and competitor."""


def plan_rounds(count: int, seconds: float, slots: int) -> list[tuple[int, int, float]]:
    """Plan rounds of equal total time: (alternatives, seeds, seconds of each run).

    Args:
        count: Alternatives, 1 or more.
        seconds: Of all rounds together.
        slots: Runs at a time.

    Raises:
        MisuseError: the runs would be shorter than `MIN_SECONDS`.
    """
    sizes = [count]
    while sizes[-1] > 1:
        sizes.append(math.ceil(sizes[-1] / 2))
    rounds = []
    for index, size in enumerate(sizes):
        seeds = len(FINAL_SEEDS) if index == len(sizes) - 1 else 1
        waves = math.ceil((size + 1) * seeds / slots)
        rounds.append((size, seeds, seconds / len(sizes) / waves))
    shortest = min(each for _, _, each in rounds)
    if shortest < MIN_SECONDS:
        needed = math.ceil(seconds * MIN_SECONDS / shortest / 60)
        raise MisuseError(
            f"--tune {count}: the shortest run would have {shortest:.0f} seconds, but needs {MIN_SECONDS:.0f}; "
            f"set --budget {needed}m or more, or a smaller --tune."
        )
    return rounds


def compare_alternatives(
    folder: Path,
    config: dict[str, Any],
    alternatives: Sequence[Alternative],
    seconds: float,
    executor: Executor,
    report: Callable[[str], object],
) -> Outcome:
    """Train the plan and its alternatives in rounds, and return the result; finished runs are kept.

    Args:
        folder: Of the comparison, below runs/; each round is written to round-<n> in it.
        config: The plan's configuration.
        alternatives: Those that it is compared with.
        seconds: Of all rounds together.
        executor: Runs the jobs.
        report: Called with a line for each round.

    Raises:
        MisuseError: too little time.
        SegappError: the plan's own run failed.
    """
    settings = {PLAN: dict[str, Any](), **{each.name: each.settings for each in alternatives}}
    left, rows = [each.name for each in alternatives], list[dict[str, Any]]()
    budget = _read_budget(config)
    for number, (size, seeds, each) in enumerate(plan_rounds(len(left), seconds, len(executor.slots)), 1):
        left = left[:size]
        current = Round(number, (PLAN, *left), FINAL_SEEDS[:seeds], each)
        report(f"round {number}: {', '.join(current.competitors)}; {seeds} x {each:.0f} s each")
        results = _run_round(folder, current, config, settings, budget, executor)
        means = _compute_means(results, current)
        rows += [
            {"round": number, "variant": variant, "seeds": seeds, "seconds": round(each), "score": means.get(variant)}
            for variant in current.competitors
        ]
        left = sorted((one for one in left if one in means), key=lambda one: -means[one])
        if not left:
            break
    return _choose_winner(results, left, rows)


def shorten_run(config: dict[str, Any], seconds: float, budget: float) -> dict[str, Any]:
    """Return the configuration of a run of so many seconds, of a plan for `budget` seconds.

    The same schedule in fewer steps, validated once, at its end. Callbacks that reach over a whole run are left out.
    """
    steps = max(MIN_STEPS, round(int(get_value(config, "trainer.max_steps")) * seconds / budget))
    time = {
        "class_path": "segapp.callbacks.TimeBudget",
        "init_args": {**_find_time_budget(config), "minutes": round(seconds / 60, 3)},
    }
    return override_values(
        config,
        {
            "trainer.max_steps": steps,
            "trainer.val_check_interval": steps,
            "trainer.check_val_every_n_epoch": None,
            "trainer.callbacks": [time],
        },
    )


def _run_round(
    folder: Path,
    current: Round,
    config: dict[str, Any],
    settings: dict[str, dict[str, Any]],
    budget: float,
    executor: Executor,
) -> list[Result]:
    short = shorten_run(config, current.seconds, budget)
    variants = tuple(Variant(one, {}, override_values(short, settings[one])) for one in current.competitors)
    round_folder = folder / f"round-{current.number}"
    study = Study(round_folder.name, "", "", variants, current.seeds, score_on="validate")
    jobs = make_jobs(study, round_folder)
    run_all(jobs, round_folder, executor)
    results = [read_result(job, study) for job in jobs]
    failed = [result for result in results if result.variant == PLAN and result.status != "finished"]
    if failed:
        raise SegappError(f"the plan's own run failed: {failed[0].message}")
    return results


def _compute_means(results: Sequence[Result], current: Round) -> dict[str, float]:
    """Return the mean score of every competitor whose runs have all finished."""
    score = list_scores(results)[0]
    means = {}
    for variant in current.competitors:
        own = [result for result in results if result.variant == variant and result.status == "finished"]
        if len(own) == len(current.seeds):
            values = [compute_nan_mean([image[score] for image in result.images.values()]) for result in own]
            means[variant] = compute_nan_mean(values)
    return means


def _choose_winner(results: Sequence[Result], left: Sequence[str], rows: Sequence[dict[str, Any]]) -> Outcome:
    score = list_scores(results)[0]
    if not left:
        return Outcome(PLAN, "", Interval(math.nan), score, tuple(rows))
    best, images = left[0], find_common_images(results)
    groups: dict[str, str] = results[0].facts.get("groups", {})
    best_scores, plan_scores = (
        np.array([list(select_scores(results, variant, score, images).values())]) for variant in (best, PLAN)
    )
    difference = estimate_difference(best_scores, plan_scores, [groups.get(image, image) for image in images])
    winner = best if difference.low > 0 else PLAN
    return Outcome(winner, best, difference, score, tuple(rows))


def _read_budget(config: dict[str, Any]) -> float:
    """Return the seconds that the plan's run has."""
    return 60 * float(_find_time_budget(config)["minutes"])


def _find_time_budget(config: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the plan's TimeBudget."""
    for callback in get_value(config, "trainer.callbacks") or []:
        if callback["class_path"] == "segapp.callbacks.TimeBudget":
            found: dict[str, Any] = callback["init_args"]
            return found
    raise SegappError("the plan has no TimeBudget callback.")


def describe_outcome(outcome: Outcome) -> str:
    """Describe in a few sentences what was compared, and with what result."""
    first = sum(row["round"] == 1 for row in outcome.rows) - 1
    if not outcome.best:
        return f"Compared with {first} alternatives by training; none of them finished, so the plan stays."
    found = outcome.difference
    text = (
        f"Compared with {first} alternatives by training (successive halving). {outcome.best}, the best of them, has a "
        f"validation {outcome.score} that differs from the plan's by {found.estimate:+.4f} "
        f"(95 %: {found.low:+.4f} … {found.high:+.4f}, {len(FINAL_SEEDS)} seeds): "
    )
    if outcome.winner != PLAN:
        return f"{text}better, so it is taken."
    return text + ("worse, so the plan stays." if found.high < 0 else "inside the noise, so the plan stays.")
