"""Describe this machine, and measure how fast and in how much memory a network trains on it."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from segapp.inference.runtime import has_native_bf16
from segapp.system.limits import count_usable_cores, read_memory_limit

WARM_UP_STEPS, MEASURED_STEPS = 1, 2
"""Repetitions before and within a measurement."""
SERIAL_FACTOR = 1.2
"""On a CPU the work takes so many times as long as its work divided evenly by several threads."""
BYTES_PER_PARAMETER = 16
"""Of a trained parameter: weight, gradient, two moments."""
USABLE_FRACTION = 0.8
"""Fraction of the memory that a training may take."""


@dataclass(frozen=True)
class Machine:
    """The device that trains."""

    kind: str
    """cpu, cuda or mps."""
    name: str
    memory: int
    """Bytes that a training may use: of the GPU, or of main memory."""
    main_memory: int
    """Bytes of main memory, of which the cache may take a part."""
    cores: int

    @property
    def autocast(self) -> bool:
        """Whether it computes in bfloat16, as `segapp fit` then does."""
        return has_native_bf16(torch.device(self.kind))


def describe_machine() -> Machine:
    """Return the device on which `segapp fit` would train."""
    cores = count_usable_cores()
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = int(min(read_memory_limit(), total))
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return Machine("cuda", properties.name, properties.total_memory, memory, cores)
    kind = "mps" if torch.backends.mps.is_available() else "cpu"
    return Machine(
        kind,
        f"{cores} core{'s' if cores > 1 else ''} ({platform.processor() or platform.machine()})",
        memory,
        memory,
        cores,
    )


def estimate_memory(net: nn.Module, batch: Tensor) -> int:
    """Estimate how many bytes a training step takes, from the bytes that one sample keeps for the backward pass.

    Args:
        net: On the CPU.
        batch: (N, C, H, W), of which one sample is computed.
    """
    storages: dict[int, int] = {}

    def keep_size(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    weights = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}
    net.eval()  # no statistics of a single sample
    with torch.autograd.graph.saved_tensors_hooks(keep_size, lambda tensor: tensor):
        output: Any = net(batch[:1])
    del output
    kept = sum(size for pointer, size in storages.items() if pointer not in weights)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return int(1.5 * kept * len(batch) + BYTES_PER_PARAMETER * parameters)


def measure_step(
    net: nn.Module, loss: Callable[[Any, Tensor], Tensor], image: Tensor, mask: Tensor, machine: Machine
) -> float:
    """Train a network for a few steps as `segapp fit` would, and return the seconds of the fastest.

    Args:
        net: Any network of segapp; it is changed.
        loss: Called with the network's output and the mask.
        image: (N, C, H, W), of one batch.
        mask: (N, H, W) class indices.
        machine: On which to measure.
    """
    device = torch.device(machine.kind)
    net = net.to(device).to(memory_format=torch.channels_last).train()
    image, mask = image.to(device, memory_format=torch.channels_last), mask.to(device).long()
    optimizer = torch.optim.AdamW(net.parameters(), fused=machine.kind in ("cpu", "cuda"))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(machine.kind, torch.bfloat16, enabled=machine.autocast):
            value = loss(net(image), mask)
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        value.item()  # waits for the device

    return time_work(step, machine)


def time_work(work: Callable[[], None], machine: Machine) -> float:
    """Do a work that waits for the device a few times, and return the seconds of the fastest after the first.

    On a CPU this is the time of this process only: other processes may have ended when the training runs.
    """
    clock = time.process_time if machine.kind == "cpu" else time.perf_counter
    times = []
    for _ in range(WARM_UP_STEPS + MEASURED_STEPS):
        start = clock()
        work()
        times.append(clock() - start)
    threads = torch.get_num_threads() if machine.kind == "cpu" else 1
    return min(times[WARM_UP_STEPS:]) * (SERIAL_FACTOR / threads if threads > 1 else 1.0)
