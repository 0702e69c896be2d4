"""What commonly ends a training ends it with one sentence and a remedy, and the last good checkpoint stays whole."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import albumentations
import pytest
import torch
from jsonargparse import Namespace

from segapp import callbacks
from segapp.cli import main
from segapp.training.failures import explain_known_failure
from segapp.training.module import SegmentationModule
from tests.processes import ran

TINY = Path(__file__).parents[1] / "tiny.yaml"
FIT = ["fit", "--config", str(TINY)]
HERE = ["--data.num_workers", "0"]
pytestmark = pytest.mark.usefixtures("without_curves")
DEVICE_OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
HOST_OUT_OF_MEMORY = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "4000000000 bytes. Error code 12 (Cannot allocate memory)"
)
NO_SHARED_MEMORY = RuntimeError("unable to allocate shared memory(shm) for file </torch_1_2_3>: Success (0)")


@pytest.fixture(autouse=True)
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def failed(arguments: list[str], capsys, code: int = 1) -> str:
    """The one sentence that a run ends with."""
    capsys.readouterr()
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert "Traceback" not in error
    sentences = [line for line in error.splitlines() if line.startswith("segapp: ")]
    assert len(sentences) == 1
    return sentences[0]


def run_folder() -> Path:
    (run,) = Path("runs/tiny").glob("2*")
    return run


def whole_checkpoint() -> dict:
    """The last checkpoint, which must load and be alone with the best."""
    folder = run_folder() / "checkpoints"
    assert {path.name for path in folder.iterdir()} <= {"last.ckpt", "best.ckpt"}
    return torch.load(folder / "last.ckpt", weights_only=True)


class FullAfter:
    """A file's `write` that finds the disk full after so many bytes."""

    def __init__(self, monkeypatch, name: str, epoch: int) -> None:
        original, opened = Path.open, []

        def open_(path, mode="r", *rest, **more):
            file = original(path, mode, *rest, **more)
            if path.name.startswith(f".{name}.") and "w" in mode:
                opened.append(path)
                if len(opened) > epoch:
                    file.close()
                    return original(Path("/dev/full"), mode, *rest, **more)
            return file

        monkeypatch.setattr(Path, "open", open_)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("name", ["last", "metrics"])
def test_a_full_disk_leaves_the_checkpoint_before(name, monkeypatch, capsys):
    FullAfter(monkeypatch, name, 1)
    sentence = failed(FIT, capsys)
    assert f"{name}." in sentence
    assert "the disk is full" in sentence
    assert "MB free" in sentence
    assert whole_checkpoint()["epoch"] == 0
    assert not list(run_folder().rglob(".*"))


@pytest.mark.slow
def test_a_full_disk_under_any_other_writer_is_told_with_the_way_on(monkeypatch, capsys):
    def write(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(callbacks.SeedEachStep, "on_train_epoch_end", write, raising=False)
    sentence = failed(FIT, capsys)
    assert "the disk is full" in sentence
    assert f"segapp fit --ckpt_path {run_folder()}/checkpoints/last.ckpt" in sentence
    assert whole_checkpoint()["epoch"] == 0


@pytest.mark.slow
def test_what_a_kill_in_the_middle_of_a_write_left_behind_is_removed_on_resuming():
    assert main([*FIT, "--trainer.max_epochs", "1"]) == 0
    folder = run_folder() / "checkpoints"
    (folder / ".last.segapp-0123456789ab.ckpt").write_bytes(b"half")
    assert main(["fit", "--ckpt_path", str(folder / "last.ckpt"), "--trainer.max_epochs", "2"]) == 0
    assert whole_checkpoint()["epoch"] == 1


def spoil(monkeypatch, value: float, when: int) -> None:
    """The loss of one training step becomes `value`."""
    original = SegmentationModule.training_step

    def step(self, batch, batch_idx):
        loss = original(self, batch, batch_idx)
        return loss * value if self.trainer.fit_loop.total_batch_idx == when else loss

    monkeypatch.setattr(SegmentationModule, "training_step", step)


@pytest.mark.slow
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_at_once(value, monkeypatch, capsys):
    spoil(monkeypatch, value, when=13)
    sentence = failed([*FIT, "--trainer.precision", "32-true"], capsys)
    assert "the loss is not a number" in sentence
    assert "since step 7, images train/images/cells_" in sentence  # ten batches an epoch, two to a step
    assert "--model.optimizer.init_args.lr" in sentence
    assert f"{run_folder()}/checkpoints/last.ckpt holds the last good weights" in sentence
    saved = whole_checkpoint()
    assert saved["epoch"] == 0
    assert all(value.isfinite().all() for value in saved["state_dict"].values() if value.is_floating_point())


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_neither_scored_nor_written(monkeypatch, capsys):
    """A step can spoil the weights though its own loss was finite: the last step of an epoch does so here."""

    def spoil_weights(self, trainer, pl_module, *rest):
        if trainer.fit_loop.total_batch_idx == 19:
            with torch.no_grad():
                next(pl_module.net.parameters()).view(-1)[0] = float("nan")

    monkeypatch.setattr(callbacks.SeedEachStep, "on_train_batch_end", spoil_weights, raising=False)
    assert "weights are not numbers" in failed(FIT, capsys)
    assert whole_checkpoint()["epoch"] == 0


@pytest.mark.slow
def test_running_statistics_that_an_overflow_spoilt_are_neither_scored_nor_written(monkeypatch, capsys):
    """In fp16 the step is skipped and the weights stay finite, but batch norm has seen the batch."""

    def spoil_statistics(self, trainer, pl_module, *rest):
        if trainer.fit_loop.total_batch_idx == 15:
            next(value for name, value in pl_module.net.named_buffers() if "running" in name).fill_(float("inf"))

    monkeypatch.setattr(callbacks.SeedEachStep, "on_train_batch_end", spoil_statistics, raising=False)
    assert "running statistics are not numbers" in failed(FIT, capsys)
    assert whole_checkpoint()["epoch"] == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DEVICE_OUT_OF_MEMORY, ["the GPU's memory ran out", "--data.batch_size 1 (now 2)", "--data.crop"]),
        (
            HOST_OUT_OF_MEMORY,
            ["does not suffice for 4 GB more", "--data.batch_size 1", "accumulate_grad_batches 4"],
        ),
        (MemoryError(), ["memory does not suffice", "--data.batch_size 1"]),
        (NO_SHARED_MEMORY, ["/dev/shm", "data.num_workers"]),
        (OSError(errno.EMFILE, "Too many open files"), ["ulimit -n"]),
    ],
    ids=["gpu", "cpu", "numpy", "shm", "files"],
)
def test_memory_that_ran_out_says_what_to_lower(error, words, tmp_path):
    last = tmp_path / "checkpoints/last.ckpt"
    last.parent.mkdir()
    last.touch()
    trainer = Namespace(accumulate_grad_batches=2, devices="auto", num_nodes=1, strategy="auto")
    settings = Namespace(data=Namespace(batch_size=2, crop=[32, 32]), trainer=trainer)
    sentence = str(explain_known_failure(error, "fit", settings, tmp_path))
    for word in (*words, f"segapp fit --ckpt_path {last}"):
        assert word in sentence


