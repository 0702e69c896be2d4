"""Compute norms of gradients, weights and updates, per group of parameters."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def compute_norm(tensors: Iterable[Tensor]) -> Tensor:
    """Compute the Euclidean norm of all entries together, in float32 at least; 0 for no tensor."""
    norms = [
        torch.linalg.vector_norm(tensor, dtype=torch.promote_types(tensor.dtype, torch.float32)) for tensor in tensors
    ]
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())


def list_gradients(parameters: Iterable[Tensor]) -> list[Tensor]:
    """List the gradients of those parameters that have one."""
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def compute_clip_coefficients(
    groups: Sequence[Sequence[Tensor]], everything: Sequence[Tensor], limit: float | None, by_value: bool
) -> list[Tensor]:
    """Compute the factor that clipping will multiply each group's gradient norm by.

    By norm it is min(1, limit / (norm of everything + 1e-6)) for all, as `torch.nn.utils.clip_grad_norm_` does it. By
    value every entry is clipped separately, and the coefficient is the ratio of the group's norms; 1 where they are 0.

    Args:
        groups: Gradients, by group.
        everything: All gradients of the optimiser.
        limit: `gradient_clip_val`; None or 0 for no clipping.
        by_value: `gradient_clip_algorithm` is `value`.
    """
    if not limit:
        return [torch.ones(()) for _ in groups]
    if not by_value:
        return [(limit / (compute_norm(everything) + 1e-6)).clamp(max=1.0)] * len(groups)
    before = [compute_norm(group) for group in groups]
    after = [compute_norm(gradient.clamp(-limit, limit) for gradient in group) for group in groups]
    return [torch.where(full > 0, cut / full, 1.0) for cut, full in zip(after, before, strict=True)]


def copy_weights(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Copy weights, so that a step does not change them."""
    return [parameter.detach().clone() for parameter in parameters]


def compute_update_ratio(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """Compute ‖after - before‖ / ‖before‖ over all entries together; NaN where ‖before‖ is 0 and nothing changed."""
    return compute_norm(new.detach() - old for old, new in zip(before, after, strict=True)) / compute_norm(before)
