"""Losses: logits (N, K, H, W) of any float dtype, mask (N, H, W) int64 with 255 = ignore → scalar float32.

All compute in float32, leave out ignored pixels in value and gradient alike, and give 0 with a gradient of 0 where
every pixel is ignored. They are our own, not segmentation-models-pytorch's, because there Dice gives no gradient for
false positives of an absent class, smoothed cross-entropy divides by ignored pixels too, and focal and Lovász fail on
a batch that is ignored throughout.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError

Weights = Sequence[float] | Literal["balanced"] | None


class ClassWeights(nn.Module):
    """One weight per class: given, or `balanced` from the training masks and then kept with the checkpoint.

    Balanced weights are total / (K · count), the mean weight of a pixel being 1; a class that never occurs gets 1.
    """

    weights: Tensor

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        if isinstance(weights, str) and weights != "balanced":
            raise MisuseError(f"class_weights is a list of numbers or 'balanced', got {weights!r}.")
        self.balanced = weights == "balanced"
        values = [] if weights is None or isinstance(weights, str) else [float(weight) for weight in weights]
        if any(weight < 0 for weight in values) or (values and not any(values)):
            raise MisuseError(f"class_weights must be ≥ 0 and not all 0, got {values}.")
        self.given = bool(values)
        self.register_buffer("weights", torch.tensor(values))

    def set_counts(self, counts: Tensor) -> None:
        """Balance by the pixels per class, (K,) int64, unless a checkpoint has brought the weights."""
        counts = counts.double()
        present = counts > 0
        weights = torch.ones_like(counts)
        weights[present] = counts.sum() / (len(counts) * counts[present])
        self.weights = weights.to(self.weights)

    def forward(self, num_classes: int) -> Tensor | None:
        """(K,) float32, or None for equal weights."""
        if not self.given and not self.balanced:
            return None
        if self.balanced and not len(self.weights):
            raise MisuseError("balanced class weights are computed when training starts; this model has none yet.")
        if len(self.weights) != num_classes:
            raise MisuseError(f"class_weights has {len(self.weights)} numbers for {num_classes} classes; give one each.")
        return self.weights

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        stored = state_dict.get(f"{prefix}weights")
        if stored is not None and stored.shape != self.weights.shape:
            self.weights = self.weights.new_empty(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean, 0 (and without gradient) where all weights are 0."""
    total = weights.sum()
    return (values * weights).sum() / torch.where(total > 0, total, 1)


class CrossEntropy(nn.Module):
    """Softmax cross-entropy, the mean over valid pixels, each weighted by its class.

    Args:
        class_weights: One weight per class, or `balanced`.
        label_smoothing: Share of the target spread evenly over all classes, in [0, 1).
    """

    def __init__(self, class_weights: Weights = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise MisuseError(f"label_smoothing is in [0, 1), got {label_smoothing}.")
        self.class_weights = ClassWeights(class_weights)
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scalar."""
        weights = self.class_weights(logits.shape[1])
        total = F.cross_entropy(
            logits.float(),
            mask,
            weight=weights,
            ignore_index=IGNORE_INDEX,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        valid = mask != IGNORE_INDEX
        if weights is None:
            mass = valid.sum()
        else:
            mass = weights[torch.where(valid, mask, 0)].mul(valid).sum()
        return total / torch.where(mass > 0, mass, 1)


class Focal(nn.Module):
    """Focal loss, mean over valid pixels of (1 - p)^γ · cross-entropy (Lin et al. 2017, for softmax).

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

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scalar."""
        valid = mask != IGNORE_INDEX
        target = torch.where(valid, mask, 0)
        log_p = logits.float().log_softmax(1).gather(1, target[:, None])[:, 0]
        # 1 - p is kept off 0, where the power's gradient is infinite for γ < 1.
        focal = -((-torch.expm1(log_p)).clamp_min(1e-7) ** self.gamma) * log_p
        weights = self.class_weights(logits.shape[1])
        return _mean(focal, valid.float() if weights is None else weights[target] * valid)


class Tversky(nn.Module):
    """1 - soft Tversky index, averaged over classes (Salehi et al. 2017).

    Per class, (TP + s) / (TP + α·FP + β·FN + s) from softmax probabilities p and one-hot truth g over valid pixels:
    TP = Σ p·g, FP = Σ p·(1 - g), FN = Σ (1 - p)·g. A class absent from the truth is kept, so that what is wrongly
    predicted of it has a gradient; with the smoothing s its loss goes to 0 as the false positives do.

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
        valid = (mask != IGNORE_INDEX)[:, None]
        truth = F.one_hot(torch.where(valid[:, 0], mask, 0), k).movedim(-1, 1) * valid
        p = logits.float().softmax(1) * valid
        over = (2, 3) if self.reduce == "image" else (0, 2, 3)
        hits, predicted, true = (p * truth).sum(over), p.sum(over), truth.sum(over)
        denominator = hits + self.alpha * (predicted - hits) + self.beta * (true - hits)
        loss = 1 - (hits + self.smooth) / (denominator + self.smooth)  # (N, K) or (K,)
        weights = self.class_weights(k)
        weights = loss.new_ones(k) if weights is None else weights
        if self.background is not None:
            weights = weights * (torch.arange(k, device=loss.device) != self.background)
        scored = valid.flatten(1).any(1)[:, None] if self.reduce == "image" else valid.any()
        return _mean(loss, weights * scored)


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
        p = logits.float().softmax(1).movedim(1, -1)
        pairs = [(p, mask)] if self.reduce == "batch" else list(zip(p, mask, strict=True))
        losses = [self._surrogate(probabilities, truth) for probabilities, truth in pairs]
        kept = [loss for loss in losses if loss is not None]
        return torch.stack(kept).mean() if kept else (logits.float() * 0).sum()

    @staticmethod
    def _surrogate(p: Tensor, mask: Tensor) -> Tensor | None:
        """The mean over present classes of errors · Lovász gradient; None where all is ignored."""
        valid = mask != IGNORE_INDEX
        p, truth = p[valid], mask[valid]
        if not len(truth):
            return None
        losses = []
        for index in truth.unique().tolist():
            foreground = (truth == index).float()
            errors, order = (foreground - p[:, index]).abs().sort(descending=True)
            losses.append(errors @ _jaccard_gradient(foreground[order]))
        return torch.stack(losses).mean()


def _jaccard_gradient(truth: Tensor) -> Tensor:
    """Gradient of the Lovász extension of the Jaccard loss at sorted errors (algorithm 1 of the paper)."""
    total = truth.sum()
    jaccard = 1 - (total - truth.cumsum(0)) / (total + (1 - truth).cumsum(0))
    return torch.cat([jaccard[:1], jaccard.diff()])


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
    """(N, H, W) → (N, *size) by nearest neighbour: class indices and 255 stay what they are."""
    if mask.shape[-2:] == size:
        return mask
    return F.interpolate(mask[:, None].double(), size, mode="nearest-exact")[:, 0].long()
