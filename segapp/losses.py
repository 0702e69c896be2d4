"""Losses: logits (N, K, H, W) of any float dtype, mask (N, H, W) int64 with 255 = ignore → scalar.

All compute in float32 (float64 where the logits are), leave out ignored pixels in value and gradient alike, and give 0
with a gradient of 0 where every pixel is ignored. They are our own, not segmentation-models-pytorch's, because there
Dice gives no gradient for false positives of an absent class, smoothed cross-entropy divides by ignored pixels too, and
focal and Lovász fail on a batch that is ignored throughout. Mask values are trusted: the data sets check them.

In a training step on several processes (`segapp.shares.one_batch`) every loss is that of the one batch they share, in
value and, once the processes' gradients are averaged, in gradient, however ignored pixels are spread. Only a surrogate
that sorts its pixels, Lovász over the `batch`, is taken by each process of its own share.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError, SegappError
from segapp.shares import summed

Weights = Sequence[float] | Literal["balanced"] | None

_LARGEST_BALANCED = 100.0
"""A handful of pixels must not steer a batch; it binds for classes below a share of 1 % / (number of classes)."""


class ClassWeights(nn.Module):
    """One weight per class: given, or `balanced` from the training masks and then kept with the checkpoint.

    Balanced weights are total / (P · count) for the P classes that occur, so that the mean weight of a pixel is 1;
    none exceeds 100, and a class that never occurs gets 1.
    """

    weights: Tensor

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        if isinstance(weights, str) and weights != "balanced":
            raise MisuseError(f"class_weights is a list of numbers or 'balanced', got {weights!r}.")
        self.balanced = weights == "balanced"
        values = None if weights is None or isinstance(weights, str) else [float(weight) for weight in weights]
        if values is not None and not (all(0 <= weight < math.inf for weight in values) and any(values)):
            raise MisuseError(f"class_weights must be finite, ≥ 0 and not all 0, got {values}.")
        self._values = None if values is None else torch.tensor(values)
        if self.balanced:
            # What checkpoints hold, -1 where there is no class. Its size is fixed, since moving averages copy a loss
            # before its classes are known; they also swap it in validation, so it is never what a loss computes with.
            self.register_buffer("weights", torch.full((IGNORE_INDEX,), -1.0))

    def set_counts(self, counts: Tensor) -> None:
        """Balance by the pixels per class, (K,) int64; a checkpoint loaded later prevails."""
        if not self.balanced:
            raise MisuseError("class_weights were not asked to be 'balanced'.")
        if not counts.any():
            raise MisuseError("'balanced' class weights need training masks, but no pixel of theirs has a class.")
        counts = counts.double()
        present = counts > 0
        weights = torch.ones_like(counts)
        weights[present] = (counts.sum() / (present.sum() * counts[present])).clamp(max=_LARGEST_BALANCED)
        self._set(weights.float())

    def forward(self, logits: Tensor) -> Tensor | None:
        """(K,) of the dtype and on the device of logits (N, K, H, W), or None for equal weights."""
        if self._values is None:
            if self.balanced:
                raise MisuseError("balanced class weights are computed when training starts; this model has none yet.")
            return None
        if len(self._values) != logits.shape[1]:
            raise MisuseError(
                f"class_weights has {len(self._values)} numbers for {logits.shape[1]} classes; give one each."
            )
        self._values = self._values.to(logits.device)
        return self._values.to(logits.dtype)

    def _set(self, values: Tensor) -> None:
        self._values = values
        self.weights.fill_(-1)
        self.weights[: len(values)] = values

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Balanced weights take what is stored; given ones, and a checkpoint without any, change nothing."""
        stored = state_dict.get(f"{prefix}weights")
        if self.balanced and stored is not None and bool((stored >= 0).any()):
            self._set(stored[stored >= 0].detach().clone().float())


def _checked(logits: Tensor, mask: Tensor) -> Tensor:
    """The logits in at least float32, once their shape agrees with the mask's: some others would broadcast silently."""
    if logits.ndim != 4 or mask.shape != (len(logits), *logits.shape[2:]):
        raise SegappError(
            f"a loss takes logits (N, K, H, W) and a mask (N, H, W), got {tuple(logits.shape)} and {tuple(mask.shape)}."
        )
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


