"""Random numbers of a training step follow from seed, process, epoch and batch."""

from types import SimpleNamespace

import pytest
import torch

from segapp.callbacks import SeedEachStep


def sample(seed=7, rank=0, epoch=0, batch=0) -> list[float]:
    trainer = SimpleNamespace(global_rank=rank, current_epoch=epoch)
    module = SimpleNamespace(device=torch.device("cpu"))
    SeedEachStep(seed).on_train_batch_start(trainer, module, None, batch)
    return torch.rand(4).tolist()


@pytest.fixture(autouse=True)
def kept_state():
    with torch.random.fork_rng(devices=[]):
        yield


def test_a_batch_has_its_numbers_whatever_came_before() -> None:
    first = sample(epoch=3, batch=5)
    torch.rand(100)
    assert sample(epoch=3, batch=5) == first


@pytest.mark.parametrize("other", [{"seed": 8}, {"rank": 1}, {"epoch": 1}, {"batch": 1}], ids=str)
def test_another_seed_process_epoch_or_batch_has_others(other) -> None:
    assert sample(**other) != sample()


def test_digits_of_neighbours_do_not_run_together() -> None:
    assert sample(epoch=1, batch=11) != sample(epoch=11, batch=1)
