"""Checks for common problems from facts alone: one finding per check, with advice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from segapp.system.facts import Facts

Level = Literal["ok", "warning", "problem"]

DRIVER_OF_CUDA = {11: 450, 12: 525, 13: 580}
"""CUDA's major version → the oldest major version of a Linux driver that runs it (NVIDIA's compatibility table)."""

DOCKERS_SHARED_MEMORY = 64 * 2**20  # the default of a container
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """The result of one check and, unless it is fine, advice."""

    level: Level
    subject: str
    found: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.level:<8} {self.subject:<13} {self.found}" + (f": {self.advice}" if self.advice else "")


def examine(facts: Facts) -> list[Finding]:
    """Run every check, in the order of reading."""
    return [check(facts) for check in CHECKS]


def check_python(facts: Facts) -> Finding:
    """Check that segapp is made for this interpreter."""
    if facts.python_fits:
        return Finding("ok", "python", facts.python)
    return Finding("problem", "python", facts.python, "segapp needs Python 3.11 to 3.13; make an environment with one")


def check_versions(facts: Facts) -> Finding:
    """Check that every dependency is installed in the range that the package's metadata asks for."""
    wrong = [
        f"{package.name} {package.installed or 'missing'} (needs {package.wanted or 'any'})"
        for package in facts.packages
        if not package.fits
    ]
    if wrong:
        advice = "pip install -c constraints.txt -e . in the project's folder brings the tested ones"
        return Finding("problem", "versions", ", ".join(wrong), advice)
    if not facts.packages:
        advice = "pip install -c constraints.txt -e . in the project's folder"
        return Finding("warning", "versions", "segapp is not installed, so its ranges are unknown", advice)
    return Finding("ok", "versions", f"segapp {facts.version}, torch {facts.torch}, {len(facts.packages)} in range")


def check_driver(facts: Facts) -> Finding:
    """Check that an NVIDIA card has a driver, new enough for the CUDA that torch brings."""
    if facts.driver is None:
        if facts.nvidia_card:
            advice = "install NVIDIA's driver; no CUDA toolkit is needed"
            return Finding("problem", "driver", "an NVIDIA card without a driver", advice)
        return Finding("ok", "driver", "no NVIDIA card, none needed")
    if facts.torch_cuda is not None:
        oldest = DRIVER_OF_CUDA.get(int(facts.torch_cuda.split(".")[0]), max(DRIVER_OF_CUDA.values()))
        if int(facts.driver.split(".")[0]) < oldest:
            found = f"{facts.driver}, but torch {facts.torch} brings CUDA {facts.torch_cuda}"
            advice = f"update the driver to {oldest} or newer, or install an older torch"
            return Finding("problem", "driver", found, advice)
    return Finding("ok", "driver", facts.driver)


def check_cuda(facts: Facts) -> Finding:
    """Check that torch can use the GPU that the driver sees."""
    if facts.gpus:
        names = ", ".join(gpu.name for gpu in facts.gpus)
        old = [gpu for gpu in facts.gpus if not _has_code_for(gpu.capability, facts.architectures)]
        if old:
            card = f"{old[0].name} (compute capability {_format_capability(old[0].capability)})"
            advice = "install an older torch, or compute with --trainer.accelerator cpu"
            return Finding("problem", "CUDA", f"torch {facts.torch} has no code for {card}", advice)
        return Finding("ok", "CUDA", f"{facts.torch_cuda} on {len(facts.gpus)} x {names}")
    if facts.driver is None:
        return Finding("ok", "CUDA", "no GPU; segapp computes on the CPU")
    if facts.torch_cuda is None:
        advice = "pip install torch from PyPI, whose wheels for Linux bring CUDA"
        return Finding("problem", "CUDA", f"torch {facts.torch} was built without CUDA", advice)
    if facts.environment.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        hidden = f"CUDA_VISIBLE_DEVICES={facts.environment['CUDA_VISIBLE_DEVICES']!r} hides every GPU"
        return Finding("warning", "CUDA", hidden, "unset it to compute on a GPU")
    if not facts.device_file:
        advice = "start it with docker run --gpus all, or podman run --device nvidia.com/gpu=all"
        return Finding("problem", "CUDA", "the host has a driver, but this container sees no GPU", advice)
    found = facts.cuda_error or "torch finds no GPU although there is a driver"
    return Finding("problem", "CUDA", found, "see whether nvidia-smi lists it; a restart cures a driver updated in use")


def check_gpu_memory(facts: Facts) -> Finding:
    """Check that no other process fills the GPUs."""
    if not facts.gpus:
        return Finding("ok", "GPU memory", "no GPU")
    found = ", ".join(f"{_format_size(gpu.free)} of {_format_size(gpu.total)} free" for gpu in facts.gpus)
    if any(gpu.free < gpu.total / 2 for gpu in facts.gpus):
        return Finding("warning", "GPU memory", found, "something else uses it; nvidia-smi shows what")
    return Finding("ok", "GPU memory", found)


def check_bf16(facts: Facts) -> Finding:
    """Report which precision a run takes when it is left open."""
    device, native = facts.bf16
    if native:
        return Finding("ok", "bf16", f"computed natively by the {device}; the default precision is bf16-mixed")
    return Finding("ok", "bf16", f"not computed natively by the {device}; the default precision is 32-true")


