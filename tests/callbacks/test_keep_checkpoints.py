"""The best and the last checkpoint: when they are written, and never half."""

import shlex
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from segapp.callbacks import BestCheckpoint, LastCheckpoint, WholeFiles
from segapp.callbacks.keep_checkpoints import format_resume
from segapp.errors import FatalError


class Unwritable:
    def __reduce__(self):
        raise RuntimeError("cannot be written")


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path) -> None:
    path = tmp_path / "last.ckpt"
    WholeFiles(tmp_path).save_checkpoint({"epoch": 1}, path)
    with pytest.raises(RuntimeError, match="cannot be written"):
        WholeFiles(tmp_path).save_checkpoint({"epoch": 2, "bad": Unwritable()}, path)
    assert torch.load(path) == {"epoch": 1}
    assert [found.name for found in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize(("score", "skipped"), [(0.5, False), (0.0, False), (float("nan"), True), (None, True)])
def test_a_validation_without_a_score_is_never_best(score, skipped, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ModelCheckpoint, "_should_skip_saving_checkpoint", lambda self, trainer: False)
    metrics = {} if score is None else {"val/dice/dataset": torch.tensor(score)}
    assert BestCheckpoint(tmp_path)._should_skip_saving_checkpoint(SimpleNamespace(callback_metrics=metrics)) == skipped


def test_the_best_score_of_a_moved_run_counts_where_its_file_is(tmp_path) -> None:
    state = BestCheckpoint(tmp_path / "before").state_dict() | {"best_model_score": torch.tensor(0.8)}
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    (tmp_path / "with/best.ckpt").touch()
    best, afresh = BestCheckpoint(tmp_path / "with"), BestCheckpoint(tmp_path / "without")
    best.load_state_dict(state)
    afresh.load_state_dict(state)
    assert Path(best.best_model_path) == tmp_path / "with/best.ckpt"
    assert best.best_model_score == torch.tensor(0.8)
    assert afresh.best_model_score is None and not afresh.best_model_path


def test_the_command_to_resume_is_one_word_a_path(tmp_path) -> None:
    last = LastCheckpoint(tmp_path / "my run")
    assert shlex.split(last.command) == ["segapp", "fit", "--ckpt_path", str(tmp_path / "my run/last.ckpt")]


@pytest.mark.parametrize(
    ("machine", "options"),
    [
        ((1, 1, "auto"), []),
        (("auto", 1, "auto"), []),
        ((2, 1, "auto"), ["--trainer.devices", "2"]),
        (
            ([0, 3], 2, "fsdp"),
            ["--trainer.devices", "[0, 3]", "--trainer.num_nodes", "2", "--trainer.strategy", "fsdp"],
        ),
    ],
)
def test_the_command_to_resume_names_the_machine(machine, options) -> None:
    words = shlex.split(format_resume(Path("last.ckpt"), *machine))
    assert words == ["segapp", "fit", "--ckpt_path", "last.ckpt", *options]


def run_batches(last: LastCheckpoint, count: int, accumulate: int = 1, validate_every: int = 100) -> list[int]:
    """Return the batches, from 1, after which `last` was saved, in an epoch that goes on beyond them."""
    saved: list[int] = []
    trainer = SimpleNamespace(
        fast_dev_run=False,
        max_steps=-1,
        should_stop=False,
        is_last_batch=False,
        is_global_zero=True,
        global_step=0,
        world_size=1,
        accumulate_grad_batches=accumulate,
        val_check_batch=validate_every,
        check_val_every_n_epoch=1,
        strategy=None,
        num_devices=1,
        num_nodes=1,
    )
    trainer.save_checkpoint = lambda path: saved.append(batch + 1)
    last.on_train_start(trainer, None)
    for batch in range(count):
        trainer.global_step = (batch + 1) // accumulate
        last.on_train_batch_end(trainer, None, None, None, batch)
    return saved


@pytest.mark.parametrize(("accumulate", "expected"), [(1, [3, 6]), (2, [6])])
def test_it_is_saved_after_so_many_optimiser_steps(accumulate, expected, tmp_path) -> None:
    assert run_batches(LastCheckpoint(tmp_path, every_n_steps=3), 8, accumulate) == expected


def test_it_is_saved_after_so_many_minutes(tmp_path) -> None:
    assert run_batches(LastCheckpoint(tmp_path, every_n_steps=100, every_n_minutes=0.0), 3) == [1, 2, 3]


def test_it_is_not_saved_just_before_a_validation_but_after_the_next_step(tmp_path) -> None:
    """A resumed run would skip that validation."""
    assert run_batches(LastCheckpoint(tmp_path, every_n_steps=3), 8, validate_every=3) == [4, 7]


def test_only_files_of_checkpoints_are_removed(tmp_path) -> None:
    """Lightning would remove complete folders, and follow addresses."""
    folder, image, old = tmp_path / "a.ckpt", tmp_path / "image.png", tmp_path / "old.ckpt"
    folder.mkdir()
    for file in (image, old, folder / "inside"):
        file.touch()
    for path in (str(folder), str(image), f"local://{tmp_path}", tmp_path / "none.ckpt"):
        with pytest.raises(FatalError, match="not removed"):
            WholeFiles(tmp_path).remove_checkpoint(path)
    WholeFiles(tmp_path).remove_checkpoint(old)
    assert not old.exists() and image.exists() and (folder / "inside").exists()


def test_a_state_without_a_score_starts_afresh(tmp_path) -> None:
    (tmp_path / "best.ckpt").touch()
    best = BestCheckpoint(tmp_path)
    state = {**best.state_dict(), "best_k_models": {"elsewhere.ckpt": torch.tensor(0.5)}}
    for score in ({}, {"best_model_score": None}):
        best.load_state_dict({key: value for key, value in state.items() if key != "best_model_score"} | score)
        assert best.best_k_models == {} and best.best_model_score is None


def test_only_files_of_the_run_are_written_and_removed(tmp_path) -> None:
    run, home = tmp_path / "run", tmp_path / "home"
    for folder in (run, home):
        folder.mkdir()
        (folder / "a.ckpt").touch()
    (run / "home").symlink_to(home)
    files = WholeFiles(run)
    for path in (home / "a.ckpt", run / "home" / "a.ckpt", run / ".." / "home" / "a.ckpt"):
        with pytest.raises(FatalError, match="outside the run"):
            files.remove_checkpoint(path)
    files.remove_checkpoint(run / "a.ckpt")
    for path in (home / "a.ckpt", run / ".." / "home" / "b.ckpt"):
        with pytest.raises(FatalError, match="outside the run"):
            files.save_checkpoint({}, path)
    assert [path.name for path in home.iterdir()] == ["a.ckpt"] and not (home / "a.ckpt").stat().st_size
    files = WholeFiles(run, home)  # a callback has a folder of its own
    files.save_checkpoint({}, home / "a.ckpt")
    files.remove_checkpoint(home / "a.ckpt")
    assert not list(home.iterdir())


@pytest.mark.parametrize("name", ["zip::m.ckpt", "last", "http_runs.ckpt", "reference::m.ckpt"])
def test_the_file_that_was_checked_is_read_whatever_its_name(tmp_path, monkeypatch, name) -> None:
    """To fsspec `zip::m.ckpt` is the member `m.ckpt` of an archive."""
    monkeypatch.chdir(tmp_path)
    torch.save({"which": "this"}, name)
    torch.save({"which": "other"}, "other")
    with zipfile.ZipFile("m.ckpt", "w") as archive:
        archive.write("other", "m.ckpt")
    assert WholeFiles(tmp_path).load_checkpoint(name)["which"] == "this"
