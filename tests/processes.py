"""A program run to its end by itself, as a person starts it."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def ran(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """In a folder, with one thread, for 200 seconds at most; what it said is kept."""
    return subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
