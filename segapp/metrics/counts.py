"""Integer counts of predictions against truth: what every score is derived from."""

import torch
from torch import Tensor

from segapp.batch import IGNORE_INDEX
from segapp.errors import SegappError


def confusion(prediction: Tensor, mask: Tensor, num_classes: int) -> Tensor:
    """How often each true class was predicted as each class.

    Args:
        prediction: Class indices of any integer dtype and shape.
        mask: True class indices of the same shape; pixels of 255 are left out.
        num_classes: K ≤ 255.

    Returns:
        (K, K) int64 on the inputs' device; rows are the truth, columns the prediction.

    Raises:
        SegappError: a class index outside 0 … K-1.
    """
    valid = mask != IGNORE_INDEX
    truth, guess = mask[valid].long(), prediction[valid].long()
    if len(truth) and not 0 <= int(truth.min()) <= int(truth.max()) < num_classes:
        raise SegappError(f"a mask holds class {int(truth.max())}, expected 0 … {num_classes - 1} or 255 (ignore).")
    if len(guess) and not 0 <= int(guess.min()) <= int(guess.max()) < num_classes:
        raise SegappError(f"class {int(guess.max())} was predicted, expected 0 … {num_classes - 1}.")
    return torch.bincount(truth * num_classes + guess, minlength=num_classes**2).view(num_classes, num_classes)


def true_false_positives_negatives(confusion: Tensor) -> Tensor:
    """(…, K, K) confusion → (…, 3, K) int64: true positives, false positives, false negatives per class."""
    hits = confusion.diagonal(dim1=-2, dim2=-1)
    return torch.stack([hits, confusion.sum(-2) - hits, confusion.sum(-1) - hits], dim=-2)
