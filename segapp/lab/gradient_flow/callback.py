"""Record gradients, weights and activations of every submodule while a network trains."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor
from torch.optim import Optimizer

from segapp.errors import MisuseError
from segapp.lab.gradient_flow.activations import ActivationWatch, is_compiled, list_own_parameters, list_watched_modules
from segapp.lab.gradient_flow.figures import draw_run
from segapp.lab.gradient_flow.norms import (
    compute_clip_coefficients,
    compute_norm,
    compute_update_ratio,
    copy_weights,
    list_gradients,
)
from segapp.report.gradient_flow_table import append_rows, read_rows, start_table


class GradientFlow(Callback):
    """Writes `<run>/gradient_flow.csv` while training, and draws `<run>/gradient_flow.png` from it afterwards.

    A row per measured optimiser step and submodule (with parameters of its own, or an activation function), `order`
    counting the submodules as they run:

    * `gradient_norm` before clipping and without the loss scale, of all of the submodule's own parameters together;
      `clip_coefficient`, the factor of clipping. Of the accumulated and, on several devices, averaged
      gradient.
    * `weight_norm` before the step, and `update_ratio`, ‖weights after - before‖ / ‖weights before‖: the learning
      rate, momentum, weight decay and clipping are all in it. A step that the gradient scaler skipped has
      `skipped` 1 and no ratio.
    * `dead_channels`, the fraction of output channels that are ≤ 0 at every position of the batch;
      `activation_mean`, `activation_variance` of the output. Of the first process's part of the batch, with
      accumulation of its last batch.

    A resumed run drops the rows after the step it resumes from. Compiled networks run uncompiled in a measured step,
    because compiled code does not call hooks.

    Args:
        every_n_steps: Measure the first optimiser step and then every so many.
    """

    def __init__(self, every_n_steps: int = 25) -> None:
        if every_n_steps < 1:
            raise MisuseError(f"every_n_steps of GradientFlow must be a whole number, 1 or more, got {every_n_steps}.")
        self.every_n_steps = every_n_steps
        self._watch = ActivationWatch({}, compiled=False)
        self._order: dict[str, int] = {}
        self._measured: _Step | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse strategies under which no process has complete parameters."""
        if isinstance(trainer.strategy, FSDPStrategy | DeepSpeedStrategy | ModelParallelStrategy):
            raise MisuseError(
                f"GradientFlow needs whole parameters, but {type(trainer.strategy).__name__} divides them among "
                "processes: use --trainer.strategy ddp, or remove the callback."
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the table, or continue that of an interrupted run."""
        net: torch.nn.Module = pl_module.net  # type: ignore[assignment]
        compiled = is_compiled(pl_module) or pl_module._compiler_ctx is not None
        self._watch = ActivationWatch(list_watched_modules(net), compiled)
        self._order = {}
        if trainer.is_global_zero:
            start_table(self._locate_csv(trainer), trainer.global_step)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Watch the forward pass of a step that is due."""
        step = trainer.global_step + 1
        self._measured = None
        if trainer.is_global_zero and (step == 1 or step % self.every_n_steps == 0):
            self._measured = _Step(step)
            self._watch.start()

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Stop watching.

        The backward pass may run the network again (checkpointed activations).
        """
        self._watch.stop()

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Measure the gradient, which is complete and not yet clipped."""
        if self._measured is not None:
            self._measured.measure_gradients(self._watch, trainer, optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Compare the weights, if the optimiser stepped, and write the rows."""
        self._watch.stop()
        if self._measured is None or not self._measured.has_gradients:
            return
        rows = self._measured.measure_updates(self._watch, trainer)
        self._extend_order()
        ordered = sorted(rows, key=self._order.__getitem__)
        where = trainer.current_epoch + 1, self._measured.number
        append_rows(self._locate_csv(trainer), [[*where, self._order[name], name, *rows[name]] for name in ordered])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the table."""
        if trainer.is_global_zero and read_rows(self._locate_csv(trainer)):
            draw_run(self._locate_csv(trainer), self._locate_csv(trainer).with_suffix(".png"))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Remove the hooks."""
        self._watch.stop()

    def _extend_order(self) -> None:
        """Number the submodules by first execution; those that never ran by themselves come last."""
        if not self._order and not self._watch.outputs:
            rank_zero_warn(
                "GradientFlow: the forward pass of no submodule could be observed, so gradient_flow.csv has no "
                "activations, and its rows are in the order in which the layers are defined."
            )
        for name in [*self._watch.outputs, *self._watch.modules]:
            self._order.setdefault(name, len(self._order))

    @staticmethod
    def _locate_csv(trainer: Trainer) -> Path:
        return Path(trainer.default_root_dir) / "gradient_flow.csv"


class _Step:
    """Measurements of one optimiser step; they stay on the device until all are complete."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.has_gradients = False
        """Whether the optimiser steps with this batch; a batch that only accumulates has none."""

    def measure_gradients(self, watch: ActivationWatch, trainer: Trainer, optimizer: Optimizer) -> None:
        """Measure the gradients before clipping, and copy the weights before the step."""
        self.has_gradients = True
        self._scale = find_loss_scale(trainer)
        own = {name: list_own_parameters(module) for name, module in watch.modules.items()}
        groups = [list_gradients(parameters) for parameters in own.values()]
        everything = list_gradients(parameter for group in optimizer.param_groups for parameter in group["params"])
        by_value = trainer.gradient_clip_algorithm == "value"
        coefficients = compute_clip_coefficients(groups, everything, trainer.gradient_clip_val, by_value)
        left = self._scale if is_self_unscaling(optimizer) else 1.0
        self._gradients = {
            name: (compute_norm(group) / left, coefficient)
            for name, group, coefficient in zip(own, groups, coefficients, strict=True)
            if group
        }
        self._weights = {name: copy_weights(parameters) for name, parameters in own.items() if parameters}

    def measure_updates(self, watch: ActivationWatch, trainer: Trainer) -> dict[str, list[Any]]:
        """Return the columns from `gradient_norm` to `skipped` of each submodule."""
        skipped = find_loss_scale(trainer) < self._scale  # a scaler is reduced exactly when it has skipped a step
        numbers: dict[tuple[str, str], Tensor] = {}
        for name, (gradient, coefficient) in self._gradients.items():
            numbers[name, "gradient"], numbers[name, "coefficient"] = gradient, coefficient
        for name, before in self._weights.items():
            numbers[name, "weight"] = compute_norm(before)
            if not skipped:
                numbers[name, "update"] = compute_update_ratio(before, list_own_parameters(watch.modules[name]))
        for name, output in watch.outputs.items():
            numbers[name, "mean"], numbers[name, "variance"], numbers[name, "dead"] = output.unbind()
        known = dict(zip(numbers, _convert_to_floats(list(numbers.values())), strict=True))
        kinds = ("gradient", "coefficient", "weight", "update", "dead", "mean", "variance")
        return {name: [*(known.get((name, kind)) for kind in kinds), int(skipped)] for name in watch.modules}


def _convert_to_floats(numbers: list[Tensor]) -> list[float]:
    """Convert tensors to floats with one transfer for all."""
    device = next((number.device for number in numbers if number.device.type != "cpu"), torch.device("cpu"))
    return torch.stack([number.to(device, torch.float32) for number in numbers]).tolist()


def find_loss_scale(trainer: Trainer) -> float:
    """Find the factor that the loss is multiplied by before it is differentiated; 1 without a gradient scaler."""
    plugin = trainer.precision_plugin
    scaler = plugin.scaler if isinstance(plugin, MixedPrecision) else None
    return 1.0 if scaler is None else float(scaler.get_scale())


def is_self_unscaling(optimizer: Optimizer) -> bool:
    """Return whether gradients are still scaled at the optimiser's step.

    Fused optimisers divide by the scale themselves.
    """
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))
