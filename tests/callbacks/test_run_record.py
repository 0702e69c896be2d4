"""What a checkpoint records of its run, and what a resumed run takes of it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint

from segapp.callbacks import RunRecord

PATHS = ("best_model_path", "kth_best_model_path", "last_model_path")


def state(path, **more):
    kept = {"best_k_models": {path: 1.0}, "best_model_score": 1.0, "kth_value": 1.0}
    return dict.fromkeys(PATHS, path) | kept | more


@pytest.mark.parametrize(
    "path",
    ["/home/me/thesis", "../../thesis", "local:///home/me/thesis", "simplecache::file:///home/me", "a::b", "x://y"],
)
@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.parametrize("more", [{}, {"dirpath": "checkpoints"}, {"dirpath": "/home/me"}], ids=str)
def test_no_file_outside_the_run_is_one_that_a_resumed_run_keeps_and_deletes(tmp_path, path, more):
    """Without `dirpath` Lightning takes the other paths as they stand, and deletes addresses without asking where."""
    checkpoint = {"callbacks": {"ModelCheckpoint{}": state(path, **more), "Timer": {"time_elapsed": {}}}}
    RunRecord(tmp_path, {}).on_load_checkpoint(None, None, checkpoint)
    keeper = ModelCheckpoint(dirpath=tmp_path / "checkpoints", monitor="val/loss")
    keeper.load_state_dict(checkpoint["callbacks"]["ModelCheckpoint{}"])
    found = [getattr(keeper, name) for name in PATHS] + list(keeper.best_k_models)
    assert all(Path(one).is_relative_to(tmp_path) and ".." not in Path(one).parts for one in found if one)
    assert not [one for one in found if "://" in one or "::" in one]
    assert checkpoint["callbacks"]["Timer"] == {"time_elapsed": {}}


def test_a_run_that_was_moved_keeps_its_best(tmp_path):
    checkpoint = {"callbacks": {"B": state("checkpoints/best.ckpt", dirpath="checkpoints")}}
    RunRecord(tmp_path, {}).on_load_checkpoint(None, None, checkpoint)
    assert checkpoint["callbacks"]["B"]["best_model_path"] == str(tmp_path / "checkpoints/best.ckpt")
    assert checkpoint["callbacks"]["B"]["dirpath"] == str(tmp_path / "checkpoints")


def test_a_link_in_the_run_leads_to_no_file_that_is_deleted(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/x").symlink_to(tmp_path / "elsewhere")
    checkpoint = {"callbacks": {"ModelCheckpoint{}": state("x/thesis.ckpt")}}
    RunRecord(tmp_path / "run", {}).on_load_checkpoint(None, None, checkpoint)
    kept = checkpoint["callbacks"]["ModelCheckpoint{}"]
    assert {kept[name] for name in PATHS} | set(kept["best_k_models"]) == {str(tmp_path / "run/thesis.ckpt")}


def test_the_config_of_a_run_keeps_its_comments_when_it_is_resumed(tmp_path):
    names = SimpleNamespace(split_names=lambda: {"train": ["a"], "val": [], "test": []})
    trainer = SimpleNamespace(is_global_zero=True, datamodule=names)
    path = tmp_path / "config.yaml"
    RunRecord(tmp_path, {"data": {"crop": [4, 4], "batch_size": 2}}, {"data.crop": "fits"}).on_train_start(
        trainer, None
    )
    assert "  # fits\n  crop: [4, 4]\n" in path.read_text()
    for crop, comment in (([4, 4], "fits"), ([8, 8], "Changed from [4, 4]. fits")):
        RunRecord(tmp_path, {"data": {"crop": crop, "batch_size": 2}}).on_train_start(trainer, None)
        assert f"  # {comment}\n  crop: {crop}\n" in path.read_text()
    path.write_text("data: [")
    RunRecord(tmp_path, {"data": {"crop": None}}).on_train_start(trainer, None)
    assert yaml.safe_load(path.read_text()) == {"data": {"crop": None}}
