"""Sum values over the processes that share one batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as distributed
from torch import Tensor

_shared = False


@contextmanager
def share_batch() -> Iterator[None]:
    """Let `sum_over_processes` add over all processes; every process must reach it, so not in a validation."""
    global _shared
    before, _shared = _shared, True
    try:
        yield
    finally:
        _shared = before


def sum_over_processes(*values: Tensor) -> tuple[Tensor, ...]:
    """Sum tensors of any shapes and dtypes over all processes, with one exchange in float64.

    Outside `share_batch`, and in a process by itself, the values unchanged. DistributedDataParallel averages the
    gradients of the W processes; a sum's gradient is therefore W times that of this process's value, so that
    after averaging the gradient is the one of a single process with the complete batch.
    """
    is_distributed = _shared and distributed.is_available() and distributed.is_initialized()
    processes = distributed.get_world_size() if is_distributed else 1
    if processes == 1:
        return values
    flat = torch.cat([value.detach().double().flatten() for value in values])
    distributed.all_reduce(flat)
    totals = flat.split([value.numel() for value in values])
    return tuple(
        _attach_gradient(total.reshape(value.shape).to(value.dtype), value, processes)
        for total, value in zip(totals, values, strict=True)
    )


def _attach_gradient(total: Tensor, value: Tensor, processes: int) -> Tensor:
    return total + processes * (value - value.detach()) if value.requires_grad else total
