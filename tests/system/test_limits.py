"""Quotas and limits, read from control groups of both versions, inside and outside of containers."""

import math
import os
import re
from pathlib import Path

import pytest

from segapp.system.limits import count_usable_cores, read_cpu_quota, read_memory_limit


def machine(root: Path, groups: str, files: dict[str, str]) -> Path:
    """A root folder with /proc/self/cgroup and what lies under /sys/fs/cgroup."""
    for path, text in {"proc/self/cgroup": groups, **{f"sys/fs/cgroup/{name}": t for name, t in files.items()}}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text + "\n")
    return root


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert read_cpu_quota(tmp_path) == math.inf
    assert read_memory_limit(tmp_path) == math.inf


def test_version_two_in_a_container(tmp_path):
    root = machine(tmp_path, "0::/", {"cpu.max": "250000 100000", "memory.max": "4294967296"})
    assert read_cpu_quota(root) == 2.5
    assert read_memory_limit(root) == 2**32


def test_version_two_says_max_for_no_limit(tmp_path):
    root = machine(tmp_path, "0::/a", {"a/cpu.max": "max 100000", "a/memory.max": "max"})
    assert read_cpu_quota(root) == math.inf
    assert read_memory_limit(root) == math.inf


def test_the_narrowest_group_above_counts(tmp_path):
    root = machine(
        tmp_path,
        "0::/job/step",
        {"job/cpu.max": "200000 100000", "job/step/cpu.max": "800000 100000", "job/memory.max": "1000"},
    )
    assert read_cpu_quota(root) == 2
    assert read_memory_limit(root) == 1000


def test_version_one(tmp_path):
    root = machine(
        tmp_path,
        "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n1:cpuset:/",
        {
            "cpu,cpuacct/docker/x/cpu.cfs_quota_us": "150000",
            "cpu,cpuacct/docker/x/cpu.cfs_period_us": "100000",
            "memory/docker/x/memory.limit_in_bytes": "1073741824",
        },
    )
    assert read_cpu_quota(root) == 1.5
    assert read_memory_limit(root) == 2**30


def test_version_one_without_limits(tmp_path):
    files = {
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
        "memory/memory.limit_in_bytes": "9223372036854771712",
    }
    root = machine(tmp_path, "2:memory:/\n1:cpu:/", files)
    assert read_cpu_quota(root) == math.inf
    assert read_memory_limit(root) == math.inf


def test_in_a_container_the_path_may_be_the_hosts(tmp_path):
    root = machine(tmp_path, "0::/system.slice/docker-x.scope", {"cpu.max": "100000 100000"})
    assert read_cpu_quota(root) == 1


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux only")
@pytest.mark.parametrize(("quota", "cores"), [("50000", 1), ("290000", 2), ("max", 4)])
def test_usable_cores_are_whole_and_at_least_one(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    assert count_usable_cores(machine(tmp_path, "0::/", {"cpu.max": f"{quota} 100000"})) == cores


def test_cores_are_counted_in_one_place():
    package = Path(__file__).parents[2] / "segapp"
    counting = re.compile(r"cpu_count\(|sched_getaffinity\(")
    found = [path.name for path in package.rglob("*.py") if counting.search(path.read_text())]
    assert found == ["limits.py"]
