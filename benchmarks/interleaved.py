"""Shared by the benchmarks: interleaved timing, medians of paired ratios, and a description of the machine.

Arms that are compared take turns in one process, so that whatever else the machine does meets all of them. A figure
is the median over the blocks of a ratio within a block, with the 95 % interval of a bootstrap over the blocks.
"""

import os
import platform
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

Step = Callable[[], object]
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def both() -> np.ndarray:
    """Return wall time and CPU time in seconds (this process, all threads)."""
    return np.array([time.perf_counter(), time.process_time()])


def interleaved(
    arms: dict[str, Step], blocks: int, steps: int = 1, clock: Callable[[], Any] = time.perf_counter, warm: int = 2
) -> dict[str, list[Any]]:
    """Return the seconds per step, by arm and block; the order rotates by one arm from block to block."""
    for step in arms.values():
        for _ in range(warm):
            step()
    names, seconds = list(arms), {name: [] for name in arms}
    for block in range(blocks):
        for name in names[block % len(names) :] + names[: block % len(names)]:
            started = clock()
            for _ in range(steps):
                arms[name]()
            seconds[name].append((clock() - started) / steps)
    return seconds


def interval(values: Sequence[float], digits: int = 3) -> str:
    """Return the median and its 95 % bootstrap interval as text."""
    values = np.asarray(values, float)
    draws = np.random.default_rng(0).choice(values, (10_000, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return f"{np.median(values):.{digits}f} ({low:.{digits}f} … {high:.{digits}f})"


def ratio(times: Sequence[float], base: Sequence[float]) -> str:
    """Return the median of the paired ratios and its 95 % bootstrap interval as text."""
    return interval(np.array(times) / np.array(base))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def machine(*packages: str) -> str:
    """Return one line to print below a table: processor, cores, load and package versions."""
    cores = len(os.sched_getaffinity(0))
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{_processor()}, {cores} cores; load average {load}; Python {platform.python_version()}, {_versions(packages)}"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions(packages: Sequence[str]) -> str:
    found = []
    for package in ("torch", *packages):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def raised_by(step: Step) -> int:
    """Return the bytes by which a step raises the peak memory of this process; earlier peaks do not count.

    Not by `ru_maxrss`, which a process inherits from its parent.
    """
    Path("/proc/self/clear_refs").write_text("5")  # from here on VmHWM counts anew
    before = _resident("VmRSS")
    step()
    return _resident("VmHWM") - before


def _resident(kind: str) -> int:
    """Return the resident memory of this process in bytes: now (VmRSS) or at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))
