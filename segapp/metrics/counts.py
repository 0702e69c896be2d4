"""Count predictions against targets: the integers that overlap scores are derived from."""

import numpy as np
import torch
from torch import Tensor

from segapp.batch import IGNORE_INDEX
from segapp.errors import SegappError

_CHUNK = 1 << 19
"""Pixels counted at a time: their pairs stay in the cache, and a large image needs no large temporaries."""


def count_confusion(prediction: Tensor, mask: Tensor, num_classes: int) -> Tensor:
    """Count how often each target class was predicted as each class.

    Args:
        prediction: Class indices of any integer dtype and shape.
        mask: True class indices of the same shape; pixels of 255 are left out.
        num_classes: K ≤ 255.

    Returns:
        (K, K) int64 on the inputs' device; rows are the target, columns the prediction.

    Raises:
        SegappError: a class index outside 0 … K-1, or shapes that differ.
    """
    if prediction.shape != mask.shape or prediction.is_floating_point() or mask.is_floating_point():
        raise SegappError(
            f"a prediction of shape {tuple(prediction.shape)} and {prediction.dtype} cannot be scored against a mask "
            f"of shape {tuple(mask.shape)} and {mask.dtype}: both must be class indices of one shape."
        )
    targets, predictions = _flatten_to_bytes(mask), _flatten_to_bytes(prediction)
    pairs = count_pairs(targets, predictions)
    counts = pairs[:num_classes, :num_classes].contiguous()
    fits = mask.dtype == torch.uint8  # then a byte of 255 is an ignored pixel, and no value that did not fit
    ignored = pairs[IGNORE_INDEX].sum() if fits else (mask == IGNORE_INDEX).sum()
    if int(counts.sum() + ignored) != mask.numel():
        _refuse_unknown_classes(prediction, mask, num_classes)
    return counts


def count_pairs(first: Tensor, second: Tensor) -> Tensor:
    """Count the pairs of values of two uint8 tensors of one shape; (256, 256) int64, a row per value of the first."""
    pairs = torch.zeros(256 * 256, dtype=torch.int64, device=first.device)
    for one, other in zip(first.flatten().split(_CHUNK), second.flatten().split(_CHUNK), strict=True):
        pairs += _count_runs(one, other) if one.device.type == "cpu" else _count_pixels(one, other)
    return pairs.view(256, 256)


def _count_runs(first: Tensor, second: Tensor) -> Tensor:
    """Count by runs of equal pairs, of which label maps have far fewer than pixels."""
    one, other = first.numpy(), second.numpy()
    change = np.ones(len(one), bool)
    change[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    starts = np.flatnonzero(change)
    pairs = one[starts].astype(np.intp) * 256 + other[starts]
    counts = np.bincount(pairs, np.diff(starts, append=len(one)), 256 * 256)
    return torch.from_numpy(counts.astype(np.int64))


def _count_pixels(first: Tensor, second: Tensor) -> Tensor:
    return torch.bincount(first.int() * 256 + second.int(), minlength=256 * 256)


def _flatten_to_bytes(indices: Tensor) -> Tensor:
    """Flatten to uint8; values that do not fit become 255, which is no class and so missing in the counts."""
    if indices.dtype != torch.uint8:
        wide = indices.long()
        indices = torch.where((wide < 0) | (wide > 255), 255, wide).to(torch.uint8)
    return indices.flatten()


def _refuse_unknown_classes(prediction: Tensor, mask: Tensor, num_classes: int) -> None:
    """Raise for the class indices that are not 0 … K-1."""
    valid = mask != IGNORE_INDEX
    for indices, what in ((mask[valid], "the mask holds"), (prediction[valid], "the prediction holds")):
        wrong = [index for index in indices.unique().tolist() if not 0 <= index < num_classes]
        if wrong:
            some = ", ".join(map(str, wrong[:5])) + (", …" if len(wrong) > 5 else "")
            raise SegappError(f"{what} class {some}; expected 0 … {num_classes - 1}, or {IGNORE_INDEX} for ignored.")


def split_confusion(confusion: Tensor) -> Tensor:
    """Split a (…, K, K) confusion into (…, 3, K) int64: true positives, false positives, false negatives per class."""
    hits = confusion.diagonal(dim1=-2, dim2=-1)
    return torch.stack([hits, confusion.sum(-2) - hits, confusion.sum(-1) - hits], dim=-2)
