"""The Lovász-softmax loss."""

from typing import Literal

import torch
from torch import Tensor, nn

from segapp.batch import IGNORE_INDEX
from segapp.init_args import Recorded
from segapp.losses.distributed import sum_over_processes
from segapp.losses.partial_labels import PartialLabels, merge_classes
from segapp.losses.weights import check_shapes


class Lovasz(Recorded, nn.Module):
    """Lovász-softmax, the convex surrogate of 1 - IoU (Berman et al. 2018), averaged over the classes present.

    Args:
        reduce: The surrogate is taken per `image`, then averaged over images, or over the whole `batch`.
    """

    def __init__(self, reduce: Literal["image", "batch"] = "image") -> None:
        super().__init__()
        self.reduce = reduce

    def forward(self, logits: Tensor, mask: Tensor, partial: PartialLabels | None = None) -> Tensor:
        """Compute the scalar loss in [0, 1]."""
        p = merge_classes(check_shapes(logits, mask), partial).softmax(1).movedim(1, -1)
        pairs = [(p, mask)] if self.reduce == "batch" else list(zip(p, mask, strict=True))
        losses = [self._compute_surrogate(probabilities, target) for probabilities, target in pairs]
        kept = [loss for loss in losses if loss is not None]
        total, count = torch.stack(kept).sum() if kept else (p * 0).sum(), mask.new_tensor(len(kept))
        if self.reduce == "image":
            total, count = sum_over_processes(total, count)
        return total / count.clamp(min=1)

    @staticmethod
    def _compute_surrogate(p: Tensor, mask: Tensor) -> Tensor | None:
        """Compute the mean over present classes of errors · Lovász gradient; None where all pixels are ignored."""
        valid = mask != IGNORE_INDEX
        p, target = p[valid], mask[valid]
        losses = []
        for index in target.bincount().nonzero()[:, 0].tolist():
            foreground = target == index
            errors, order = (foreground.to(p) - p[:, index]).abs().sort(descending=True)
            # Not `@`, which autocast would take to bfloat16.
            losses.append((errors * _compute_jaccard_gradient(foreground[order], p.dtype)).sum())
        return torch.stack(losses).mean() if losses else None


def _compute_jaccard_gradient(target: Tensor, dtype: torch.dtype) -> Tensor:
    """Compute the gradient of the Lovász extension of the Jaccard loss at sorted errors (algorithm 1 of the paper).

    The differences of successive Jaccard losses are written out, 1 / union where the target is foreground and
    intersection / (union · (union - 1)) elsewhere: subtracted as float32, those of a large image would be lost to
    rounding.
    """
    intersection = target.sum() - target.cumsum(0)
    union = target.sum() + (~target).cumsum(0)
    numerator, denominator = torch.where(target, 1, intersection), torch.where(target, union, union * (union - 1))
    return numerator.to(dtype) / denominator.to(dtype)
