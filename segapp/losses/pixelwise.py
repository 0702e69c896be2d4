"""Losses that are a mean over pixels."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.init_args import Recorded
from segapp.losses.distributed import sum_over_processes
from segapp.losses.partial_labels import PartialLabels, merge_classes
from segapp.losses.weights import ClassWeights, Weights, check_shapes


class PixelwiseLoss(Recorded, nn.Module, ABC):
    """A weighted mean over valid pixels.

    Its two sums, unlike the mean, may be added over bands and processes before they are divided. Accumulated gradients
    are of the batches' means: `trainer.accumulate_grad_batches` is the larger batch only where all weights are equal.
    """

    @abstractmethod
    def compute_sums(self, logits: Tensor, mask: Tensor, partial: PartialLabels | None = None) -> tuple[Tensor, Tensor]:
        """Compute two scalars.

        They are Σ weight · loss over valid pixels, and Σ weight (the number of pixels, where all are equal).
        """

    def forward(self, logits: Tensor, mask: Tensor, partial: PartialLabels | None = None) -> Tensor:
        """Compute the scalar loss."""
        labels = () if partial is None else (partial,)  # which a user-defined loss need not take
        total, weight = sum_over_processes(*self.compute_sums(logits, mask, *labels))
        # Label smoothing gives a loss even to pixels of weight 0: without other pixels they count for nothing.
        return total * (weight > 0) / torch.where(weight > 0, weight, 1)


class CrossEntropy(PixelwiseLoss):
    """Softmax cross-entropy: Σ w_y · (-log p_y) / Σ w_y over valid pixels of true class y.

    With label smoothing ε the target is (1 - ε) · one-hot + ε / K, each class's term weighted by its own w (Szegedy
    et al. 2016), as in PyTorch; K counts the classes that were looked for in the pixel's image.

    Args:
        class_weights: One weight per class, or `balanced`.
        label_smoothing: ε in [0, 1).
    """

    def __init__(self, class_weights: Weights = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise MisuseError(f"label_smoothing must be in [0, 1), got {label_smoothing}.")
        self.class_weights = ClassWeights(class_weights)
        self.label_smoothing = label_smoothing

    def compute_sums(self, logits: Tensor, mask: Tensor, partial: PartialLabels | None = None) -> tuple[Tensor, Tensor]:
        """Compute the two scalars of `PixelwiseLoss.compute_sums`."""
        logits = merge_classes(check_shapes(logits, mask), partial)
        weights = self.class_weights(logits)
        total = F.cross_entropy(
            logits,
            mask,
            weight=weights,
            ignore_index=IGNORE_INDEX,
            reduction="none",  # PyTorch's mean is 0 / 0 where all is ignored, its sum on a GPU not deterministic
            label_smoothing=self.label_smoothing if partial is None else 0.0,
        ).sum()
        valid = mask != IGNORE_INDEX
        if self.label_smoothing and partial is not None:  # PyTorch's would include the classes of probability 0
            smooth = self._sum_over_classes(logits, valid, partial.looked_for, weights)
            total = (1 - self.label_smoothing) * total + self.label_smoothing * smooth
        return total, valid.sum() if weights is None else (weights[torch.where(valid, mask, 0)] * valid).sum()

    @staticmethod
    def _sum_over_classes(logits: Tensor, valid: Tensor, looked_for: Tensor, weights: Tensor | None) -> Tensor:
        """Sum, over valid pixels, the mean of w · (-log p) over the classes that were looked for."""
        log_p = logits.log_softmax(1).masked_fill(~looked_for[:, :, None, None], 0)
        factors = looked_for.to(log_p) / looked_for.sum(1, keepdim=True)
        factors = factors if weights is None else factors * weights
        return -(log_p * factors[:, :, None, None] * valid[:, None]).sum()


class Focal(PixelwiseLoss):
    """Softmax focal loss: Σ w_y · (1 - p_y)^γ · (-log p_y) / Σ w_y over valid pixels of class y (Lin et al. 2017).

    Args:
        gamma: γ ≥ 0; 0 is cross-entropy.
        class_weights: One weight per class (the paper's α), or `balanced`.
    """

    def __init__(self, gamma: float = 2.0, class_weights: Weights = None) -> None:
        super().__init__()
        if gamma < 0:
            raise MisuseError(f"gamma must be 0 or more, got {gamma}.")
        self.gamma = gamma
        self.class_weights = ClassWeights(class_weights)

    def compute_sums(self, logits: Tensor, mask: Tensor, partial: PartialLabels | None = None) -> tuple[Tensor, Tensor]:
        """Compute the two scalars of `PixelwiseLoss.compute_sums`."""
        logits = merge_classes(check_shapes(logits, mask), partial)
        valid = mask != IGNORE_INDEX
        target = torch.where(valid, mask, 0)
        log_p = logits.log_softmax(1).gather(1, target[:, None])[:, 0]
        # 1 - p is kept off 0, where the power's gradient is infinite for γ < 1.
        focal = -((-torch.expm1(log_p)).clamp_min(1e-7) ** self.gamma) * log_p
        weights = self.class_weights(logits)
        weight = valid.to(focal) if weights is None else weights[target] * valid
        return (focal * weight).sum(), weight.sum()
