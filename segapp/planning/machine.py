"""What a training may use of this machine, and how fast a network trains on it."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

WARM_UP, MEASURED = 2, 3
"""Training steps before and within a measurement."""


@dataclass(frozen=True)
class Machine:
    """The device that trains."""

    kind: str
    """cpu, cuda or mps."""
    name: str
    memory: int
    """Bytes that a training may use: of the GPU, or of main memory."""
    cores: int


@dataclass(frozen=True)
class Speed:
    """One training step, measured."""

    seconds: float
    peak_bytes: int | None
    """Of GPU memory; None on a CPU."""


def measure_step(
    net: nn.Module,
    loss: Callable[[object, torch.Tensor], torch.Tensor],
    batch: torch.Tensor,
    mask: torch.Tensor,
    kind: str,
) -> Speed:
    """Train a network for a few steps as `segapp fit` would, with AdamW and bfloat16, and return the median step.

    Args:
        net: Any network of segapp; it is changed.
        loss: Called with the network's output and the mask.
        batch: (N, C, H, W) uint8.
        mask: (N, H, W) int64 class indices.
        kind: Device on which to measure, as `Machine.kind`.
    """
    device = torch.device(kind)
    net = net.to(device).to(memory_format=torch.channels_last).train()
    batch, mask = batch.to(device, memory_format=torch.channels_last), mask.to(device)
    optimizer = torch.optim.AdamW(net.parameters(), fused=kind in ("cpu", "cuda"))
    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(WARM_UP + MEASURED):
        start = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(kind, torch.bfloat16):
            output = net(batch)
        value = loss(output, mask)
        value.backward()
        optimizer.step()
        value.item()  # waits for the device
        times.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_reserved() if kind == "cuda" else None
    return Speed(statistics.median(times[WARM_UP:]), peak)