@pytest.mark.slow
def test_memory_that_ran_out_leaves_the_checkpoint_before_and_a_traceback(monkeypatch, capsys):
    original = SegmentationModule.training_step

    def step(self, batch, batch_idx):
        if self.trainer.current_epoch == 1:
            raise DEVICE_OUT_OF_MEMORY
        return original(self, batch, batch_idx)

    monkeypatch.setattr(SegmentationModule, "training_step", step)
    sentence = failed(FIT, capsys)
    assert "--data.batch_size 1 (now 2)" in sentence
    assert f"segapp fit --ckpt_path {run_folder()}/checkpoints/last.ckpt" in sentence
    assert whole_checkpoint()["epoch"] == 0
    log = (run_folder() / "error.log").read_text()
    assert "Traceback" in log and str(DEVICE_OUT_OF_MEMORY) in log


def test_a_real_allocation_that_fails_is_told(monkeypatch, capsys):
    monkeypatch.setattr(SegmentationModule, "training_step", lambda *_: torch.empty(2**55))
    assert "the machine's memory does not suffice for 1.44e+08 GB more" in failed([*FIT, *HERE], capsys)


def test_an_unknown_error_keeps_its_traceback(monkeypatch):
    def step(*_):
        raise RuntimeError("a defect of ours")

    monkeypatch.setattr(SegmentationModule, "training_step", step)
    with pytest.raises(RuntimeError, match="a defect of ours"):
        main([*FIT, *HERE])


def test_a_killed_worker_names_the_image_and_what_was_done_with_it(monkeypatch, capsys):
    original = albumentations.RandomGamma.apply

    def die(self, image, *rest, **more):
        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, image, *rest, **more)

    monkeypatch.setattr(albumentations.RandomGamma, "apply", die)
    sentence = failed([*FIT, "--data.num_workers", "1"], capsys)
    assert "killed while the image 'train/images/cells_" in sentence
    assert "was augmented (data.augment)" in sentence
    assert "data.num_workers" in sentence


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_transform_that_fails_names_itself_and_the_image(workers, monkeypatch, capsys):
    def fail(*_, **__):
        raise ValueError("gamma of nothing")

    monkeypatch.setattr(albumentations.RandomGamma, "apply", fail)
    sentence = failed([*FIT, "--data.num_workers", workers], capsys)
    assert "image 'train/images/cells_" in sentence
    assert "the transform albumentations.RandomGamma fails" in sentence
    assert "gamma of nothing" in sentence


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0,
    reason="no mount of one's own here",
)
def test_a_disk_that_is_really_full(tmp_path):
    """A file system of 1 MB of its own, on which a few epochs' files do not fit."""
    (tmp_path / "small").mkdir()
    fit = [sys.executable, "-m", "segapp", *FIT, "--trainer.default_root_dir", "small/runs"]
    fit += ["--model.net.init_args.encoder.init_args.widths", "[16, 32, 32]"]
    script = (
        f"mount -t tmpfs -o size=1m none small && {' '.join(map(repr, fit))}; code=$?; find small -type f; exit $code"
    )
    process = ran(["unshare", "-rm", "sh", "-c", script], tmp_path)
    assert process.returncode == 1, process.stderr[-3000:]
    assert "the disk is full" in process.stderr
    assert "Traceback" not in process.stderr
    assert not [line for line in process.stdout.splitlines() if "/." in line]
