"""Bounds on the memory and time that an untrusted file may cost, checked before memory is taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules import module as registration

from segapp.errors import MisuseError

SLACK = 2**20
"""Bytes by which the content of a checkpoint may exceed the size of its file."""
SHARED = 4
"""Weights that share memory are each counted: together they may take this many times the file's size."""
DEEPEST = 64
"""Lists and mappings inside one another."""
MOST_SETTINGS = 20_000
"""Most values in settings; a checkpoint may hold this many, or one per byte beside its weights if that is more."""
MOST_PARTS, PARTS_PER_TENSOR = 2000, 20
"""Most modules, parameters and buffers of a network, or most per tensor in its file if that is more."""
UNSAVED = 2**30
"""Bytes that a network may allocate beside the weights in its file."""

PLAIN = (str, int, float, bool, complex, bytes, type(None), torch.Size, torch.dtype, torch.device)


def check_content(checkpoint: Any, size: int, metadata_bytes: int) -> None:
    """Raise MisuseError for content that takes more memory than its file of `size` bytes, or time without end.

    `metadata_bytes` are the bytes beside the weights: an unshared value takes at least one of them.
    """
    storages, tensors = {}, 0
    for value in walk(checkpoint, max(MOST_SETTINGS, metadata_bytes)):
        if isinstance(value, Tensor):
            if value.layout != torch.strided or value.device.type != "cpu" or value.is_nested:
                raise MisuseError(f"holds a tensor that is {value.layout} on {value.device}, no plain weights.")
            storage = value.untyped_storage()
            if value.numel() * value.element_size() > storage.nbytes():
                raise MisuseError(f"holds a tensor of {tuple(value.shape)} that has only {storage.nbytes():,} bytes.")
            storages[storage.data_ptr()] = storage.nbytes()
            tensors += value.numel() * value.element_size()
    if sum(storages.values()) > size + SLACK or tensors > SHARED * size + SLACK:
        raise MisuseError(f"its tensors take {max(tensors, sum(storages.values())):,} bytes, the file only {size:,}.")


def walk(content: Any, most: int) -> Iterator[Any]:
    """Yield every value that is no container; MisuseError beyond `most`, too deep a nest, or another type."""
    stack, count = [(content, 0)], 0
    while stack:
        value, depth = stack.pop()
        count += 1
        if count > most:
            raise MisuseError(f"holds more than {most:,} values; a shared value counts each time.")
        if depth > DEEPEST:
            raise MisuseError(f"is nested more than {DEEPEST} deep.")
        if isinstance(value, dict):
            stack += [(inner, depth + 1) for pair in value.items() for inner in pair]
        elif isinstance(value, list | tuple | set) and not isinstance(value, torch.Size):
            stack += [(inner, depth + 1) for inner in value]
        elif isinstance(value, Tensor) or type(value) in PLAIN:
            yield value
        else:
            raise MisuseError(f"holds a {type(value).__name__}, which is no plain value.")


def check_plain(settings: Any) -> None:
    """Raise MisuseError unless settings are text, numbers, lists and mappings with text or numbers as keys."""
    for value in walk(settings, MOST_SETTINGS):
        if not isinstance(value, str | int | float | bool | None):
            raise MisuseError(f"a setting is a {type(value).__name__}, which is no plain value.")


@contextmanager
def limited_network(tensors: int | None = None, size: int = 0) -> Iterator[None]:
    """Limit a network while it is built: raise MisuseError when it grows beyond what its file can hold.

    Args:
        tensors: The number of tensors in the file; None where there is no file yet.
        size: Their bytes.
    """
    most = 50 * MOST_PARTS if tensors is None else max(MOST_PARTS, PARTS_PER_TENSOR * tensors)
    count = taken = 0

    def register(parent: Any, name: str, part: Any) -> None:
        nonlocal count, taken
        count += 1
        taken += part.numel() * part.element_size() if isinstance(part, Tensor) else 0
        if count > most:
            raise MisuseError(f"it has more than {most:,} parts, far more than its file can hold weights for.")
        if tensors is not None and taken > SHARED * size + UNSAVED:
            raise MisuseError(f"it takes more than {SHARED * size + UNSAVED:,} bytes, far more than its file holds.")

    handles = [
        registration.register_module_module_registration_hook(register),
        registration.register_module_parameter_registration_hook(register),
        registration.register_module_buffer_registration_hook(register),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
