"""A state that no training has is refused when the checkpoint is read, and an honest one is not."""

from pathlib import Path

import pytest
import torch

from segapp.checkpoints.training_state import clear_foreign_paths, require_training_state
from segapp.errors import MisuseError

FILE = Path("a.ckpt")


def test_the_state_of_a_training_passes():
    net = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    schedulers = [
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3),
        torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
    ]
    state = {
        "callbacks": {
            "EMA": {"latest_update_step": 1},
            "Timer": {"time_elapsed": {"train": 1.5}},
            "M": {"best_k_models": {"größe.ckpt": torch.tensor(0.5)}, "best_model_path": "größe.ckpt", "dirpath": None},
        },
        "pytorch-lightning_version": "2.6.1.post0",
        "global_step": 1,
        "loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 1}}}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [one.state_dict() for one in schedulers],
    }
    require_training_state(FILE, state)
    require_training_state(FILE, {"state_dict": {}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"callbacks": []},
        {"callbacks": {"EMA": 3}},
        {"callbacks": {5: {}}},
        {"callbacks": {"M": {"best_k_models": [1]}}},
        {"callbacks": {"M": {"best_k_models": {"a.ckpt": "much"}}}},
        {"callbacks": {"M": {"best_model_path": "a\0b"}}},
        {"callbacks": {"M": {"last_model_path": "a\ud800b"}}},
        {"callbacks": {"Timer": {"time_elapsed": {"train": "x"}}}},
        {"callbacks": {"M": {"best_model_score": "much"}}},
        {"callbacks": {"M": {"best_model_score": torch.zeros(2)}}},
        {"callbacks": {"M": {"best_model_path": "local:///home"}}},
        {"callbacks": {"M": {"best_k_models": {"a::b/../../home/model.ckpt": 1.0}}}},
        {"callbacks": {"EMA": {"latest_update_step": "x"}}},
        {"callbacks": {"TimeBudget": {"end": "x", "spent": 1.0}}},
        {"callbacks": {"StopWhenFlat": {"best": "x"}}},
        {"loops": {}},
        {"loops": {"fit_loop": {"epoch_loop.state_dict": {"_batches_that_stepped": "x"}}}},
        {"pytorch-lightning_version": "abc"},
        {"pytorch-lightning_version": 5},
        {"pytorch-lightning_version": "0.9.0"},
        {"loops": torch.float32},
        {"loops": {"fit_loop": {"epoch_progress": {"current": {}}}}, "global_step": 1},
        {"loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 1}}}}, "global_step": "1"},
        {"optimizer_states": [[64, 64]]},
        {"optimizer_states": [{"state": {}}]},
        {"optimizer_states": [{"state": {0: "x"}, "param_groups": []}]},
        {"optimizer_states": [{"state": {0: {"exp_avg": "x"}}, "param_groups": []}]},
        {"optimizer_states": [{"state": {0: {"exp_avg": 2}}, "param_groups": []}]},
        {"optimizer_states": [{"state": {}, "param_groups": [3]}]},
        {"loops": {"fit_loop": {"epoch_progress": {"current": {"processed": 1}, "total": {"started": []}}}}},
        {"lr_schedulers": {}},
        {"lr_schedulers": [{"base_lrs": {}}]},
        {"lr_schedulers": [{"_last_lr": ["x"]}]},
    ],
    ids=str,
)
def test_what_is_none_is_one_message(wrong):
    with pytest.raises(MisuseError, match=next(iter(wrong))):
        require_training_state(FILE, wrong)


@pytest.mark.parametrize("sums", ["x", [1.0], [1.0, "x"], {"a": 1}])
def test_sums_of_the_loss_are_two_numbers(sums):
    require_training_state(FILE, {"segapp": {"train_loss": [2.5, 4]}})
    with pytest.raises(MisuseError, match="train_loss"):
        require_training_state(FILE, {"segapp": {"train_loss": sums}})


def test_only_checkpoints_below_known_folders_stay_in_states_of_callbacks(tmp_path, monkeypatch):
    """Lightning removes what such a state names, complete folders too."""
    monkeypatch.chdir(tmp_path)
    here, home = tmp_path / "here", tmp_path / "home.ckpt"
    here.mkdir()
    home.mkdir()
    (here / "link.ckpt").symlink_to(home)
    own = {"best_model_path": f"{here}/a.ckpt", "best_k_models": {f"{here}/a.ckpt": 0.5}, "last_model_path": ""}
    foreign = (home, here / ".." / "home.ckpt", "here/../home.ckpt", here / "link.ckpt", here / "data", here.parent)
    states = {"own": own, "relative": {"kth_best_model_path": "here/b.ckpt"}, "EMA": {"latest_update_step": 1}}
    states |= {f"best {number}": {"best_model_path": str(path), "x": 1} for number, path in enumerate(foreign)}
    states |= {f"k {number}": own | {"best_k_models": {str(path): 0.5}} for number, path in enumerate(foreign)}
    clear_foreign_paths({"callbacks": states}, [here])
    assert list(states.values())[:3] == [own, {"kth_best_model_path": "here/b.ckpt"}, {"latest_update_step": 1}]
    cleared = {"best_model_path": "", "best_k_models": {}, "last_model_path": ""}
    assert list(states.values())[3:] == [{"best_model_path": "", "x": 1}] * 6 + [cleared] * 6
