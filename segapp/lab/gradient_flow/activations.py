"""Collect statistics of submodules' outputs by forward hooks."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

_CHUNK = 1 << 18
"""Values that are processed together on a CPU."""


def list_watched_modules(net: nn.Module) -> dict[str, nn.Module]:
    """List the submodules that get a row: those with parameters of their own, and torch's activation functions.

    Names are as in `net.named_modules()`, without the `_orig_mod` that `torch.compile` puts in.
    """
    return {
        ".".join(part for part in name.split(".") if part != "_orig_mod"): module
        for name, module in net.named_modules()
        if name and (list_own_parameters(module) or type(module).__module__ == "torch.nn.modules.activation")
    }


def list_own_parameters(module: nn.Module) -> list[nn.Parameter]:
    """List the module's parameters without those of its submodules."""
    return list(module.parameters(recurse=False))


def is_compiled(root: nn.Module) -> bool:
    """Return whether any part of the network runs through `torch.compile`."""
    return any(part._compiled_call_impl is not None or "_orig_mod" in part._modules for part in root.modules())


class ActivationWatch:
    """Collects mean, variance and dead channels of every watched module's first output since `start`.

    A compiled network keeps the hooks it was compiled with; while the watch is on, compiled code therefore runs
    uncompiled (`torch.compiler.set_stance`), and the compiled code is used again afterwards.

    Args:
        modules: Name → module.
        compiled: Whether any of them runs within compiled code.
    """

    def __init__(self, modules: dict[str, nn.Module], compiled: bool) -> None:
        self.modules = modules
        self.compiled = compiled
        self.outputs: dict[str, Tensor] = {}
        """Name → (3,) float32: mean, variance, fraction of dead channels; in order of execution."""
        self._on = ExitStack()

    def start(self) -> None:
        """Reset the statistics and start watching."""
        self.stop()
        self.outputs.clear()
        for name, module in self.modules.items():
            self._on.callback(module.register_forward_hook(partial(self._record, name)).remove)
        if self.compiled:
            self._on.enter_context(torch.compiler.set_stance("force_eager"))

    def stop(self) -> None:
        """Stop watching; the statistics stay in `outputs`."""
        self._on.close()

    @torch.no_grad()
    def _record(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if name not in self.outputs and isinstance(output, Tensor) and output.numel():
            self.outputs[name] = compute_statistics(output.detach(), find_channel_dimension(module, output))


def find_channel_dimension(module: nn.Module, output: Tensor) -> int:
    """Find the dimension of the channels: 1 for (N, C), (N, C, H, W) ….

    The last for tokens (N, L, C) and for the output of a Linear layer.
    """
    last = output.ndim == 3 or isinstance(module, nn.Linear) or output.ndim == 1
    return output.ndim - 1 if last else 1


def compute_statistics(output: Tensor, channels: int) -> Tensor:
    """Compute (3,) float32 statistics of an output.

    They are mean, variance, and the fraction of channels that are ≤ 0 at every position of the batch.
    """
    others = [dimension for dimension in range(output.ndim) if dimension != channels]
    sizes, means, squares, positive = [], [], [], []
    for piece in _split_output(output):
        values = piece.float()
        mean = values.mean()
        sizes.append(piece.numel())
        means.append(mean)
        squares.append(torch.linalg.vector_norm(values - mean) ** 2)
        above = piece.clamp(min=0)
        positive.append(above.sum(others) if others else above)
    fractions = torch.tensor(sizes, dtype=torch.float32, device=output.device) / output.numel()
    mean = (fractions * torch.stack(means)).sum()
    variance = torch.stack(squares).sum() / output.numel() + (fractions * (torch.stack(means) - mean) ** 2).sum()
    dead = torch.stack(positive).sum(0) == 0
    return torch.stack([mean, variance, dead.float().mean()])


def _split_output(output: Tensor) -> Sequence[Tensor]:
    """Split an output into some images at a time on a CPU, so that they stay in its cache.

    New memory costs more than the arithmetic.

    (`torch.var_mean`, and `amax` of channels-last tensors, are slower still, by a factor of 20.)
    """
    if output.device.type != "cpu" or output.ndim == 1:
        return (output,)
    return output.split(max(1, _CHUNK // max(1, output[0].numel())))
