"""Reads how many cores and how much memory a container or a batch system leaves to this process.

The kernel shows a container all cores and all memory of its host; its limits are in its control group: of
version 2 in `cpu.max` and `memory.max`, of version 1 in `cpu.cfs_quota_us` and `memory.limit_in_bytes`. The limits of
every group above hold too.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")
"""The folder of /proc and /sys."""

UNLIMITED_BYTES = 2**60  # version 1 writes a number near 2^63 where there is no limit


def count_usable_cores(root: Path | None = None) -> int:
    """Count the cores that this process may keep busy, at least 1.

    Those it may run on, within the quota of its control group.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(allowed, read_cpu_quota(root))))


def divide_cores(processes: int) -> int:
    """Return the threads that each of several processes on this machine may use, at least 1."""
    return max(1, count_usable_cores() // processes)


def read_cpu_quota(root: Path | None = None) -> float:
    """Read the quota in cores (processor seconds per second); infinity without a quota.

    `root` is where /proc and /sys lie.
    """
    quotas = [math.inf]
    for group in _groups(root, "cpu"):
        words = _read(group / "cpu.max").split() or [
            _read(group / "cpu.cfs_quota_us"),
            _read(group / "cpu.cfs_period_us"),
        ]
        quota, period = (*words, "", "")[:2]
        if quota.isdigit() and period.isdigit() and int(period):  # `max` and -1 are no quota
            quotas.append(int(quota) / int(period))
    return min(quotas)


def read_memory_limit(root: Path | None = None) -> float:
    """Read the bytes of main memory that the control group may hold; infinity without a limit."""
    limits = [math.inf]
    for group in _groups(root, "memory"):
        for text in (_read(group / "memory.max"), _read(group / "memory.limit_in_bytes")):
            if text.isdigit() and int(text) < UNLIMITED_BYTES:
                limits.append(int(text))
    return min(limits)


def _groups(root: Path | None, controller: str) -> Iterator[Path]:
    """List the folders of this process's control group and of all above it, in whichever version the kernel mounts."""
    root = root or ROOT
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for mount in (controllers, controller, "unified", ""):
            top = root / "sys/fs/cgroup" / mount
            inner = top / path.lstrip("/")
            # In a container the path is the host's, but what is mounted is its own group.
            yield from [folder for folder in (inner, *inner.parents) if folder.is_relative_to(top)]


def _read(path: Path) -> str:
    return path.read_text().strip() if path.is_file() else ""
