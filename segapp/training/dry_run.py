"""`segapp fit … --dry_run true`: measure the cost of a training by a few of its steps; nothing is kept."""

import math
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from segapp.batch import Batch
from segapp.system.peak_memory import read_peak_bytes

STEPS = 10
"""Training steps that are executed; the first `_WARM_UP` are slower and not counted."""
IMAGES = 4
"""Validation images that are scored."""
_WARM_UP = 3
_scratch: list[Path] = []


def make_scratch_folder() -> Path:
    """Make a temporary run folder, so that the steps also write files, as in a real run."""
    _scratch.append(Path(tempfile.mkdtemp(prefix="segapp-dry-run-")))
    return _scratch[-1]


def remove_scratch() -> None:
    """Remove every temporary run folder."""
    while _scratch:
        shutil.rmtree(_scratch.pop())


def shorten_trainer(settings: dict[str, Any]) -> dict[str, Any]:
    """Shorten the trainer's settings to a few steps and a short validation."""
    return {
        **settings,
        **{"max_epochs": 1, "min_epochs": None, "max_steps": -1, "max_time": None, "num_sanity_val_steps": 0},
        **{"limit_train_batches": STEPS, "limit_val_batches": IMAGES},
        **{"val_check_interval": None, "check_val_every_n_epoch": 1},
    }


class Measure(Callback):
    """Times steps and validation images, and keeps one batch for its size."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.waits: list[float] = []
        self.images: list[float] = []
        self.batch: Batch | None = None
        self._before = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self._before = time.perf_counter()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Record the time at which the batch is available."""
        self.waits.append(time.perf_counter() - self._before)
        self.batch = batch

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the time of a step."""
        self.steps.append(self._measure_interval())

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._measure_interval()

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Record the time of a scored image."""
        self.images.append(self._measure_interval())

    def _measure_interval(self) -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        seconds, self._before = now - self._before, now
        return seconds


def format_report(measure: Measure, trainer: Trainer, settings: Any, folder: Path) -> str:
    """Format the table that is printed."""
    assert measure.batch is not None
    module, data = trainer.lightning_module, trainer.datamodule  # type: ignore[attr-defined]
    net: torch.nn.Module = module.net  # type: ignore[assignment]
    images = measure.batch["image"]
    size, shape = len(images), " × ".join(map(str, images.shape[1:]))
    steps = _apply_limit(len(data.train_dataloader()), settings.trainer.limit_train_batches)
    scored = _apply_limit(len(data.val_dataloader()), settings.trainer.limit_val_batches)
    kept, flops = _measure_forward(module, images, trainer)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    step, wait = (_compute_median(times[_WARM_UP:] or times) for times in (measure.steps, measure.waits))
    epoch = steps * step + scored * _compute_median(measure.images)
    rows = {
        "network": f"{parameters:,} parameters",
        "computation": f"{flops / size / 1e9:.3g} GFLOPs forward per sample of {shape}; about 3 times that to train",
        "epoch": f"{steps * size} samples of {len(data.split_names()['train'])} images in {steps} steps of {size}"
        f"{_format_devices(trainer)}, {scored} validation images",
        "memory": f"{_format_peak()}; {kept / 1e9:.3g} GB of it are kept for the backward pass",
        "time": f"{step:.3g} s a step ({wait:.2g} s of it waiting for images), {_format_duration(epoch)} an epoch with "
        f"its validation{_format_whole_run(settings.trainer, epoch, steps / trainer.accumulate_grad_batches)}",
        "checkpoint": f"{(folder / 'checkpoints' / 'last.ckpt').stat().st_size / 1e6:.3g} MB each, up to two are kept",
    }
    lines = [f"  {name:<12} {text}" for name, text in rows.items()]
    title = f"\ndry run: measured with {len(measure.steps)} steps and {len(measure.images)} validation images"
    return "\n".join([title, *lines, "nothing was kept."])


def _measure_forward(module: LightningModule, images: torch.Tensor, trainer: Trainer) -> tuple[int, int]:
    """Measure one training forward of a batch: bytes kept for the backward pass, and floating-point operations."""
    storages: dict[int, torch.UntypedStorage] = {}  # held, so that no address is used twice
    parameters = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}

    def keep_storage(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            storages[storage.data_ptr()] = storage
        return tensor

    module.train()
    counter = FlopCounterMode(display=False)
    with trainer.precision_plugin.forward_context(), counter, saved_tensors_hooks(keep_storage, lambda tensor: tensor):
        output = module.net(images.to(module.device))  # type: ignore[operator]
    del output
    return sum(storage.nbytes() for storage in storages.values()), counter.get_total_flops()


def _format_peak() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.max_memory_reserved() / 1e9:.3g} GB of the GPU at most"
    return f"{read_peak_bytes() / 1e9:.3g} GB of the training process at most"


def _apply_limit(count: int, limit: float | None) -> int:
    """Apply Lightning's limits: a number of batches, or a fraction of them."""
    if limit is None:
        return count
    return min(count, limit) if isinstance(limit, int) else int(count * limit)


def _format_whole_run(trainer: Any, epoch: float, steps: float) -> str:
    """Format the complete run with the user's settings, if it has an end; `steps` are the optimiser's in an epoch."""
    by_steps = trainer.max_steps / steps if trainer.max_steps >= 0 else math.inf
    limit = trainer.max_epochs or (1000 if by_steps == math.inf else -1)  # Lightning's default
    epochs = min(limit if limit >= 0 else math.inf, by_steps)
    return "" if epochs == math.inf else f", {_format_duration(epoch * epochs)} for {epochs:.4g} epochs"


def _format_devices(trainer: Trainer) -> str:
    return f" on each of {trainer.world_size} devices" if trainer.world_size > 1 else ""


def _compute_median(times: list[float]) -> float:
    return statistics.median(times) if times else 0.0


def _format_duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.3g} s"
