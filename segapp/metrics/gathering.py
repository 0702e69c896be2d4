"""Gather objects from the processes that evaluate together."""

from typing import TypeVar

import torch.distributed as distributed

T = TypeVar("T")


def gather_objects(own: T) -> list[T]:
    """Return what every process gave, in their order; a collective, where there are several."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return [own]
    parts: list[T] = [own] * distributed.get_world_size()
    distributed.all_gather_object(parts, own)
    return parts
