"""Orders and loaders: exact on any number of workers and processes, and after resuming."""

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import Callback, Trainer

from segapp.datasets import Folder
from segapp.errors import MisuseError, SegappError
from segapp.loading.loader import EvaluationOrder, TrainOrder
from tests.loading.conftest import batches, data_module, same, ten_images, trained

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


class Save(Callback):
    """Checkpoints after every step, every validation and every epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.folder / f"step{trainer.global_step}.ckpt")

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.folder / f"validation{trainer.global_step}.ckpt")

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.folder / f"epoch{trainer.global_step}.ckpt")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, Path, list[Any]]:
    """A folder, the checkpoints of a run of 3 epochs of 3 steps, and all that it saw."""
    root = tmp_path_factory.mktemp("undisturbed")
    folder = ten_images(root)
    return folder, root, trained(data_module(folder), root, [Save(root)]).seen


MOMENTS = [f"step{step}" for step in range(1, 9)] + ["validation3", "epoch3", "validation6", "epoch6"]
IN_TURN = ["step1", "step2", "step6", "validation3", "epoch6"]
"""With workers: after the first, the second and the last of an epoch's batches, a validation and an epoch."""


@pytest.mark.parametrize(
    ("moment", "workers"),
    [
        *((moment, 0) for moment in MOMENTS),
        *(pytest.param(moment, 2, marks=() if moment in IN_TURN else pytest.mark.slow) for moment in MOMENTS),
    ],
)
def test_a_resumed_run_sees_exactly_the_rest(
    undisturbed: tuple[Folder, Path, list[Any]], moment: str, workers: int
) -> None:
    folder, root, seen = undisturbed
    rest = trained(data_module(folder, num_workers=workers), root, [], ckpt=root / f"{moment}.ckpt")
    assert len(seen) == 9
    assert same(rest.seen, seen[int(moment[-1]) :])


@pytest.mark.parametrize(
    "settings",
    [{"max_steps": 9, "max_epochs": -1}, {"val_check_interval": 2}, {"accumulate_grad_batches": 2}],
    ids=str,
)
@pytest.mark.parametrize("batches_done", [2, 3, 4])
def test_resuming_is_exact_under_other_trainer_settings(
    folder: Folder, tmp_path: Path, settings: dict[str, int], batches_done: int
) -> None:
    saved = tmp_path / "saved.ckpt"

    class SaveOnce(Callback):
        def on_train_batch_end(self, trainer: Trainer, module: Any, *_: Any) -> None:
            if len(module.seen) == batches_done:
                trainer.save_checkpoint(saved)

    seen = trained(data_module(folder), tmp_path, [SaveOnce()], **settings).seen
    rest = trained(data_module(folder), tmp_path, [], ckpt=saved, **settings).seen
    assert same(rest, seen[batches_done:])


def test_batches_are_a_function_of_seed_and_epoch_not_of_workers(folder: Folder, tmp_path: Path) -> None:
    runs = [trained(data_module(folder, num_workers=workers), tmp_path, []).seen for workers in (0, 1, 2)]
    assert same(runs[0], runs[1]) and same(runs[0], runs[2])
    assert not same(runs[0][:3], runs[0][3:6])
    crops = [image.tobytes() for _, images, _ in runs[0] for image in images]
    assert len(set(crops)) == len(crops)
    assert not same(batches(data_module(folder, seed=1)), batches(data_module(folder)))


def test_loading_draws_nothing_from_the_global_random_numbers(folder: Folder) -> None:
    state = torch.get_rng_state()
    batches(data_module(folder, num_workers=1))
    assert torch.equal(state, torch.get_rng_state())


@given(samples=st.integers(1, 60), batch=st.integers(1, 9), world=st.integers(1, 4), epoch=st.integers(0, 3))
def test_processes_share_an_epoch_evenly(samples: int, batch: int, world: int, epoch: int) -> None:
    if samples < world:
        with pytest.raises(MisuseError, match="too few"):
            TrainOrder(samples, batch, 0, 0, world)
        return
    orders = [TrainOrder(samples, batch, 0, rank, world) for rank in range(world)]
    keys = []
    for order in orders:
        order.position = (epoch, 0)
        parts = list(order)
        assert len(parts) == len(order) == len(orders[0]) >= 1
        assert len({len(part) for part in parts}) == 1
        keys += [key for part in parts for key in part]
    assert len(set(keys)) == len(keys)
    assert len(keys) > samples - batch * world
    rest = orders[0]
    whole = list(rest)
    rest.position = (epoch, 1)
    assert list(rest) == whole[1:]


def test_every_epoch_has_an_order_of_its_own() -> None:
    order, orders = TrainOrder(20, 4, seed=0), []
    for epoch in range(3):
        order.position = (epoch, 0)
        orders.append([index for part in order for _, index in part])
        assert sorted(orders[-1]) == list(range(20))
    assert orders[0] != orders[1] != orders[2]


@given(samples=st.integers(1, 40), world=st.integers(1, 5))
def test_every_image_is_evaluated_once(samples: int, world: int) -> None:
    parts = [key for rank in range(world) for key in EvaluationOrder(samples, rank, world)]
    assert sorted(index for ((_, index),) in parts) == list(range(samples))


def test_a_killed_worker_is_a_sentence(folder: Folder) -> None:
    def die(image: np.ndarray, **_: Any) -> np.ndarray:
        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return image

    data = data_module(folder, augment=[A.Lambda(image=die, p=1)], num_workers=1)
    with pytest.raises(SegappError, match=r"killed .*num_workers"):
        batches(data)


def test_a_temporary_folder_whose_path_is_too_long_for_sockets_is_refused_instead_of_a_hang(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 80)))
    with pytest.raises(MisuseError, match=r"TMPDIR.*--data\.num_workers 0"):
        data_module(folder, num_workers=1).train_dataloader()
    data_module(folder, num_workers=0).train_dataloader()
