"""What can be seen of the machine, as plain values; nothing is judged here."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import torch
from packaging.requirements import Requirement

from segapp.system.limits import count_usable_cores, read_cpu_quota, read_memory_limit

NVIDIA_VENDOR, DISPLAY_CLASS = "0x10de", "0x03"


@dataclass(frozen=True)
class Gpu:
    """One GPU as torch sees it; memory in bytes."""

    name: str
    capability: tuple[int, int]
    total: int
    free: int


@dataclass(frozen=True)
class Package:
    """A dependency: what is installed (None: nothing) and the range that segapp asks for."""

    name: str
    installed: str | None
    wanted: str
    fits: bool


@dataclass(frozen=True)
class Folder:
    """A place that is written to: why it cannot be, or None, and the free bytes of its disk."""

    path: Path
    trouble: str | None
    free: int


@dataclass(frozen=True)
class Facts:
    """Everything `segapp doctor` looks at. Sizes in bytes; infinity is no limit, None is not there."""

    version: str = ""
    python: str = ""
    python_fits: bool = True
    packages: tuple[Package, ...] = ()
    torch: str = ""
    torch_cuda: str | None = None  # the CUDA version torch was built with
    architectures: tuple[str, ...] = ()  # that this torch holds machine code for, as sm_90
    nvidia_card: bool = False  # on the bus, whether or not anything drives it
    driver: str | None = None
    device_file: bool = False  # /dev/nvidia0 and its like
    gpus: tuple[Gpu, ...] = ()
    cuda_error: str | None = None
    bf16: tuple[str, bool] = ("cpu", False)  # the device that computes by default, and whether natively in bf16
    cores: int = 1
    quota: float = float("inf")
    threads: int = 1  # that torch computes with
    memory: int = 0  # available, within the limit
    memory_limit: float = float("inf")
    shared_memory: int | None = None
    open_files: tuple[int, int] | None = None  # soft and hard limit
    runs: Folder = Folder(Path("runs"), None, 0)
    caches: tuple[Folder, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


ENVIRONMENT = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "CUDA_VISIBLE_DEVICES", "LOCAL_RANK")


def gather(runs: Path, has_native_bf16: Callable[[torch.device], bool]) -> Facts:
    """Look around. Takes about as long as importing torch; asks nothing of the network and changes nothing."""
    python = read_metadata("Requires-Python")
    gpus, cuda_error = _list_gpus()
    device = torch.device("cuda" if gpus else "cpu")
    limit = read_memory_limit()
    return Facts(
        version=read_metadata("Version"),
        python=".".join(map(str, sys.version_info[:3])),
        python_fits=_is_python_fit(python),
        packages=list_packages(),
        torch=torch.__version__,
        torch_cuda=torch.version.cuda,
        architectures=tuple(torch.cuda.get_arch_list()) if gpus else (),
        nvidia_card=_has_nvidia_card(Path("/")),
        driver=find_driver(Path("/")),
        device_file=any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists(),
        gpus=gpus,
        cuda_error=cuda_error,
        bf16=(device.type, has_native_bf16(device)),
        cores=count_usable_cores(),
        quota=read_cpu_quota(),
        threads=torch.get_num_threads(),
        memory=min(_read_available_memory(Path("/")), int(min(limit, 2**62))),
        memory_limit=limit,
        shared_memory=shutil.disk_usage("/dev/shm").total if Path("/dev/shm").is_dir() else None,
        open_files=_open_files(),
        runs=folder(runs),
        caches=tuple(folder(path) for path in cache_folders(dict(os.environ))),
        environment={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
    )


def read_metadata(key: str) -> str:
    """Read a field of the installed package's metadata; empty when segapp runs without being installed."""
    try:
        return str(metadata.metadata("segapp")[key] or "")
    except metadata.PackageNotFoundError:
        return ""


def list_packages(requirements: list[str] | None = None) -> tuple[Package, ...]:
    """List segapp's dependencies, without those of its extras, and the installed version of each."""
    if requirements is None:
        try:
            requirements = metadata.requires("segapp") or []
        except metadata.PackageNotFoundError:
            return ()
    found = []
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            installed = None
        fits = installed is not None and wanted.specifier.contains(installed, prereleases=True)
        found.append(Package(wanted.name, installed, str(wanted.specifier), fits))
    return tuple(found)


def _is_python_fit(wanted: str) -> bool:
    return not wanted or Requirement(f"python{wanted}").specifier.contains(".".join(map(str, sys.version_info[:3])))


def find_driver(root: Path) -> str | None:
    """Find the version of NVIDIA's driver, from the kernel, else (as under WSL) from nvidia-smi.

    None without a driver.
    """
    for path in ("proc/driver/nvidia/version", "sys/module/nvidia/version"):
        text = (root / path).read_text() if (root / path).is_file() else ""
        if number := re.search(r"\b(\d{3,}(?:\.\d+)+)\b", text):
            return number.group(1)
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    command = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        printed = subprocess.run(command, capture_output=True, text=True, timeout=10).stdout
    except subprocess.TimeoutExpired:
        return None
    return printed.split()[0] if re.match(r"\d+\.", printed) else None


def _has_nvidia_card(root: Path) -> bool:
    for device in (root / "sys/bus/pci/devices").glob("*"):
        vendor, kind = device / "vendor", device / "class"
        display = kind.is_file() and kind.read_text().startswith(DISPLAY_CLASS)
        if display and vendor.is_file() and vendor.read_text().strip() == NVIDIA_VENDOR:
            return True
    return False


def _list_gpus() -> tuple[tuple[Gpu, ...], str | None]:
    """List the GPUs that torch can use, and what it reports of those it cannot."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            gpus = tuple(
                _describe_gpu(index) for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
            )
        except RuntimeError as error:  # a card that is in use exclusively, broken, or reset
            return (), " ".join(str(error).split())[:200]
    return gpus, None if gpus or not warned else " ".join(str(warned[0].message).split())[:200]


def _describe_gpu(index: int) -> Gpu:
    properties = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    return Gpu(properties.name, (properties.major, properties.minor), total, free)


def _read_available_memory(root: Path) -> int:
    path = root / "proc/meminfo"
    found = re.search(r"^MemAvailable:\s+(\d+) kB", path.read_text(), re.MULTILINE) if path.is_file() else None
    return int(found.group(1)) * 1024 if found else 2**62


def _open_files() -> tuple[int, int] | None:
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)


def cache_folders(environment: dict[str, str]) -> list[Path]:
    """List the folders where torch, the hub and matplotlib keep files, and the folder for temporary files."""
    home = Path(environment.get("HOME") or Path.home())
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    named = [environment.get(name) for name in ("TORCH_HOME", "HF_HOME", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR")]
    return list(dict.fromkeys([Path(tempfile.gettempdir()), cache, *(Path(path) for path in named if path)]))


def folder(path: Path) -> Folder:
    """Describe whether files can be made in a folder, tried in the nearest one that exists; it is not created."""
    nearest = path.absolute()
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    trouble = None
    if not nearest.is_dir():
        trouble = f"{nearest} is a {'file' if nearest.exists() else 'link to nothing'}"
    else:
        try:
            with tempfile.TemporaryFile(dir=nearest):
                pass
        except OSError as error:
            trouble = error.strerror or str(error)
    return Folder(path, trouble, shutil.disk_usage(nearest if nearest.exists() else nearest.parent).free)