class PixelwiseLoss(nn.Module, ABC):
    """A weighted mean over valid pixels.

    Its two sums, unlike the mean, may be added over bands, micro-batches and processes before they are divided.
    """

    @abstractmethod
    def sums(self, logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Scalars: Σ weight · loss over valid pixels, and Σ weight (the number of pixels, where all are equal)."""

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scalar."""
        total, weight = summed(*self.sums(logits, mask))
        # Label smoothing gives a loss even to pixels of weight 0: without other pixels they count for nothing.
        return total * (weight > 0) / torch.where(weight > 0, weight, 1)


class CrossEntropy(PixelwiseLoss):
    """Softmax cross-entropy: Σ w_y · (-log p_y) / Σ w_y over valid pixels of true class y.

    With label smoothing ε the target is (1 - ε) · one-hot + ε / K, each class's term weighted by its own w (Szegedy
    et al. 2016), as in PyTorch.

    Args:
        class_weights: One weight per class, or `balanced`.
        label_smoothing: ε in [0, 1).
    """

    def __init__(self, class_weights: Weights = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise MisuseError(f"label_smoothing is in [0, 1), got {label_smoothing}.")
        self.class_weights = ClassWeights(class_weights)
        self.label_smoothing = label_smoothing

    def sums(self, logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Two scalars."""
        logits = _checked(logits, mask)
        weights = self.class_weights(logits)
        total = F.cross_entropy(
            logits,
            mask,
            weight=weights,
            ignore_index=IGNORE_INDEX,
            reduction="sum",  # PyTorch's mean is 0 / 0 where all is ignored
            label_smoothing=self.label_smoothing,
        )
        valid = mask != IGNORE_INDEX
        return total, valid.sum() if weights is None else (weights[torch.where(valid, mask, 0)] * valid).sum()


class Focal(PixelwiseLoss):
    """Softmax focal loss: Σ w_y · (1 - p_y)^γ · (-log p_y) / Σ w_y over valid pixels of class y (Lin et al. 2017).

    Args:
        gamma: γ ≥ 0; 0 is cross-entropy.
        class_weights: One weight per class (the paper's α), or `balanced`.
    """

    def __init__(self, gamma: float = 2.0, class_weights: Weights = None) -> None:
        super().__init__()
        if gamma < 0:
            raise MisuseError(f"gamma is ≥ 0, got {gamma}.")
        self.gamma = gamma
        self.class_weights = ClassWeights(class_weights)

    def sums(self, logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Two scalars."""
        logits = _checked(logits, mask)
        valid = mask != IGNORE_INDEX
        target = torch.where(valid, mask, 0)
        log_p = logits.log_softmax(1).gather(1, target[:, None])[:, 0]
        # 1 - p is kept off 0, where the power's gradient is infinite for γ < 1.
        focal = -((-torch.expm1(log_p)).clamp_min(1e-7) ** self.gamma) * log_p
        weights = self.class_weights(logits)
        weight = valid.to(focal) if weights is None else weights[target] * valid
        return (focal * weight).sum(), weight.sum()


class Tversky(nn.Module):
    """1 - soft Tversky index, averaged over classes (Salehi et al. 2017).

    Per class 1 - (TP + s) / (TP + α·FP + β·FN + s), from softmax probabilities p and one-hot truth g over valid
    pixels: TP = Σ p·g, FP = Σ p·(1 - g), FN = Σ (1 - p)·g.

    A class absent from the truth is kept, so that what is wrongly predicted of it has a gradient: its loss is
    α·FP / (α·FP + s), 0 where none of it is predicted.

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
                f"Tversky takes smooth > 0 and alpha, beta ≥ 0, not both 0; got smooth={smooth}, {alpha=}, {beta=}."
            )
        self.alpha, self.beta, self.smooth = alpha, beta, smooth
        self.reduce = reduce
        self.background = background
        self.class_weights = ClassWeights(class_weights)

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scalar in [0, 1]."""
        k = logits.shape[1]
        if self.background is not None and not 0 <= self.background < k:
            raise MisuseError(f"background is a class, 0 … {k - 1}, or none; got {self.background}.")
        logits = _checked(logits, mask)
        indices = torch.arange(k, device=mask.device)
        valid = (mask != IGNORE_INDEX)[:, None]
        truth = mask[:, None] == indices[:, None, None]  # (N, K, H, W), nowhere true where ignored
        p = logits.softmax(1)
        over = (2, 3) if self.reduce == "image" else (0, 2, 3)
        hits, predicted = (p * truth).sum(over), (p * valid).sum(over)  # (N, K) or (K,)
        true, pixels = truth.sum(over), valid.sum(over)
        if self.reduce == "batch":
            hits, predicted, true, pixels = summed(hits, predicted, true, pixels)
        wrong = self.alpha * (predicted - hits) + self.beta * (true - hits)
        loss = wrong / (hits + wrong + self.smooth)
        weights = self.class_weights(logits)
        weights = loss.new_ones(k) if weights is None else weights
        if self.background is not None:
            weights = weights * (indices != self.background)
        weights = weights * (pixels > 0)
        total, weight = (loss * weights).sum(), weights.sum()
        if self.reduce == "image":
            total, weight = summed(total, weight)
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


class DiceCrossEntropy(nn.Module):
    """Dice + cross-entropy, as in nnU-Net (Isensee et al. 2021).

    Args:
        reduce: Whether Dice sums per `image` or over the whole `batch`.
        dice_weight: What Dice is multiplied by.
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

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scalar."""
        logits = _checked(logits, mask)  # here, so that two gradients are added before they are rounded to 16 bits
        return self.dice_weight * self.dice(logits, mask) + self.cross_entropy(logits, mask)


class Lovasz(nn.Module):
    """Lovász-softmax, the convex surrogate of 1 - IoU (Berman et al. 2018), averaged over the classes present.

    Args:
        reduce: The surrogate is taken per `image`, then averaged over images, or over the whole `batch`.
    """

    def __init__(self, reduce: Literal["image", "batch"] = "image") -> None:
        super().__init__()
        self.reduce = reduce

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scalar in [0, 1]."""
        p = _checked(logits, mask).softmax(1).movedim(1, -1)
        pairs = [(p, mask)] if self.reduce == "batch" else list(zip(p, mask, strict=True))
        losses = [self._surrogate(probabilities, truth) for probabilities, truth in pairs]
        kept = [loss for loss in losses if loss is not None]
        total, count = torch.stack(kept).sum() if kept else (p * 0).sum(), mask.new_tensor(len(kept))
        if self.reduce == "image":
            total, count = summed(total, count)
        return total / count.clamp(min=1)

    @staticmethod
    def _surrogate(p: Tensor, mask: Tensor) -> Tensor | None:
        """The mean over present classes of errors · Lovász gradient; None where all is ignored."""
        valid = mask != IGNORE_INDEX
        p, truth = p[valid], mask[valid]
        losses = []
        for index in truth.bincount().nonzero()[:, 0].tolist():
            foreground = truth == index
            errors, order = (foreground.to(p) - p[:, index]).abs().sort(descending=True)
            # Not `@`, which autocast would take to bfloat16.
            losses.append((errors * _jaccard_gradient(foreground[order], p.dtype)).sum())
        return torch.stack(losses).mean() if losses else None


def _jaccard_gradient(truth: Tensor, dtype: torch.dtype) -> Tensor:
    """Gradient of the Lovász extension of the Jaccard loss at sorted errors (algorithm 1 of the paper).

    The differences of successive Jaccard losses are written out, 1 / union where the truth is foreground and
    intersection / (union · (union - 1)) elsewhere: subtracted as float32, those of a large image would be lost to
    rounding.
    """
    intersection = truth.sum() - truth.cumsum(0)
    union = truth.sum() + (~truth).cumsum(0)
    numerator, denominator = torch.where(truth, 1, intersection), torch.where(truth, union, union * (union - 1))
    return numerator.to(dtype) / denominator.to(dtype)


class DeepSupervision(nn.Module):
    """A loss over several outputs, finest first, weighted 2⁻ⁱ and normalised; the mask is resized by nearest.

    Args:
        loss: Applied to every output.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Tensor | list[Tensor], mask: Tensor) -> Tensor:
        """Scalar; a single tensor (as in evaluation) is passed to `loss` as it is."""
        if isinstance(logits, Tensor):
            return self.loss(logits, mask)
        weights = [2.0**-level for level in range(len(logits))]
        losses = [
            weight * self.loss(output, _resized(mask, output.shape[-2:]))
            for weight, output in zip(weights, logits, strict=True)
        ]
        return torch.stack(losses).sum() / sum(weights)


def _resized(mask: Tensor, size: torch.Size) -> Tensor:
    """(N, H, W) → (N, *size), each pixel that of the mask under its centre: class indices and 255 stay."""
    if mask.shape[-2:] == size:
        return mask
    rows, columns = (
        (2 * torch.arange(small, device=mask.device) + 1) * large // (2 * small)
        for large, small in zip(mask.shape[-2:], size, strict=True)
    )
    return mask[:, rows[:, None], columns]
