"""Class probabilities, as a NumPy file that is filled block by block."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from segapp.errors import SegappError
from segapp.io import write_atomically
from segapp.prediction.writers.writer import OutputBlock, Writer


class ProbabilityFile:
    """A `.npy` file of (K, H, W) float16 or uint8, filled block by block without holding it in memory."""

    def __init__(self, file: BinaryIO, shape: tuple[int, int, int], dtype: str) -> None:
        self._dtype = np.dtype({"float16": "<f2", "uint8": "|u1"}[dtype])
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        self._file = file
        self._shape = shape
        self._start = file.tell()

    def add(self, y: int, x: int, probabilities: np.ndarray) -> None:
        """Write the block (K, h, w) float32 in [0, 1] at row `y` and column `x`; uint8 is 255 times the value."""
        _, height, width = self._shape
        if self._dtype.kind == "u":
            probabilities = np.rint(probabilities * 255)
        block = np.ascontiguousarray(probabilities, self._dtype)
        rows = block.shape[1] if block.shape[2] == width else 1  # full rows are adjacent in the file
        for index, plane in enumerate(block):
            for top in range(0, len(plane), rows):
                offset = ((index * height + y + top) * width + x) * self._dtype.itemsize
                self._file.seek(self._start + offset)
                self._file.write(plane[top : top + rows].tobytes())


@contextmanager
def open_probability_file(path: Path, shape: tuple[int, int, int], dtype: str = "float16") -> Iterator[ProbabilityFile]:
    """Yield a `ProbabilityFile` that appears at `path` when it is complete; raise SegappError if writing fails."""
    try:
        with write_atomically(path) as temporary, temporary.open("wb") as file:
            yield ProbabilityFile(file, shape, dtype)
    except OSError as error:
        raise SegappError(f"{path}: cannot be written ({error}).") from error


class ProbabilityWriter(Writer):
    """The probability of every class in every pixel, after softmax."""

    name = "probability"
    help = ".npy, (classes, height, width), after softmax"
    options = ("probability_dtype",)
    uses_probabilities = True

    _file: ProbabilityFile

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return `.npy`."""
        return ".npy"

    def __enter__(self) -> Self:
        shape = (self.image.spec.num_classes, *self.image.size)
        dtype = self.image.options["probability_dtype"]
        self._file = self.open_files.enter_context(open_probability_file(self.path, shape, dtype))
        return self

    def add(self, block: OutputBlock) -> None:
        """Write the next block."""
        assert block.probabilities is not None
        self._file.add(block.y, block.x, block.probabilities)
