"""The callbacks of `segapp fit` for a Trainer in Python."""

from pathlib import Path

from lightning.pytorch import Trainer

from segapp.api.training import make_callbacks
from segapp.callbacks import BestCheckpoint, Curves, LastCheckpoint, SeedEachStep, StopAtNaN, StopWhenAsked


def find(callbacks, kind):
    (found,) = (callback for callback in callbacks if type(callback) is kind)
    return found


def test_everything_lies_in_the_folder_of_the_run(tmp_path):
    made = make_callbacks(tmp_path / "run", seed=7)
    best, last = find(made, BestCheckpoint), find(made, LastCheckpoint)
    assert Path(best.dirpath) == last.path.parent == tmp_path / "run" / "checkpoints"
    assert find(made, Curves).csv == tmp_path / "run" / "metrics.csv"
    assert find(made, SeedEachStep).seed == 7
    assert not (tmp_path / "run").exists()  # until there is something to write


def test_a_run_that_ends_early_ends_with_its_last_checkpoint(tmp_path):
    made = make_callbacks(str(tmp_path))
    last = find(made, LastCheckpoint)
    assert find(made, StopAtNaN).last is find(made, StopWhenAsked).last is last
    kept = [type(one) for one in Trainer(logger=False, callbacks=made, accelerator="cpu").callbacks]
    order = [kept.index(kind) for kind in (StopAtNaN, BestCheckpoint, LastCheckpoint)]
    assert order == sorted(order)
