"""Losses of images in which only some classes were looked for: the marginal loss."""

import inspect
from typing import NamedTuple

import torch
from torch import Tensor, nn

from segapp.errors import MisuseError


class PartialLabels(NamedTuple):
    """The classes that were looked for in each image of a batch.

    A pixel of the background may be of any class that was not looked for in its image. Losses therefore see a network
    that cannot tell these apart: the probability of the background is the sum of its own and of these classes', whose
    own is 0 (the marginal loss of Shi et al. 2021, "Marginal loss and exclusion loss for partially supervised
    multi-organ segmentation").
    """

    looked_for: Tensor
    """(N, K) bool; true for the background."""
    background: int


def merge_classes(logits: Tensor, partial: PartialLabels | None) -> Tensor:
    """Return logits (N, K, H, W) whose softmax adds the classes that were not looked for to the background.

    The background's is the logarithm of the sum of exponentials, that of the others -inf. Images in which every class
    was looked for keep their logits.
    """
    if partial is None:
        return logits
    missing = ~partial.looked_for[:, :, None, None]
    indices = torch.arange(logits.shape[1], device=logits.device)[:, None, None]
    is_background = indices == partial.background
    merged = logits.masked_fill(~(missing | is_background), -torch.inf).logsumexp(1, keepdim=True)
    return torch.where(is_background, merged, logits.masked_fill(missing, -torch.inf))


def get_looked_for(logits: Tensor, partial: PartialLabels | None) -> Tensor:
    """Return (N, K) bool: the classes that were looked for, all of them without partial labels."""
    if partial is None:
        return torch.ones(logits.shape[:2], dtype=torch.bool, device=logits.device)
    return partial.looked_for


def list_partial_labels(loss: nn.Module, looked_for: Tensor | None, background: int | None) -> list[PartialLabels]:
    """Return what a loss takes beside logits and mask: nothing where all classes were looked for in all images.

    Raises MisuseError for a loss that does not take partial labels.
    """
    if looked_for is None or background is None:
        return []
    if not takes_partial_labels(loss):
        raise MisuseError(
            f"{type(loss).__name__} does not know which classes were looked for in an image (`looked_for`, or a class "
            "that a joined data set lacks): use a loss of segapp.losses, as segapp.losses.DiceCrossEntropy."
        )
    return [PartialLabels(looked_for, background)]


def takes_partial_labels(loss: nn.Module) -> bool:
    """Return whether a loss, and the one that it is computed from, takes `partial` beside logits and mask."""
    inner = getattr(loss, "loss", None)
    takes = "partial" in inspect.signature(getattr(loss, "compute_sums", loss.forward)).parameters
    return takes and (not isinstance(inner, nn.Module) or takes_partial_labels(inner))
