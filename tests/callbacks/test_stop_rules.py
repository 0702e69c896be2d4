"""A run ends within its time, or when validation is flat, with the learning rate at its end."""

import math

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

import segapp.callbacks.stop_rules as ending
from segapp.callbacks import StopWhenFlat, TimeBudget
from segapp.errors import MisuseError
from segapp.schedules import WarmupCosine


class Clock:
    """Seconds that pass as steps and validations say."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(ending.time, "monotonic", lambda: self.now)


class Tiny(LightningModule):
    """One weight; notes its learning rates."""

    def __init__(self, clock=None, step=1.0, scores=(), validation=1.0, first=()):
        super().__init__()
        self.first = list(first)  # seconds of the first steps, where they differ
        self.validation = validation
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.clock, self.step, self.scores, self.rates = clock, step, list(scores), []

    def training_step(self, batch, batch_idx):
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        if self.clock:
            self.clock.now += self.first.pop(0) if self.first else self.step
        return (self.weight * batch).sum()

    def validation_step(self, batch, batch_idx):
        if self.clock:
            self.clock.now += self.validation
        self.log("val/dice/dataset", self.scores.pop(0) if self.scores else 0.5)

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
        schedule = WarmupCosine(optimizer, warmup=0.1)
        schedule.span(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def loader(count):
    return torch.utils.data.DataLoader(torch.ones(count, 1))


def fit(module, callback, folder, steps=200, path=None, interval=None):
    every = {} if interval is None else {"val_check_interval": interval, "check_val_every_n_epoch": None}
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    trainer = Trainer(
        max_steps=steps,
        callbacks=callback,
        accelerator="cpu",
        default_root_dir=folder,
        **quiet,
        **every,
        enable_checkpointing=False,
    )
    trainer.fit(module, loader(10), loader(1), ckpt_path=path)
    return trainer


@pytest.mark.parametrize("seconds", [110.0, 60.0])
def test_a_slow_run_ends_with_its_budget_and_the_rate_at_zero(monkeypatch, tmp_path, seconds):
    module = Tiny(Clock(monkeypatch))
    trainer = fit(module, TimeBudget(seconds / 60), tmp_path)
    assert 0.9 * seconds <= module.clock.now <= seconds + 1
    assert trainer.global_step == len(module.rates) < 200
    assert module.rates[-1] == pytest.approx(0, abs=2e-3)
    assert max(abs(a - b) for a, b in zip(module.rates, module.rates[1:], strict=False)) < 0.12  # no jumps


def test_steps_so_slow_that_few_of_them_fill_the_budget_end_within_it(monkeypatch, tmp_path):
    module = Tiny(Clock(monkeypatch), step=10.0)
    trainer = fit(module, TimeBudget(2), tmp_path)
    assert 100 <= module.clock.now <= 130 and trainer.global_step < 14  # to one step
    assert module.rates[-1] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("first", [[25.0], [20.0, 20.0, 20.0], [0.1, 30.0], [20.0, 8.0, 3.0, 1.0]], ids=str)
@pytest.mark.parametrize("steps", [200, 2000])
def test_slow_first_steps_are_not_taken_for_all_steps(monkeypatch, tmp_path, first, steps):
    """On a GPU the first step with EfficientNet-Lite0 took 25 s, as kernels were compiled; the others 0.1 s."""
    module = Tiny(Clock(monkeypatch), step=0.1, first=first)
    trainer = fit(module, TimeBudget(2, validation_steps=30), tmp_path, steps, interval=100)
    assert trainer.global_step == 200 if steps == 200 else 450 < trainer.global_step < 900
    assert module.clock.now <= 121
    assert max(module.rates) == pytest.approx(1, abs=0.01)
    assert module.rates[-1] == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("minutes", [4, 5, 6, 8], ids=str)
def test_long_validations_are_reckoned_with_before_the_first(monkeypatch, tmp_path, minutes):
    """All is twice as slow as planned; a run of few steps must not learn that from its first validation."""
    module = Tiny(Clock(monkeypatch), step=5.8, validation=90.0)
    trainer = fit(module, TimeBudget(minutes, validation_steps=16), tmp_path, steps=63, interval=21)
    assert 60 * minutes - 90 <= module.clock.now <= 60 * minutes + 5.8
    assert trainer.global_step == len(module.rates)
    assert module.rates[-1] == pytest.approx(0, abs=0.02)


def test_a_run_whose_rest_holds_no_second_validation_ends_with_the_first(monkeypatch, tmp_path):
    module = Tiny(Clock(monkeypatch), step=5.8, validation=90.0)
    trainer = fit(module, TimeBudget(4, validation_steps=16), tmp_path, steps=63, interval=21)
    assert trainer.global_step == 21
    assert module.clock.now == pytest.approx(21 * 5.8 + 90)


def test_a_run_that_is_fast_enough_keeps_its_schedule(monkeypatch, tmp_path):
    module = Tiny(Clock(monkeypatch), step=0.1)
    assert fit(module, TimeBudget(10), tmp_path).global_step == 200
    assert module.rates[110] == pytest.approx(0.5 * (1 + math.cos(math.pi * 91 / 180)))


def test_a_resumed_run_has_what_is_left_of_the_budget(monkeypatch, tmp_path):
    module = Tiny(Clock(monkeypatch))
    budget = TimeBudget(2)
    trainer = fit(module, budget, tmp_path, steps=50)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    spent = module.clock.now
    module.clock.now += 1000
    again = Tiny(module.clock)
    fit(again, TimeBudget(2), tmp_path, path=tmp_path / "last.ckpt")
    assert module.clock.now - 1000 == pytest.approx(120, abs=8)
    assert module.clock.now - 1000 - spent < 80
    assert again.rates[-1] == pytest.approx(0, abs=2e-3)


def test_a_flat_validation_ends_the_run_with_the_rate_at_zero(tmp_path):
    module = Tiny(scores=[0.1, 0.2, 0.3, 0.3, 0.3, 0.3])
    flat = StopWhenFlat(patience=3, cooldown=0.1)
    trainer = fit(module, flat, tmp_path)
    assert trainer.global_step == 60 + 20  # six validations of ten steps, then a tenth of 200
    assert module.rates[-1] == pytest.approx(0, abs=1e-6)
    assert flat.best == pytest.approx(0.3)


def test_a_budget_does_not_prolong_what_is_flat(monkeypatch, tmp_path):
    module = Tiny(Clock(monkeypatch), step=0.1)
    callbacks = [TimeBudget(10), StopWhenFlat(patience=3, cooldown=0.3)]
    assert fit(module, callbacks, tmp_path).global_step == 40 + 60


def test_rising_scores_end_nothing(tmp_path):
    module = Tiny(scores=[i / 100 for i in range(20)])
    assert fit(module, StopWhenFlat(patience=3), tmp_path).global_step == 200


def test_a_schedule_without_an_end_is_refused(tmp_path):
    module = Tiny()
    module.configure_optimizers = lambda: torch.optim.SGD(module.parameters(), lr=1.0)
    with pytest.raises(MisuseError, match="WarmupCosine"):
        fit(module, TimeBudget(1), tmp_path)


@pytest.mark.parametrize(
    "make",
    [lambda: TimeBudget(0), lambda: TimeBudget(1, -1), lambda: StopWhenFlat(0), lambda: StopWhenFlat(cooldown=1)],
)
def test_senseless_settings_are_refused(make):
    with pytest.raises(MisuseError):
        make()
