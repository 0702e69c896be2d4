"""Losses that measure the overlap of regions: Tversky, Dice, and Dice with cross-entropy."""

from typing import Literal

import torch
from torch import Tensor, nn

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.init_args import Recorded
from segapp.losses.distributed import sum_over_processes
from segapp.losses.partial_labels import PartialLabels, get_looked_for, merge_classes
from segapp.losses.pixelwise import CrossEntropy
from segapp.losses.weights import ClassWeights, Weights, check_shapes


class Tversky(Recorded, nn.Module):
    """1 - soft Tversky index, averaged over classes (Salehi et al. 2017).

    Per class 1 - (TP + s) / (TP + α·FP + β·FN + s), from softmax probabilities p and one-hot target g over valid
    pixels: TP = Σ p·g, FP = Σ p·(1 - g), FN = Σ (1 - p)·g.

    A class absent from the target is kept, so that its wrong predictions have a gradient: its loss is
    α·FP / (α·FP + s), 0 where none of it is predicted. The sums of a class leave out images in which it was not looked
    for, and the average leaves out a class without any other image.

    Args:
        alpha: Weight of false positives.
        beta: Weight of false negatives.
        reduce: Sums are taken per `image`, the losses then averaged over the images that have a valid pixel, or over
            the whole `batch`.
        smooth: s > 0, in pixels.
        background: A class left out of the average, if any.
        class_weights: One weight per class in the average, or `balanced`.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduce: Literal["image", "batch"] = "batch",
        smooth: float = 1.0,
        background: int | None = None,
        class_weights: Weights = None,
    ) -> None:
        super().__init__()
        if smooth <= 0 or min(alpha, beta) < 0 or alpha + beta == 0:
            raise MisuseError(
                f"Tversky needs smooth > 0, and alpha and beta ≥ 0 and not both 0; got smooth={smooth}, {alpha=}, "
                f"{beta=}."
            )
        self.alpha, self.beta, self.smooth = alpha, beta, smooth
        self.reduce = reduce
        self.background = background
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, mask: Tensor, partial: PartialLabels | None = None) -> Tensor:
        """Compute the scalar loss in [0, 1]."""
        k = logits.shape[1]
        if self.background is not None and not 0 <= self.background < k:
            raise MisuseError(f"background must be a class, 0 … {k - 1}, or null; got {self.background}.")
        logits = merge_classes(check_shapes(logits, mask), partial)
        indices = torch.arange(k, device=mask.device)
        valid = (mask != IGNORE_INDEX)[:, None]
        target = mask[:, None] == indices[:, None, None]  # (N, K, H, W), nowhere true where ignored
        p = logits.softmax(1)
        over = (2, 3) if self.reduce == "image" else (0, 2, 3)
        hits, predicted = (p * target).sum(over), (p * valid).sum(over)  # (N, K) or (K,)
        true = target.sum(over)
        pixels = valid.sum((2, 3)) * get_looked_for(logits, partial)  # (N, K)
        if self.reduce == "batch":
            hits, predicted, true, pixels = sum_over_processes(hits, predicted, true, pixels.sum(0))
        wrong = self.alpha * (predicted - hits) + self.beta * (true - hits)
        loss = wrong / (hits + wrong + self.smooth)
        weights = self.class_weights(logits)
        weights = loss.new_ones(k) if weights is None else weights
        if self.background is not None:
            weights = weights * (indices != self.background)
        weights = weights * (pixels > 0)
        total, weight = (loss * weights).sum(), weights.sum()
        if self.reduce == "image":
            total, weight = sum_over_processes(total, weight)
        return total / torch.where(weight > 0, weight, 1)


class Dice(Tversky):
    """1 - soft Dice, the Tversky loss with α = β = ½: per class 1 - (2·TP + 2s) / (Σp + Σg + 2s) (Milletari 2016).

    Args:
        reduce: Sums are taken per `image` or over the whole `batch`.
        smooth: s > 0, in pixels.
        background: A class left out of the average, if any.
        class_weights: One weight per class in the average, or `balanced`.
    """

    def __init__(
        self,
        reduce: Literal["image", "batch"] = "batch",
        smooth: float = 1.0,
        background: int | None = None,
        class_weights: Weights = None,
    ) -> None:
        super().__init__(0.5, 0.5, reduce, smooth, background, class_weights)


class DiceCrossEntropy(Recorded, nn.Module):
    """Dice + cross-entropy, as in nnU-Net (Isensee et al. 2021).

    Args:
        reduce: Whether Dice sums per `image` or over the whole `batch`.
        dice_weight: Factor of Dice.
        class_weights: The cross-entropy's, one per class, or `balanced`.
        label_smoothing: The cross-entropy's.
        background: A class that Dice leaves out, if any.
    """

    def __init__(
        self,
        reduce: Literal["image", "batch"] = "batch",
        dice_weight: float = 1.0,
        class_weights: Weights = None,
        label_smoothing: float = 0.0,
        background: int | None = None,
    ) -> None:
        super().__init__()
        self.dice = Dice(reduce, background=background)
        self.cross_entropy = CrossEntropy(class_weights, label_smoothing)
        self.dice_weight = dice_weight

    def forward(self, logits: Tensor, mask: Tensor, partial: PartialLabels | None = None) -> Tensor:
        """Compute the scalar loss."""
        logits = check_shapes(logits, mask)  # here, so that two gradients are added before they are rounded to 16 bits
        return self.dice_weight * self.dice(logits, mask, partial) + self.cross_entropy(logits, mask, partial)
