"""The loss of a network as a function of its weights (Li et al. 2018).

"Visualizing the Loss Landscape of Neural Nets": along lines and on planes through the trained weights, whose
directions are filter-normalised, or span the path that training took.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _NormBase

from segapp.batch import IGNORE_INDEX, Batch
from segapp.errors import MisuseError
from segapp.lab.landscape.directions import Direction
from segapp.lab.landscape.hessian import Eigenvalues, find_largest_eigenvalues, make_hessian_product
from segapp.losses import list_partial_labels

Step = Mapping[int, float]
"""Distance along each direction, by its index; {} is the trained network."""

Statistics = Literal["frozen", "recalibrated", "none"]


class LossSurface:
    """The mean loss over fixed batches at the network's weights + Σ step[i] · directions[i].

    The network is copied and never changed: neither its parameters and buffers, nor its mode, nor torch's generators.
    It computes in evaluation mode, in the precision of its weights, without autocast.

    Args:
        net: images (N, C, H, W) → logits (N, K, H, W).
        loss: (logits, mask (N, H, W) int64 with 255 = ignore) → scalar; a batch counts by its valid pixels.
        batches: The subset; moved to the device once.
        directions: Each with one tensor per parameter; parameters with 0 in all of them are never changed.
        recalibrate: Recompute batch-norm statistics at every point, over the same batches and without momentum;
            otherwise the trained network's are used everywhere, as in the authors' code.
        device: Where to compute.
        background: The class of pixels of classes that were not looked for.

    Raises MisuseError when no pixel of the batches has a class.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: nn.Module,
        batches: Sequence[Batch],
        directions: Sequence[Direction],
        recalibrate: bool = False,
        device: torch.device | str = "cpu",
        background: int | None = None,
    ) -> None:
        self._net = copy.deepcopy(net).eval().requires_grad_(False).to(device)
        self._net.to(memory_format=torch.channels_last)
        self._loss = copy.deepcopy(loss).eval().to(device)
        self._batches = [_prepare_batch(batch, device) for batch in batches]
        looked_for = [None if (known := batch.get("looked_for")) is None else known.to(device) for batch in batches]
        self._partial = [list_partial_labels(self._loss, known, background) for known in looked_for]
        self._valid = [int((mask != IGNORE_INDEX).sum()) for _, mask in self._batches]
        if not sum(self._valid):
            raise MisuseError(
                "no pixel of the chosen samples has a class, so there is no loss to compute; use more --samples."
            )
        parameters = dict(self._net.named_parameters())
        self._moved = [name for name in parameters if any(direction[name].any() for direction in directions)]
        self._start = [parameters[name] for name in self._moved]
        self._work = {name: start.clone() for name, start in zip(self._moved, self._start, strict=True)}
        self._directions = [
            [
                direction[name].to(start).contiguous(memory_format=_get_memory_format(start))
                for name, start in self._pair_parameters()
            ]
            for direction in directions
        ]
        self._norms = {name: part for name, part in self._net.named_modules() if _has_statistics(part)}
        self.statistics: Statistics = "none" if not self._norms else "recalibrated" if recalibrate else "frozen"

    def compute_loss(self, step: Step) -> float:
        """Compute the loss at the weights after this step."""
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            self._move_weights(step)
            state = self._work | (self._recount_statistics() if self.statistics == "recalibrated" else {})
            total = 0.0
            for (image, mask), partial, valid in zip(self._batches, self._partial, self._valid, strict=True):
                if valid:
                    total += float(self._loss(functional_call(self._net, state, (image,)), mask, *partial)) * valid
        return total / sum(self._valid)

    def compute_eigenvalues(self, count: int, after_product: Callable[[], object] = lambda: None) -> Eigenvalues:
        """Compute the largest eigenvalues of the Hessian at the trained weights.

        It is that of the same mean loss, with respect to all parameters.

        Batch-norm statistics are the trained ones. `after_product` is called after every product with the Hessian, of
        which there are at most 100; the second derivatives of one batch are in memory at a time.
        """
        weights = {name: value.detach().clone().requires_grad_() for name, value in self._net.named_parameters()}
        like = torch.cat([value.detach().reshape(-1) for value in weights.values()])

        def multiply_by_hessian(vector: Tensor) -> Tensor:
            total = torch.zeros_like(vector)
            for (image, mask), partial, valid in zip(self._batches, self._partial, self._valid, strict=True):
                if valid:
                    # fused attention has no second derivative, and TF32 would be no fp32
                    with sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                        loss = self._loss(functional_call(self._net, weights, (image,)), mask, *partial)
                        image_of = make_hessian_product(loss, list(weights.values()))(vector)
                    total += image_of * (valid / sum(self._valid))
            after_product()
            return total

        return find_largest_eigenvalues(multiply_by_hessian, like, count)

    def _pair_parameters(self) -> list[tuple[str, Tensor]]:
        return list(zip(self._moved, self._start, strict=True))

    def _move_weights(self, step: Step) -> None:
        for position, (name, start) in enumerate(self._pair_parameters()):
            work = self._work[name].copy_(start)
            for index, amount in step.items():
                work.add_(self._directions[index][position], alpha=amount)

    def _recount_statistics(self) -> dict[str, Tensor]:
        """Recompute running means and variances at the current weights.

        The average over the batches, after_product with the same weight.
        """
        counted: dict[str, Tensor] = {}
        for name, norm in self._norms.items():
            prefix = f"{name}." if name else ""
            counted |= {f"{prefix}{key}": torch.zeros_like(value) for key, value in norm.named_buffers(recurse=False)}
            norm.train()
            norm.momentum = None  # no decay: the plain average
        for image, _ in self._batches:
            functional_call(self._net, self._work | counted, (image,))
        for norm in self._norms.values():
            norm.eval()
        return counted


def _prepare_batch(batch: Batch, device: torch.device | str) -> tuple[Tensor, Tensor]:
    return batch["image"].to(device, memory_format=torch.channels_last), batch["mask"].to(device).long()


def _get_memory_format(tensor: Tensor) -> torch.memory_format:
    return torch.channels_last if tensor.ndim == 4 else torch.contiguous_format


def _has_statistics(part: nn.Module) -> bool:
    """Return whether a layer normalises by running statistics of training."""
    return isinstance(part, _NormBase) and part.running_mean is not None
