"""The averaged weights are those of the formula, for every kind of weight a network has."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.precision import Precision
from torch import Tensor, nn
from torch.utils.data import DataLoader

from segapp.callbacks import EMA
from segapp.errors import MisuseError


class Drifting(nn.Module):
    """Puts a new tensor in the place of its buffer at every step, as hand-written norms do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))
        self.register_buffer("unused", None)

    def forward(self, values: Tensor) -> Tensor:
        self.seen = 0.5 * self.seen + values.detach().mean(0)
        return values


class Net(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), Drifting(), nn.Linear(3, 1))

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        return self.layers(batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Naive(Callback):
    """The formula, one weight after the other; stands after EMA in the list."""

    def __init__(self, decay: float) -> None:
        self.decay, self.count, self.average = decay, 0, dict[str, Tensor]()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if trainer.global_step == self.count:  # in mid-accumulation
            return
        decay = min(self.decay, (1 + self.count) / (10 + self.count)) if self.count else 0.0
        for name, value in pl_module.state_dict().items():
            mixed = decay * self.average.get(name, value) + (1 - decay) * value
            self.average[name] = (mixed if value.is_floating_point() else value).clone()
        self.count += 1


@pytest.mark.parametrize("accumulate", [1, 2])
def test_every_weight_is_averaged_after_every_optimiser_step(accumulate, tmp_path):
    torch.manual_seed(0)
    naive, net = Naive(0.3), Net()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=2,
        callbacks=[EMA(0.3), naive],
        accumulate_grad_batches=accumulate,
        default_root_dir=tmp_path,
        enable_checkpointing=False,
        **quiet,
    )
    trainer.fit(net, DataLoader(torch.randn(24, 2), batch_size=4))
    assert naive.count == 12 // accumulate
    found = net.state_dict()  # the average, once training has ended
    assert found.keys() == naive.average.keys()
    for name, value in naive.average.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
    assert found["layers.1.num_batches_tracked"] == 12


def test_the_average_lies_on_the_device_of_the_training():
    """Lightning moves the network only after the callbacks are set up."""
    average = EMA()
    strategy = SimpleNamespace(root_device=torch.device("meta"))
    average.setup(SimpleNamespace(strategy=strategy, precision_plugin=Precision()), Net(), "fit")
    assert {weight.device.type for weight in average._average_model.state_dict().values()} == {"meta"}


@pytest.mark.parametrize("decay", [-1.0, 1.0, 99.0])
def test_a_decay_below_0_or_from_1_is_refused(decay: float) -> None:
    with pytest.raises(MisuseError, match=r"EMA: decay must be in \[0, 1\), got"):
        EMA(decay)
