"""Record what each loader worker is doing, in memory that outlives it, so that an error can name the image."""

import os
from multiprocessing.sharedctypes import RawArray

import torch

_WORKERS = 512  # a row each; those beyond leave no trace
_READING, _AUGMENTING = 1, 2


class WorkerTrace:
    """Rows (process, number of the item, step), written by workers and read after one has died.

    Nothing is locked: a row belongs to one worker. Outside workers it does nothing.
    """

    def __init__(self) -> None:
        self._rows = RawArray("q", 3 * _WORKERS)

    def start_reading(self, number: int) -> None:
        """Record that this worker reads an item."""
        self._write(number, _READING)

    def start_augmenting(self, number: int) -> None:
        """Record that this worker augments the item."""
        self._write(number, _AUGMENTING)

    def finish(self) -> None:
        """Record that this worker is done with its item."""
        self._write(0, 0)

    def find_step(self, process: int) -> tuple[int, str] | None:
        """Return what the worker of this process id was doing: the item's number, and the step in words."""
        for start in range(0, 3 * _WORKERS, 3):
            owner, number, stage = self._rows[start : start + 3]
            if owner == process and stage:
                return number, "read" if stage == _READING else "augmented (data.augment)"
        return None

    def _write(self, number: int, stage: int) -> None:
        worker = torch.utils.data.get_worker_info()
        if worker is not None and worker.id < _WORKERS:
            start = 3 * worker.id
            self._rows[start : start + 3] = [os.getpid(), number, stage]
