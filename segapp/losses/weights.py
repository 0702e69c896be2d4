"""Weights of the classes, and the check of shapes, for every loss."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError, SegappError

Weights = Sequence[float] | Literal["balanced"] | None

_MAX_BALANCED = 100.0
"""A handful of pixels must not steer a batch; classes below 1 % / (number of classes) of the pixels reach it."""


class ClassWeights(nn.Module):
    """One weight per class: given, or `balanced` from the training masks and then kept with the checkpoint.

    Balanced weights are labelled / (P · count) for the P classes that occur: labelled pixels of the images in which the
    class was looked for, and those of the class. Where every class was looked for in every image, the mean weight of a
    pixel is 1. None exceeds 100, and a class that never occurs gets 1.
    """

    weights: Tensor

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        if isinstance(weights, str) and weights != "balanced":
            raise MisuseError(f"class_weights must be a list of numbers or 'balanced', got {weights!r}.")
        self.balanced = weights == "balanced"
        values = None if weights is None or isinstance(weights, str) else [float(weight) for weight in weights]
        if values is not None and not (all(0 <= weight < math.inf for weight in values) and any(values)):
            raise MisuseError(f"class_weights must be finite, ≥ 0 and not all 0, got {values}.")
        self._values = None if values is None else torch.tensor(values)
        if self.balanced:
            # What checkpoints store, -1 where there is no class. Its size is fixed, since moving averages copy a loss
            # before its classes are known; they also swap it in validation, so no loss computes with it.
            self.register_buffer("weights", torch.full((IGNORE_INDEX,), -1.0))

    def set_counts(self, counts: Tensor, labelled: Tensor | None = None) -> None:
        """Balance by the pixels per class, (K,) int64; a checkpoint loaded later prevails.

        `labelled` (K,) int64 are the labelled pixels of the images in which each class was looked for; default: all.
        """
        if not self.balanced:
            raise MisuseError("class_weights were not asked to be 'balanced'.")
        if not counts.any():
            raise MisuseError(
                "'balanced' class weights need training masks with classes, but all their pixels are ignored."
            )
        counts = counts.double()
        present = counts > 0
        weights = torch.ones_like(counts)
        pixels = counts.sum().expand(len(counts)) if labelled is None else labelled.double()
        weights[present] = (pixels[present] / (present.sum() * counts[present])).clamp(max=_MAX_BALANCED)
        self._set(weights.float())

    def forward(self, logits: Tensor) -> Tensor | None:
        """Return (K,) of the dtype and on the device of logits (N, K, H, W), or None for equal weights."""
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


def check_shapes(logits: Tensor, mask: Tensor) -> Tensor:
    """Check that the logits' shape agrees with the mask's, and return them in at least float32.

    Other shapes would broadcast silently.
    """
    if logits.ndim != 4 or mask.shape != (len(logits), *logits.shape[2:]):
        raise SegappError(
            f"a loss needs logits (N, K, H, W) and a mask (N, H, W), got {tuple(logits.shape)} and {tuple(mask.shape)}."
        )
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
