"""Maps the values of an uncompressed file into memory."""

from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np


def map_values(path: Path, dtype: np.dtype[Any], offset: int, count: int) -> np.ndarray:
    """Return (count,) values from a file's byte `offset` on, read where they are looked at; not to be written to.

    Not `np.memmap`: that one resolves every folder of the path, and each view of it runs Python code.

    Raises:
        ValueError: The file ends before the values do.
    """
    with path.open("rb", buffering=0) as file:
        memory = mmap(file.fileno(), offset + count * dtype.itemsize, access=ACCESS_READ)
    return np.frombuffer(memory, dtype, count, offset)
