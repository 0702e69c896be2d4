"""scipy.signal is not imported for the sake of one name, and there when it is used."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DEFERRED = """
import sys
from segapp.system.unused_imports import defer_scipy_signal

with defer_scipy_signal():
    import scipy.signal
    assert hasattr(scipy.signal, "hamming")
assert "scipy.signal" not in sys.modules and "scipy.stats" not in sys.modules
with defer_scipy_signal():
    import scipy.signal.windows
    from scipy.signal import find_peaks
    assert find_peaks.__module__.startswith("scipy.signal.") and scipy.signal.windows.hann
assert not hasattr(scipy.signal, "hamming") and scipy.signal.convolve
"""
READY = """
import sys
from segapp.cli import main

assert main(["fit", "--print_config", "--config", "configs/unet.yaml"]) == 0
assert "torchmetrics" in sys.modules and not {"scipy.signal", "scipy.stats"} & sys.modules.keys()
"""


def test_scipy_signal_is_imported_when_it_is_used():
    subprocess.run([sys.executable, "-c", DEFERRED], check=True)


@pytest.mark.slow
def test_a_fit_is_ready_without_scipy_signal_and_scipy_stats():
    subprocess.run([sys.executable, "-c", READY], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
