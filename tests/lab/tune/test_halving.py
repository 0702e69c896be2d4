"""Rounds, and the conclusion from scores that are known."""

import csv
import json
import math
from pathlib import Path

import pytest

from segapp.checkpoints.merge import get_value
from segapp.errors import MisuseError, SegappError
from segapp.lab.study.run_variant import Slot
from segapp.lab.tune import halving
from segapp.lab.tune.halving import (
    FINAL_SEEDS,
    MIN_SECONDS,
    MIN_STEPS,
    PLAN,
    compare_alternatives,
    describe_outcome,
    plan_rounds,
    shorten_run,
)
from segapp.planning.alternatives import Alternative
from segapp.report.results import Result

CONFIG = {
    "trainer": {
        "max_steps": 1000,
        "callbacks": [{"class_path": "segapp.callbacks.TimeBudget", "init_args": {"minutes": 10}}],
    }
}
ALTERNATIVES = [Alternative(name, {"model.x": name}) for name in ("good", "bad", "worse", "same")]


class Place:
    """Two runs at a time; none is started here."""

    slots = (Slot(None, 1), Slot(None, 1))


def test_rounds_halve_the_alternatives_in_equal_time():
    assert plan_rounds(4, 3600, 2) == [(4, 1, 400), (2, 1, 600), (1, 3, 400)]
    assert plan_rounds(1, 600, 1) == [(1, 3, 100)]
    assert [size for size, _, _ in plan_rounds(5, 36000, 1)] == [5, 3, 2, 1]


def test_too_little_time_names_what_is_enough():
    with pytest.raises(MisuseError, match="--budget 18m") as raised:
        plan_rounds(4, 60, 1)
    assert "--tune 4" in str(raised.value)
    assert min(seconds for _, _, seconds in plan_rounds(4, 18 * 60, 1)) >= MIN_SECONDS


def test_a_short_run_has_its_part_of_the_steps_and_one_validation():
    short = shorten_run(CONFIG, 60, 600)
    assert get_value(short, "trainer.max_steps") == get_value(short, "trainer.val_check_interval") == 100
    (time,) = get_value(short, "trainer.callbacks")
    assert time["init_args"]["minutes"] == 1
    assert get_value(shorten_run(CONFIG, 1, 600), "trainer.max_steps") == MIN_STEPS


def run_with(monkeypatch, tmp_path, level, spread):
    """Let every run have, on five images, the score of its variant plus a spread that depends on its seed."""
    seen = []

    def run(folder, this, config, settings, budget, place):
        seen.append(this)
        results = []
        for seed in this.seeds:
            for variant in this.competitors:
                place_of = tmp_path / f"{this.number}{variant}{seed}"
                place_of.mkdir()
                with (place_of / "per_image.csv").open("w", newline="") as file:
                    writer = csv.writer(file)
                    writer.writerow(["name", "dice"])
                    rise = spread * (seed - 1) * (1 if variant == PLAN else -1)
                    writer.writerows([f"i{i}", level[variant] + rise + 0.001 * i] for i in range(5))
                (place_of / "metrics.json").write_text(json.dumps({"loss": 0, "scores": {}}))
                status = "failed" if math.isnan(level[variant]) else "finished"
                results.append(Result(variant, seed, status, evaluation=None if status == "failed" else place_of))
        return results

    monkeypatch.setattr(halving, "_run_round", run)
    return seen


LEVELS = {PLAN: 0.7, "good": 0.8, "bad": 0.5, "worse": 0.4, "same": 0.6}


def test_the_best_alternative_is_taken_where_it_is_better_beyond_the_noise(monkeypatch, tmp_path):
    seen = run_with(monkeypatch, tmp_path, LEVELS, 0.001)
    told = []
    outcome = compare_alternatives(Path("mine"), CONFIG, ALTERNATIVES, 3600, Place(), told.append)
    assert [this.competitors for this in seen] == [
        (PLAN, "good", "bad", "worse", "same"),
        (PLAN, "good", "same"),
        (PLAN, "good"),
    ]
    assert seen[-1].seeds == FINAL_SEEDS and len(told) == 3
    assert outcome.winner == outcome.best == "good"
    assert outcome.difference.estimate == pytest.approx(0.1, abs=0.003)
    assert len(outcome.rows) == 5 + 3 + 2
    assert "taken" in describe_outcome(outcome)


def test_inside_the_noise_the_plan_stays(monkeypatch, tmp_path):
    run_with(monkeypatch, tmp_path, LEVELS | {"good": 0.71}, 0.02)
    outcome = compare_alternatives(Path("mine"), CONFIG, ALTERNATIVES, 3600, Place(), print)
    assert outcome.winner == PLAN and outcome.best == "good"
    assert "inside the noise" in describe_outcome(outcome)


def test_an_alternative_that_fails_is_out(monkeypatch, tmp_path):
    run_with(monkeypatch, tmp_path, LEVELS | {"good": math.nan}, 0.001)
    outcome = compare_alternatives(Path("mine"), CONFIG, ALTERNATIVES, 3600, Place(), print)
    assert outcome.best == "same" and outcome.winner == PLAN
    assert "worse" in describe_outcome(outcome)


def test_a_plan_without_its_budget_is_an_error():
    with pytest.raises(SegappError, match="TimeBudget"):
        compare_alternatives(Path("mine"), {"trainer": {}}, ALTERNATIVES, 3600, Place(), print)
