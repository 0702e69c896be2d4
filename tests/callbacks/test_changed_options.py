"""Changed options of the optimiser reach the state of a resumed run, or are refused."""

import pytest
import torch

from segapp.callbacks import RetunedOptimizer
from segapp.errors import MisuseError


def section(scheduler: str, **settings: object) -> dict:
    optimizer = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1, "momentum": 0.9}}
    return {"optimizer": optimizer, "lr_scheduler": {"class_path": scheduler, "init_args": settings}}


def test_a_new_rate_scales_a_schedule_of_torchs_where_it_is() -> None:
    def made(lr: float) -> tuple:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
        return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)

    optimizer, schedule = made(0.1)
    for _ in range(3):
        optimizer.step()
        schedule.step()
    before, now = (section("torch.optim.lr_scheduler.StepLR", step_size=2, gamma=0.1) for _ in range(2))
    now["optimizer"] = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.02, "momentum": 0.5}}
    checkpoint = {
        "segapp": {"config": {"model": before}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
    }
    RetunedOptimizer(now).on_load_checkpoint(None, None, checkpoint)  # type: ignore[arg-type]
    optimizer, schedule = made(0.02)
    optimizer.load_state_dict(checkpoint["optimizer_states"][0])
    schedule.load_state_dict(checkpoint["lr_schedulers"][0])
    assert optimizer.param_groups[0]["momentum"] == 0.5
    rates = []
    for _ in range(3):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.002, 0.0002, 0.0002])


def test_settings_that_a_scheduler_would_not_take_are_refused() -> None:
    before, now = (section("torch.optim.lr_scheduler.CosineAnnealingLR", T_max=epochs) for epochs in (10, 20))
    checkpoint = {"segapp": {"config": {"model": before}}, "optimizer_states": [], "lr_schedulers": []}
    with pytest.raises(MisuseError, match=r"T_max of model\.lr_scheduler changed"):
        RetunedOptimizer(now).on_load_checkpoint(None, None, checkpoint)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoder_lr": 0.1}, r"model\.encoder_lr was 1\.0 and is now 0\.1"),
        ({"layer_decay": 0.5}, r"model\.layer_decay was 1\.0 and is now 0\.5"),
        ({"optimizer": {"class_path": "torch.optim.AdamW"}}, r"model\.optimizer was torch\.optim\.SGD .*AdamW"),
        ({"lr_scheduler": None}, r"model\.lr_scheduler was torch\.optim\.lr_scheduler\.StepLR and is now null"),
    ],
    ids=["encoder_lr", "layer_decay", "optimizer", "lr_scheduler"],
)
def test_what_the_state_cannot_follow_is_refused(change, words) -> None:
    before = section("torch.optim.lr_scheduler.StepLR", step_size=2)
    checkpoint = {"segapp": {"config": {"model": before}}, "optimizer_states": [], "lr_schedulers": []}
    with pytest.raises(MisuseError, match=words):
        RetunedOptimizer(before | change).on_load_checkpoint(None, None, checkpoint)  # type: ignore[arg-type]


def test_a_new_rate_is_also_the_base_of_the_schedule() -> None:
    """Schedules such as LambdaLR and WarmupCosine multiply the base rate, not the last one."""
    before, now = (section("segapp.schedules.WarmupCosine") for _ in range(2))
    now["optimizer"] = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.02, "momentum": 0.9}}
    checkpoint = {
        "segapp": {"config": {"model": before}},
        "optimizer_states": [{"param_groups": [{"lr": 0.05, "initial_lr": 0.1}, {"lr": 0.005, "initial_lr": 0.01}]}],
        "lr_schedulers": [{"base_lrs": [0.1, 0.01], "_last_lr": [0.05, 0.005], "last_epoch": 3}],
    }
    RetunedOptimizer(now).on_load_checkpoint(None, None, checkpoint)  # type: ignore[arg-type]
    groups, (schedule,) = checkpoint["optimizer_states"][0]["param_groups"], checkpoint["lr_schedulers"]
    assert [group["lr"] for group in groups] == schedule["_last_lr"] == pytest.approx([0.01, 0.001])
    assert [group["initial_lr"] for group in groups] == schedule["base_lrs"] == pytest.approx([0.02, 0.002])
    assert schedule["last_epoch"] == 3


def test_a_checkpoint_without_its_rate_is_one_message() -> None:
    model = section("segapp.schedules.WarmupCosine")
    before = {**model, "optimizer": {"class_path": model["optimizer"]["class_path"]}}
    state = {"segapp": {"config": {"model": before}}, "optimizer_states": [], "lr_schedulers": []}
    with pytest.raises(MisuseError, match="learning rate"):
        RetunedOptimizer(model).on_load_checkpoint(None, None, state)
