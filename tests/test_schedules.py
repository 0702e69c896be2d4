"""Learning rates of runs that go on, and what they wait for."""

import csv
import math

import pytest
import torch

from segapp.cli import main
from segapp.schedules import WarmupCosine
from tests.cli.tiny import TINY


def scheduled(steps: int, warmup: float = 0.0, final: float = 0.0) -> WarmupCosine:
    schedule = WarmupCosine(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), warmup, final)
    schedule.span(steps)
    return schedule


def test_a_run_that_is_made_longer_goes_on_at_the_longer_runs_rate() -> None:
    """Not at the rate the shorter one ended with, 0."""
    short, long = scheduled(10), scheduled(20)
    for _ in range(10):
        short.optimizer.step()
        short.step()
    assert short.optimizer.param_groups[0]["lr"] == pytest.approx(0)
    long.optimizer.load_state_dict(short.optimizer.state_dict())
    long.load_state_dict(short.state_dict())
    halfway = 0.5 * (1 + math.cos(math.pi * 10 / 19))  # of 20 steps, the last of which has the final rate
    assert long.optimizer.param_groups[0]["lr"] == pytest.approx(halfway)
    assert long.get_last_lr() == pytest.approx([halfway])


@pytest.mark.parametrize(
    ("warmup", "final", "by_hand"),
    [
        (0.0, 0.0, [1.0, 0.75, 0.25, 0.0]),  # half a cosine at 0, ⅓, ⅔ and 1
        (0.5, 0.0, [0.5, 1.0, 0.5, 0.0]),
        (0.25, 0.2, [1.0, 0.8, 0.4, 0.2]),
    ],
)
def test_the_last_step_of_a_run_has_the_final_rate_and_none_has_the_base_rate_twice(warmup, final, by_hand) -> None:
    schedule = scheduled(4, warmup=warmup, final=final)
    rates = []
    for _ in range(4):
        rates.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    assert rates == pytest.approx(by_hand)


@pytest.mark.slow
def test_a_plateau_is_one_of_what_is_monitored(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"monitor": "val/iou/image", "mode": "max", "patience": 0}
    plateau = ["--model.lr_scheduler=lightning.pytorch.cli.ReduceLROnPlateau"]
    plateau += [f"--model.lr_scheduler.init_args.{name}={value}" for name, value in settings.items()]
    assert main(["fit", "--config", str(TINY), *plateau, "--trainer.max_epochs", "2", "--data.num_workers", "0"]) == 0
    (run,) = tmp_path.glob("runs/tiny/2*")
    with (run / "metrics.csv").open(newline="") as file:
        best = max(float(row["val/iou/image"]) for row in csv.DictReader(file))
    (state,) = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["lr_schedulers"]
    assert float(state["best"]) == pytest.approx(best, rel=1e-4)