def check_cores(facts: Facts) -> Finding:
    """Check that torch computes with neither more threads than the quota allows nor far fewer."""
    quota = "" if facts.quota == float("inf") else f", quota {facts.quota:g}"
    found = f"{facts.cores} usable{quota}; torch computes with {facts.threads} threads"
    several = "LOCAL_RANK" in facts.environment
    if facts.threads > facts.cores:
        return Finding("warning", "cores", found, f"they wait for each other; set OMP_NUM_THREADS={facts.cores}")
    if facts.threads < facts.cores and not facts.gpus and not several and "OMP_NUM_THREADS" in facts.environment:
        return Finding("warning", "cores", found, "unset OMP_NUM_THREADS to use them all")
    return Finding("ok", "cores", found)


def check_omp(facts: Facts) -> Finding:
    """Check that idle threads sleep instead of taking the loader's processor time."""
    policy = facts.environment.get("OMP_WAIT_POLICY", "")
    if policy.upper() == "PASSIVE":
        return Finding("ok", "OpenMP", "idle threads sleep")
    found = f"OMP_WAIT_POLICY={policy}" if policy else "OMP_WAIT_POLICY is not set"
    return Finding("warning", "OpenMP", found, "idle threads spin and slow down the loader; set it to PASSIVE")


def check_memory(facts: Facts) -> Finding:
    """Check that a small training and its libraries fit into memory."""
    limit = "" if facts.memory_limit == float("inf") else f" (limit {_format_size(facts.memory_limit)})"
    found = f"{_format_size(facts.memory)} available{limit}"
    if facts.memory < 2 * GIB:
        return Finding("problem", "memory", found, "training needs 2 GB and more; close programs or raise the limit")
    return Finding("ok", "memory", found)


def shared_memory(facts: Facts) -> Finding:
    """Check that batches of the loader's workers fit through /dev/shm."""
    if facts.shared_memory is None:
        return Finding("ok", "shared memory", "no /dev/shm on this system, none needed")
    found = f"{_format_size(facts.shared_memory)} in /dev/shm"
    advice = "batches pass through it; start the container with --shm-size=8g, or use --data.num_workers 0"
    if facts.shared_memory <= DOCKERS_SHARED_MEMORY:
        return Finding("problem" if facts.gpus else "warning", "shared memory", found, advice)
    if facts.shared_memory < GIB:
        return Finding("warning", "shared memory", found, advice)
    return Finding("ok", "shared memory", found)


def open_files(facts: Facts) -> Finding:
    """Check that workers can pass tensors as file descriptors."""
    if facts.open_files is None:
        return Finding("ok", "open files", "no such limit on this system")
    soft, hard = facts.open_files
    if soft < 1024 and soft >= 0:  # -1 is unlimited
        level: Level = "problem" if soft < 256 else "warning"
        return Finding(level, "open files", f"at most {soft}", f"ulimit -n {4096 if hard < 0 else min(4096, hard)}")
    return Finding("ok", "open files", "unlimited" if soft < 0 else f"at most {soft}")


def check_disk(facts: Facts) -> Finding:
    """Check that checkpoints and sample images fit on the disk."""
    found = f"{_format_size(facts.runs.free)} free for {facts.runs.path}"
    if facts.runs.free < GIB:
        return Finding("problem", "disk", found, "a run writes checkpoints; free some, or give --runs another disk")
    if facts.runs.free < 10 * GIB:
        return Finding("warning", "disk", found, "enough for small networks; a large one's checkpoint takes gigabytes")
    return Finding("ok", "disk", found)


def runs(facts: Facts) -> Finding:
    """Check that a run's folder can be made."""
    if facts.runs.trouble is None:
        return Finding("ok", "runs", f"{facts.runs.path} can be written")
    advice = 'change to a folder of yours; in a container, mount one with -v and run as --user "$(id -u):$(id -g)"'
    return Finding("problem", "runs", f"{facts.runs.path} cannot be written ({facts.runs.trouble})", advice)


def caches(facts: Facts) -> Finding:
    """Check that libraries can keep what they compile and download."""
    wrong = [f"{folder.path} ({folder.trouble})" for folder in facts.caches if folder.trouble is not None]
    if not wrong:
        return Finding("ok", "caches", ", ".join(str(folder.path) for folder in facts.caches) + " can be written")
    advice = "let XDG_CACHE_HOME, HF_HOME, MPLCONFIGDIR, TMPDIR name folders of yours, or mount a volume there"
    return Finding("problem", "caches", f"cannot be written: {', '.join(wrong)}", advice)


CHECKS: tuple[Callable[[Facts], Finding], ...] = (
    check_python,
    check_versions,
    check_driver,
    check_cuda,
    check_gpu_memory,
    check_bf16,
    check_cores,
    check_omp,
    check_memory,
    shared_memory,
    open_files,
    check_disk,
    runs,
    caches,
)


def _has_code_for(capability: tuple[int, int], architectures: tuple[str, ...]) -> bool:
    """Return whether there is code for a card: of its major version with the same minor or a lower one.

    `compute_` is for any newer.
    """
    for name in architectures:
        kind, _, number = name.partition("_")
        digits = "".join(character for character in number if character.isdigit())
        code = int(digits[:-1]), int(digits[-1])
        if (kind == "compute" and code <= capability) or (code[0] == capability[0] and code[1] <= capability[1]):
            return True
    return not architectures


def _format_capability(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


def _format_size(count: float) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / 2**20:.0f} MiB"
