"""The judgement, on machines that were never there."""

from dataclasses import replace
from pathlib import Path

import pytest

from segapp.system import checks
from segapp.system.checks import Finding, examine
from segapp.system.facts import Facts, Folder, Gpu, Package

GIB = 2**30

LAPTOP = Facts(
    version="0.1.0",
    python="3.12.1",
    packages=(Package("torch", "2.14.1", ">=2.11", True),),
    torch="2.14.1+cu130",
    torch_cuda="13.0",
    cores=8,
    threads=8,
    memory=16 * GIB,
    shared_memory=8 * GIB,
    open_files=(1024, 524288),
    runs=Folder(Path("runs"), None, 100 * GIB),
    caches=(Folder(Path("/home/me/.cache"), None, 100 * GIB),),
    environment={"OMP_WAIT_POLICY": "PASSIVE"},
)

H100 = Gpu("NVIDIA H100", (9, 0), 80 * GIB, 79 * GIB)
SERVER = replace(
    LAPTOP,
    nvidia_card=True,
    driver="580.82.07",
    device_file=True,
    gpus=(H100,),
    architectures=("sm_75", "sm_80", "sm_90", "sm_100"),
    bf16=("cuda", True),
)


@pytest.mark.parametrize("facts", [LAPTOP, SERVER], ids=["laptop", "server"])
def test_a_sound_machine_has_nothing_to_mend(facts):
    found = examine(facts)
    assert [finding.level for finding in found] == ["ok"] * len(checks.CHECKS)
    assert all(not finding.advice for finding in found)


def only(facts: Facts) -> Finding:
    """The one finding that is not fine."""
    (finding,) = [finding for finding in examine(facts) if finding.level != "ok"]
    assert finding.advice
    assert "\n" not in str(finding)
    return finding


@pytest.mark.parametrize(
    ("facts", "level", "subject", "words"),
    [
        (replace(LAPTOP, python="3.9.1", python_fits=False), "problem", "python", "3.11 to 3.13"),
        (replace(LAPTOP, packages=()), "warning", "versions", "not installed"),
        (
            replace(LAPTOP, packages=(Package("lightning", "2.5.0", "<2.7,>=2.6", False),)),
            "problem",
            "versions",
            "lightning 2.5.0 (needs <2.7,>=2.6)",
        ),
        (
            replace(LAPTOP, packages=(Package("tqdm", None, ">=4.66", False),)),
            "problem",
            "versions",
            "tqdm missing (needs >=4.66)",
        ),
        (replace(LAPTOP, nvidia_card=True), "problem", "driver", "install NVIDIA's driver"),
        (replace(SERVER, driver="570.86.10"), "problem", "driver", "580 or newer"),
        (replace(SERVER, gpus=(), device_file=False), "problem", "CUDA", "--gpus all"),
        (
            replace(SERVER, gpus=(), torch="2.14.1+cpu", torch_cuda=None),
            "problem",
            "CUDA",
            "torch 2.14.1+cpu was built without CUDA",
        ),
        (
            replace(SERVER, gpus=(), environment={**LAPTOP.environment, "CUDA_VISIBLE_DEVICES": ""}),
            "warning",
            "CUDA",
            "CUDA_VISIBLE_DEVICES='' hides every GPU",
        ),
        (replace(SERVER, gpus=(), cuda_error="Error 802: system not yet initialized"), "problem", "CUDA", "Error 802"),
        (
            replace(SERVER, gpus=(Gpu("NVIDIA GTX 1080", (6, 1), 8 * GIB, 8 * GIB),)),
            "problem",
            "CUDA",
            "no code for NVIDIA GTX 1080 (compute capability 6.1)",
        ),
        (replace(SERVER, gpus=(H100, replace(H100, free=GIB))), "warning", "GPU memory", "1.0 GiB of 80.0 GiB free"),
        (replace(LAPTOP, cores=2, quota=2.5, threads=64), "warning", "cores", "OMP_NUM_THREADS=2"),
        (
            replace(LAPTOP, threads=1, environment={**LAPTOP.environment, "OMP_NUM_THREADS": "1"}),
            "warning",
            "cores",
            "unset OMP_NUM_THREADS",
        ),
        (replace(LAPTOP, environment={"OMP_WAIT_POLICY": "ACTIVE"}), "warning", "OpenMP", "OMP_WAIT_POLICY=ACTIVE"),
        (replace(LAPTOP, environment={}), "warning", "OpenMP", "PASSIVE"),
        (replace(LAPTOP, memory=GIB, memory_limit=GIB), "problem", "memory", "1.0 GiB available (limit 1.0 GiB)"),
        (replace(LAPTOP, shared_memory=64 * 2**20), "warning", "shared memory", "--shm-size=8g"),
        (replace(SERVER, shared_memory=64 * 2**20), "problem", "shared memory", "64 MiB in /dev/shm"),
        (replace(SERVER, shared_memory=512 * 2**20), "warning", "shared memory", "512 MiB"),
        (replace(LAPTOP, open_files=(512, 600)), "warning", "open files", "ulimit -n 600"),
        (replace(LAPTOP, open_files=(128, -1)), "problem", "open files", "ulimit -n 4096"),
        (replace(LAPTOP, runs=Folder(Path("runs"), None, 5 * GIB)), "warning", "disk", "5.0 GiB free for runs"),
        (replace(LAPTOP, runs=Folder(Path("runs"), None, 1000)), "problem", "disk", "another disk"),
        (
            replace(LAPTOP, runs=Folder(Path("runs"), "Permission denied", 100 * GIB)),
            "problem",
            "runs",
            "runs cannot be written (Permission denied)",
        ),
        (
            replace(LAPTOP, caches=(Folder(Path("/cache"), "Read-only file system", GIB),)),
            "problem",
            "caches",
            "/cache (Read-only file system)",
        ),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(facts, level, subject, words):
    finding = only(facts)
    assert (finding.level, finding.subject) == (level, subject)
    assert words in str(finding)


@pytest.mark.parametrize(
    "facts",
    [
        replace(LAPTOP, shared_memory=None),
        replace(LAPTOP, open_files=None),
        replace(LAPTOP, open_files=(-1, -1)),
        replace(LAPTOP, threads=1, environment={**LAPTOP.environment, "OMP_NUM_THREADS": "1", "LOCAL_RANK": "0"}),
        replace(SERVER, gpus=(Gpu("B300", (10, 3), GIB, GIB),)),  # code for 10.0 runs on 10.3
        replace(SERVER, architectures=("compute_90",), gpus=(Gpu("next", (12, 0), GIB, GIB),)),  # compiled on the card
        replace(SERVER, driver="525.60.13", torch_cuda="12.6"),
    ],
    ids=["no shm", "no limits", "unlimited", "one of many processes", "minor version", "forward", "CUDA 12"],
)
def test_what_is_fine_is_not_complained_about(facts):
    assert {finding.level for finding in examine(facts)} == {"ok"}


def test_machine_code_does_not_run_on_another_major_version():
    assert not checks._has_code_for((12, 0), ("sm_90", "sm_100"))
    assert not checks._has_code_for((8, 0), ("sm_86",))
    assert checks._has_code_for((9, 0), ("sm_90a",))
