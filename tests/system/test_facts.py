"""What is seen of a machine, on folders made to look like one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from segapp.inference.runtime import has_native_bf16
from segapp.system import facts
from segapp.system.facts import cache_folders, find_driver, folder, gather, list_packages

PROC = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.82.07  Release Build  (root@host)  Wed Aug 27\n"


def test_the_driver_is_read_from_the_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert find_driver(tmp_path) is None
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").write_text(PROC)
    assert find_driver(tmp_path) == "580.82.07"


def test_under_wsl_nvidia_smi_knows_the_driver(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 581.57\necho 581.57\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_driver(tmp_path) == "581.57"


def test_an_nvidia_smi_that_fails_or_hangs_is_no_driver(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho NVIDIA-SMI has failed because it could not communicate with the driver.\nexit 9\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_driver(tmp_path) is None

    def hang(*words: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("nvidia-smi", 10)

    monkeypatch.setattr(subprocess, "run", hang)
    assert find_driver(tmp_path) is None


@pytest.mark.parametrize(
    ("vendor", "kind", "expected"),
    [("0x10de", "0x030200", True), ("0x10de", "0x040300", False), ("0x1002", "0x030000", False)],
)
def test_a_card_on_the_bus_is_distinguished_from_its_sound_device_and_other_makers(tmp_path, vendor, kind, expected):
    device = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")
    assert facts._has_nvidia_card(tmp_path) is expected


def test_packages_are_compared_with_their_ranges_and_extras_left_out():
    found = list_packages(["torch>=2", "numpy>=99", "no-such-package>=1", "pytest>=1; extra == 'dev'"])
    assert [(package.name, package.fits) for package in found] == [
        ("torch", True),
        ("numpy", False),
        ("no-such-package", False),
    ]
    assert found[2].installed is None
    assert found[1].wanted == ">=99"


def test_a_folder_that_does_not_exist_is_judged_by_the_nearest_that_does(tmp_path):
    found = folder(tmp_path / "a" / "b")
    assert found.trouble is None
    assert found.free > 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_trouble(tmp_path):
    (tmp_path / "runs").write_text("")
    assert "is a file" in str(folder(tmp_path / "runs").trouble)


def test_a_folder_that_refuses_files_says_why():
    found = folder(Path("/proc/self"))
    assert found.trouble is not None


def test_caches_are_where_the_environment_says(tmp_path):
    found = cache_folders({"HOME": "/home/a", "HF_HOME": "/big/hub"})
    assert Path("/home/a/.cache") in found
    assert Path("/big/hub") in found
    assert Path("/c") in cache_folders({"HOME": "/home/a", "XDG_CACHE_HOME": "/c"})


def test_torchs_complaint_about_cuda_is_kept(monkeypatch):
    def complain() -> bool:
        import warnings

        warnings.warn("CUDA initialization: The NVIDIA driver\non your system is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", complain)
    assert facts._list_gpus() == ((), "CUDA initialization: The NVIDIA driver on your system is too old")


def test_a_card_that_fails_is_reported_not_raised(monkeypatch):
    def fail(index: int) -> None:
        raise RuntimeError("CUDA error: uncorrectable ECC error encountered")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", fail)
    assert facts._list_gpus() == ((), "CUDA error: uncorrectable ECC error encountered")


def test_this_machine_can_be_looked_at(tmp_path):
    found = gather(tmp_path, has_native_bf16)
    assert found.torch == torch.__version__
    assert found.threads == torch.get_num_threads()
    assert found.cores >= 1
    assert found.memory > 0
    assert found.runs.path == tmp_path
