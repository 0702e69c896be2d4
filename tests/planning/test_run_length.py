"""Steps and validations within a budget."""

import pytest

from segapp.errors import MisuseError
from segapp.planning.decisions import build_config
from segapp.planning.run_length import (
    Pace,
    RunLength,
    choose_run_length,
    count_affordable_steps,
    count_validations,
    decide_training,
)


def test_a_budget_holds_its_validations_and_ends_with_one():
    schedule = choose_run_length(Pace(step=1.0, validation=10.0), budget=1800, images=40, batch_size=8)
    # (1800 - 15) x 0.95 s less 20 x 10 s are 1495 steps, 74 for each validation: 15 crops of an image, 75 steps
    assert (schedule.epoch, schedule.crops_per_image, schedule.interval) == (75, 15, 75)
    assert schedule.steps == 1425


def test_a_large_set_is_validated_within_its_epochs():
    schedule = choose_run_length(Pace(step=0.1, validation=5.0), budget=1800, images=60_000, batch_size=8)
    assert schedule.crops_per_image == 1
    assert schedule.steps % schedule.interval == 0 and schedule.interval < schedule.epoch == 7500


def test_a_few_epochs_leave_no_time_unused():
    schedule = choose_run_length(Pace(step=2.7, validation=63.0), budget=600, images=367, batch_size=4)
    # (585 x 0.95 - 2 x 63) / 2.7 are 159 steps; an epoch has 91
    assert (schedule.steps, schedule.interval, schedule.epoch) == (158, 79, 91)


@pytest.mark.parametrize(("validation", "count"), [(0.0, 20), (13.5, 20), (27.0, 10), (1000.0, 2)])
def test_validations_take_15_percent_of_the_time_at_most_but_are_2_at_least(validation, count):
    assert count_validations(Pace(1.0, validation), budget=1800) == count


def test_affordable_steps_are_what_the_validations_leave():
    assert count_affordable_steps(Pace(step=0.5, validation=1.0), budget=115) == pytest.approx((95 - 17) / 0.5)
    assert count_affordable_steps(Pace(step=0.5, validation=1.0), budget=10) == 0


def test_a_budget_under_one_epoch_names_one_that_is_enough():
    pace = Pace(step=1.0, validation=5.0)
    with pytest.raises(MisuseError, match="--budget 2m") as error:
        choose_run_length(pace, budget=60, images=400, batch_size=8)
    assert "400 images take 50 steps" in str(error.value)
    assert choose_run_length(pace, budget=120, images=400, batch_size=8).steps >= 50
    with pytest.raises(MisuseError, match="a budget of 45 s is too small"):
        choose_run_length(pace, budget=45, images=400, batch_size=8)


@pytest.mark.parametrize(("interval", "within"), [(75, False), (25, True)])
def test_validations_within_an_epoch_are_counted_in_steps(interval, within):
    decided = decide_training(RunLength(10_000, interval, 1, 75), Pace(0.1, 1.0), 600, images=600, batch_size=8)
    config = build_config(decided)
    most = config["trainer"]["max_steps"]  # a quarter more than expected: faster steps fill the budget too
    assert 12_500 <= most < 12_500 + interval and most % interval == 0
    assert config["trainer"].get("val_check_interval") == (25 if within else None)
    assert ("check_val_every_n_epoch" in config["trainer"]) == within
    parts = {part["class_path"].rsplit(".", 1)[1]: part["init_args"] for part in config["trainer"]["callbacks"]}
    assert parts["EMA"]["decay"] == 1 - 50 / 10_000
    assert parts["TimeBudget"] == {"minutes": 10, "validation_steps": 10}
