"""The encoder is frozen for the first epochs, and only the encoder."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch import nn

from segapp.callbacks import FreezeEncoder
from segapp.errors import MisuseError
from segapp.models import PlainEncoder, UNet


def trainer_at(epoch: int, processes: int = 1) -> SimpleNamespace:
    return SimpleNamespace(current_epoch=epoch, world_size=processes, strategy=None)


def begin(epochs: int, processes: int = 1) -> tuple[FreezeEncoder, SimpleNamespace]:
    module = SimpleNamespace(net=UNet(1, 2, partial(PlainEncoder, widths=(4, 8))).train())
    callback = FreezeEncoder(epochs)
    callback.setup(trainer_at(0, processes), module, "fit")
    callback.on_train_start(trainer_at(0, processes), module)
    return callback, module


def is_encoders(name: str) -> bool:
    return name.startswith(("encoder.", "bottleneck."))


def test_it_is_frozen_for_so_many_epochs_and_trains_afterwards() -> None:
    callback, module = begin(2)
    for epoch in (0, 1):
        module.net.train()  # as after a validation
        callback.on_train_batch_start(trainer_at(epoch), module, None, 0)
        for name, value in module.net.named_parameters():
            assert value.requires_grad != is_encoders(name)
        assert not module.net.encoder.training and not module.net.bottleneck.training
        assert module.net.decoder.training
    module.net.train()
    callback.on_train_batch_start(trainer_at(2), module, None, 0)
    assert all(value.requires_grad for value in module.net.parameters())
    assert all(part.training for part in module.net.modules())


def test_on_several_devices_gradients_are_dropped_instead() -> None:
    callback, module = begin(1, processes=2)
    callback.on_train_batch_start(trainer_at(0, 2), module, None, 0)
    for value in module.net.parameters():
        assert value.requires_grad
        value.grad = torch.ones_like(value)
    callback.on_before_optimizer_step(trainer_at(0, 2), module, None)
    for name, value in module.net.named_parameters():
        assert (value.grad is None) == is_encoders(name)


def test_a_run_that_ends_frozen_leaves_a_trainable_network() -> None:
    callback, module = begin(5)
    callback.on_train_batch_start(trainer_at(0), module, None, 0)
    callback.on_fit_end(trainer_at(0), module)
    assert all(value.requires_grad for value in module.net.parameters())


@pytest.mark.parametrize("epochs", [0, -1])
def test_it_takes_at_least_one_epoch(epochs) -> None:
    with pytest.raises(MisuseError, match=rf"FreezeEncoder.*{epochs}"):
        FreezeEncoder(epochs)


def test_a_network_without_encoder_and_sharded_parameters_are_refused() -> None:
    with pytest.raises(MisuseError, match=r"Linear.*encoder"):
        FreezeEncoder().setup(trainer_at(0), SimpleNamespace(net=nn.Linear(1, 1)), "fit")
    sharded = SimpleNamespace(strategy=FSDPStrategy())
    with pytest.raises(MisuseError, match="fsdp"):
        FreezeEncoder().setup(sharded, SimpleNamespace(net=UNet(1, 2, partial(PlainEncoder, widths=(4, 8)))), "fit")
