"""The Lightning module that trains a network with a loss and an optimiser."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast, get_args

import torch
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.strategies import FSDPStrategy
from torch import Tensor, nn

from segapp.batch import Batch
from segapp.checkpoints.building import build_part
from segapp.checkpoints.checkpoint import build_trained_network, read_checkpoint
from segapp.checkpoints.number_limits import read_temperature
from segapp.checkpoints.optimizer_state import require_fitting_state
from segapp.checkpoints.record import make_record
from segapp.checkpoints.roles import LOSS
from segapp.checkpoints.version import read_spec
from segapp.errors import MisuseError
from segapp.inference.runtime import Runtime, TorchRuntime
from segapp.loading.recorded_split import restore_recorded
from segapp.losses import ClassWeights, DeepSupervision, Lovasz, list_partial_labels
from segapp.losses.distributed import share_batch
from segapp.metrics import EpochMean
from segapp.models.rates import group_parameters
from segapp.schedules import WarmupCosine
from segapp.spec import Precision, Spec
from segapp.training.optimizers import (
    configure_scheduler,
    fuse_steps,
    make_optimizer,
    make_scheduler,
    scale_rates,
    step_plateau_schedulers,
)
from segapp.training.scoring import ScoringModule


class SegmentationModule(ScoringModule):
    """Trains `net` with `loss`, and scores complete images at their stored size.

    Args:
        net: (N, C, H, W) uint8 in [0, 255] or float32 in [0, 1] → logits (N, K, H, W); in training possibly a list,
            finest first (deep supervision).
        loss: (logits, mask (N, H, W) int64 with 255 = ignore) → scalar.
        optimizer: Made from the parameters, as `torch.optim.AdamW`.
        lr_scheduler: Made from the optimiser. `segapp.schedules.WarmupCosine` is stepped every step, torch's own
            every epoch, `ReduceLROnPlateau` after every validation, with its loss, or what Lightning's `monitor`s.
        spec: Classes, channels and windows of the data; linked from the data module by the command line.
        encoder_lr: The encoder's learning rate as a factor of the optimiser's, above 0, up to 1.
        layer_decay: The rate of each finer level of the encoder as a factor of the level below it, above 0, up to 1.
    """

    loss: nn.Module

    def __init__(
        self,
        net: nn.Module,
        loss: nn.Module,
        optimizer: OptimizerCallable = torch.optim.AdamW,
        lr_scheduler: LRSchedulerCallable | None = None,
        spec: Spec | None = None,
        encoder_lr: float = 1.0,
        layer_decay: float = 1.0,
    ) -> None:
        if spec is None:
            raise MisuseError("SegmentationModule needs the data's spec: pass spec=datamodule.spec.")
        super().__init__(spec)
        self.net = net.to(memory_format=torch.channels_last)  # faster on CPU and on tensor cores, neutral elsewhere
        self.loss = loss
        self.optimizer = optimizer
        self.lr_scheduler = lr_scheduler
        self.encoder_lr = encoder_lr
        self.layer_decay = layer_decay
        self.train_loss = EpochMean()
        self.temperature = 1.0
        self._restored: dict[str, Any] | None = (
            None  # the checkpoint that a fit resumes from, until its state is restored
        )

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]
        cls,
        checkpoint_path: str | Path,
        map_location: Any = None,
        hparams_file: None = None,
        strict: bool | None = None,
        weights_only: bool | None = True,
        allow: Sequence[str] = (),
        **kwargs: Any,
    ) -> Self:
        """Return the module of a checkpoint; `net`, `loss` and `spec` are those it was trained with, unless given.

        Lightning's method would import whatever the checkpoint's `hyper_parameters` name; here they are not used.

        Args:
            checkpoint_path: A checkpoint of `segapp fit`, or of a Trainer in Python.
            map_location: The device it is moved to; default: the CPU.
            hparams_file: None: the checkpoint holds everything.
            strict: Whether the weights must match the network's exactly; default: they must.
            weights_only: Ignored: code in a checkpoint is always refused.
            allow: Classes or packages outside segapp that the checkpoint may use.
            kwargs: Arguments of the constructor.

        Raises:
            MisuseError: The file is no checkpoint of segapp, or names a class that may not be imported.
        """
        checkpoint = read_checkpoint(checkpoint_path)
        record = checkpoint["segapp"]
        kwargs.setdefault("spec", read_spec(checkpoint_path, record["spec"]))
        if "net" not in kwargs:
            kwargs["net"] = build_trained_network(checkpoint_path, checkpoint, allow)
        if "loss" not in kwargs:
            loss = record["config"].get("model", {}).get("loss")
            kwargs["loss"] = build_part(checkpoint_path, nn.Module, LOSS, loss, allow)
        module = cls(**kwargs)
        module.on_load_checkpoint(checkpoint)
        module.load_state_dict(checkpoint["state_dict"], strict=strict is not False)
        return module if map_location is None else module.to(map_location)

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        """Return the network's logits of images (N, C, H, W)."""
        return self.net(images)

    # ------------------------------------------------------------------------------------------ training

    def setup(self, stage: str) -> None:
        """Set the spec's precision to the trainer's and, before training, the class weights by the training masks."""
        if self.trainer.precision in get_args(Precision):
            self.spec = replace(self.spec, precision=cast(Precision, self.trainer.precision))
        if stage == "fit":
            self._refuse_loss_over_batch()
            for part in self.loss.modules():
                if isinstance(part, ClassWeights) and part.balanced:
                    data = self.trainer.datamodule  # type: ignore[attr-defined]
                    part.set_counts(torch.from_numpy(data.count_classes()), torch.from_numpy(data.count_labelled()))

    def _refuse_loss_over_batch(self) -> None:
        unshared = any(isinstance(part, Lovasz) and part.reduce == "batch" for part in self.loss.modules())
        if unshared and self.trainer.world_size > 1:
            raise MisuseError(
                f"Lovasz over the `batch` sorts all its pixels, but each of {self.trainer.world_size} processes has "
                "only some of them: set --model.loss.init_args.reduce image, or train on one device."
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the record of the network, unless `segapp fit` has added it, and the epoch's loss so far."""
        if "segapp" not in checkpoint:
            checkpoint["segapp"] = make_record(self)
        checkpoint["segapp"]["train_loss"] = self.train_loss.sums

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the checkpoint's split, and the raw weights where no callback averages them any more.

        The optimiser's state is of the raw weights.
        """
        super().on_load_checkpoint(checkpoint)
        self.temperature = read_temperature("the checkpoint", checkpoint.get("segapp", {}).get("temperature"))
        if self._trainer is None:
            return
        if self.trainer.state.fn != "predict":  # which scores nothing
            restore_recorded(getattr(self.trainer, "datamodule", None), checkpoint)
        if sums := checkpoint.get("segapp", {}).get("train_loss"):
            self.train_loss.restore(sums)
        averages = any(isinstance(callback, WeightAveraging) for callback in self.trainer.callbacks)  # type: ignore[attr-defined]
        if self.trainer.state.fn == "fit":
            self._restored = checkpoint
        if self.trainer.state.fn == "fit" and not averages:
            checkpoint["state_dict"] = checkpoint.get("current_model_state", checkpoint["state_dict"])

    def on_fit_start(self) -> None:
        """Refuse a checkpoint's optimiser that does not fit, before Lightning restores it.

        A temperature was fitted to weights that now change.
        """
        self.temperature = 1.0
        restored, self._restored = self._restored, None
        if restored is not None and not self.trainer.strategy.restore_checkpoint_after_setup:
            schedulers = [config.scheduler for config in self.trainer.lr_scheduler_configs]
            states, schedules = (restored.get(key, []) for key in ("optimizer_states", "lr_schedulers"))
            require_fitting_state(self.trainer.optimizers, schedulers, states, schedules)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the loss of one batch."""
        logits = self.net(batch["image"])
        if isinstance(logits, list) and not isinstance(self.loss, DeepSupervision):
            raise MisuseError(
                "the network has deep_supervision and returns several outputs, but the loss accepts one: "
                "wrap it as model.loss.class_path: segapp.losses.DeepSupervision with init_args.loss: your loss."
            )
        partial = list_partial_labels(self.loss, batch.get("looked_for"), self.spec.background)
        with share_batch():
            loss = self.loss(logits, batch["mask"].long(), *partial)
        if batch_idx == 0:  # not where a run resumes in the middle of an epoch
            self.train_loss.reset()
        self.train_loss(loss.detach(), len(batch["mask"]))
        self.log("train/loss", self.train_loss, on_step=True, on_epoch=True, prog_bar=True)
        return loss * self._compute_partial_factor(batch_idx)

    def _compute_partial_factor(self, batch_idx: int) -> float:
        """Return the factor that makes the loss of an epoch's last step a mean over the batches that it has.

        Lightning divides every batch's loss by `accumulate_grad_batches`, also where fewer batches remain.
        """
        batches, accumulated = self.trainer.num_training_batches, self.trainer.accumulate_grad_batches
        rest = 0 if math.isinf(batches) else int(batches) % accumulated
        return accumulated / rest if rest and batch_idx >= batches - rest else 1.0

    def configure_optimizers(self) -> Any:
        """Return the user's optimiser, and the scheduler with the moment at which Lightning steps it."""
        optimizer = make_optimizer(self.optimizer, self._list_parameters())
        if not isinstance(self.trainer.strategy, FSDPStrategy):  # its gradients may have another dtype than weights
            fuse_steps(optimizer, self.device.type)
        scale_rates(optimizer)
        if self.lr_scheduler is None:
            return optimizer
        scheduler = make_scheduler(self.lr_scheduler, optimizer)
        if isinstance(scheduler, WarmupCosine):
            scheduler.span(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": configure_scheduler(scheduler, self.validated)}

    def _list_parameters(self) -> Any:
        """Return the trainable parameters, in groups where the encoder's rates differ."""
        if self.encoder_lr == self.layer_decay == 1:
            return (p for p in self.parameters() if p.requires_grad)
        if isinstance(self.trainer.strategy, FSDPStrategy):
            raise MisuseError(
                "--trainer.strategy fsdp shards parameters, but model.encoder_lr and model.layer_decay need whole "
                "ones: set both to 1.0."
            )
        groups = group_parameters(self.net, self.spec.channels, self.encoder_lr, self.layer_decay)
        groups[0]["params"] += [p for p in self.loss.parameters() if p.requires_grad]
        return groups

    # ------------------------------------------------------------------------------------------ evaluation

    @property
    def validated(self) -> list[str]:
        """The names of the values that a validation logs."""
        return ["val/loss", *(f"val/{name}" for name in self.collector.names)]

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the validation set; a scheduler that waits for plateaus sees its loss."""
        scores = self.log_scores("val")
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            step_plateau_schedulers(self.lr_schedulers(), scores)

    def make_runtime(self) -> Runtime:
        """Return the network as a runtime, on the module's device and in the spec's precision."""
        return TorchRuntime(self.net, self.device, self.spec.precision, temperature=self.temperature)
