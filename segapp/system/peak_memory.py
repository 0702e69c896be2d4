"""Read the largest memory that this process has used."""

import resource
import sys
from pathlib import Path


def read_peak_bytes() -> int:
    """Read the largest memory of this process: on Linux not by `ru_maxrss`, which it inherits from its parent."""
    status = Path("/proc/self/status")
    if status.is_file():
        lines = status.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
