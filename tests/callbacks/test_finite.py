"""A loss, weight or running statistic that is not finite ends a run before it is scored or saved."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from segapp.callbacks import LastCheckpoint, StopAtNaN
from segapp.errors import SegappError

NAN, INFINITE = float("nan"), float("inf")


def trainer(precision: str = "32-true", **state) -> SimpleNamespace:
    rates = SimpleNamespace(param_groups=[{"lr": 0.01}])
    plain = {"log_every_n_steps": 10, "global_step": 3, "accumulate_grad_batches": 1, "sanity_checking": False}
    return SimpleNamespace(precision=precision, optimizers=[rates], gradient_clip_val=None, **(plain | state))


def watch(folder: Path = Path("nowhere")) -> StopAtNaN:
    return StopAtNaN(LastCheckpoint(folder))


@pytest.mark.parametrize("value", [NAN, INFINITE, -INFINITE])
def test_a_cpu_ends_at_the_step_and_names_images_rate_and_checkpoint(value, tmp_path) -> None:
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(SegappError) as caught:
        watch(tmp_path).on_train_batch_end(trainer(), None, {"loss": torch.tensor(value)}, {"name": ["a", "b"]}, 0)
    for words in ("step 3, images a, b", "--model.optimizer.init_args.lr, now 0.01", "--trainer.gradient_clip_val"):
        assert words in str(caught.value)
    assert str(tmp_path / "last.ckpt") in str(caught.value)


def test_half_precision_may_skip_steps_but_not_fifty_in_a_row() -> None:
    callback, batch = watch(), {"name": ["a"]}

    def see(value: float) -> None:
        callback.on_train_batch_end(trainer("16-mixed"), None, {"loss": torch.tensor(value)}, batch, 0)

    for value in [*[INFINITE] * 49, 1.0, *[INFINITE] * 49]:
        see(value)
    with pytest.raises(SegappError, match=r"--trainer\.precision 32-true"):
        see(INFINITE)


@pytest.mark.parametrize("spoil", ["weight", "running_mean"])
@pytest.mark.parametrize("value", [NAN, INFINITE])
def test_spoilt_weights_and_statistics_are_neither_scored_nor_saved(spoil, value) -> None:
    net = nn.BatchNorm2d(2)
    watch().on_validation_start(trainer(), net)
    watch().on_save_checkpoint(trainer(), net, {})
    with torch.no_grad():
        getattr(net, spoil)[1] = value
    kind = "weights" if spoil == "weight" else "running statistics"
    with pytest.raises(SegappError, match=f"{kind} are not numbers"):
        watch().on_validation_start(trainer(), net)
    with pytest.raises(SegappError, match=f"{kind} are not numbers"):
        watch().on_save_checkpoint(trainer(), net, {})


@pytest.mark.parametrize(("every", "expected"), [(10, 2), (0, 0)])
def test_on_a_gpu_the_loss_is_looked_at_only_when_that_costs_nothing(every, expected, monkeypatch):
    """The device is only said to be one: what counts is how often the value is fetched."""
    callback = watch()
    looks = []
    monkeypatch.setattr(StopAtNaN, "_check_losses", lambda self, *rest: looks.append(int(self._streak)))

    class OnDevice(torch.Tensor):
        @property
        def device(self):
            return torch.device("meta")

    callback._streak = torch.zeros((), dtype=torch.int64)
    for batch_idx in range(20):
        loss = torch.tensor(float("nan") if batch_idx == 4 else 1.0).as_subclass(OnDevice)
        callback.on_train_batch_end(trainer(log_every_n_steps=every), None, {"loss": loss}, {"name": []}, batch_idx)
    assert len(looks) == expected
