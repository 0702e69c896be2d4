"""The order of samples and a loader that starts anywhere in it."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from segapp.batch import Batch
from segapp.errors import MisuseError, SegappError
from segapp.loading.mixture import Mixture
from segapp.loading.reader import Reader
from segapp.loading.samples import EvaluationSet, Failure, Key, TrainSet

Position = tuple[int, int]
"""Epoch, and how many of its batches are done."""


class TrainOrder:
    """Batches of keys: a permutation for each (seed, epoch), divided among the processes.

    Batches are full; what is left over is left out, other samples in every epoch. A set smaller than one batch is
    one batch. All processes have the same number of batches and no sample twice. `mixture` chooses the samples of
    joined data sets that are weighted.
    """

    def __init__(
        self, samples: int, batch_size: int, seed: int, rank: int = 0, world: int = 1, mixture: Mixture | None = None
    ) -> None:
        if samples < world:
            raise MisuseError(f"{samples} training samples are too few for {world} processes; use fewer.")
        self.samples, self.seed, self.rank, self.world = samples, seed, rank, world
        self.batch_size = min(batch_size, samples // world)
        self.mixture = mixture
        self.position: Position = (0, 0)

    def __len__(self) -> int:
        return self.samples // (self.batch_size * self.world)

    def __iter__(self) -> Iterator[list[Key]]:
        """Iterate from `position` to the end of its epoch."""
        epoch, start = self.position
        rng = np.random.default_rng([self.seed, epoch])
        order = rng.permutation(self.samples) if self.mixture is None else self.mixture.sample_epoch(rng)
        for batch in range(start, len(self)):
            first = (batch * self.world + self.rank) * self.batch_size
            yield [(epoch, int(index)) for index in order[first : first + self.batch_size]]


class EvaluationOrder:
    """Every sample once over all processes, one per batch."""

    def __init__(self, samples: int, rank: int = 0, world: int = 1) -> None:
        self.indices = range(rank, samples, world)
        self.position: Position = (0, 0)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[list[Key]]:
        _, start = self.position
        return ([(0, index)] for index in self.indices[start:])


class Loader:
    """Batches of a data set in an order, from the position that `position()` returns when the first batch is requested.

    Not a DataLoader: Lightning makes iterators before it knows the epoch, and would replace samplers. This one
    asks late, so resuming, persistent workers and prefetching all use the same position. It takes nothing from
    torch's global random numbers, which are the same with and without it.
    """

    def __init__(
        self,
        samples: TrainSet | EvaluationSet,
        order: TrainOrder | EvaluationOrder,
        position: Callable[[], Position] = lambda: (0, 0),
        workers: int = 0,
        pin_memory: bool = False,
        start_worker: Callable[[int], None] | None = None,
    ) -> None:
        if workers:
            require_short_temporary_folder()
        self._samples, self._order, self._position = samples, order, position
        self._loader = DataLoader(
            samples,
            batch_sampler=order,
            collate_fn=_return_batch,
            num_workers=workers,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            worker_init_fn=start_worker if workers else None,
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        """Return the number of batches in a complete epoch."""
        return len(self._order)

    def __iter__(self) -> Iterator[Batch]:
        self._order.position = self._position()  # runs with the first `next`, since this is a generator
        batches = iter(self._loader)
        while True:
            batch = self._get_next(batches)
            if batch is None:
                return
            yield batch

    @property
    def reader(self) -> Reader:
        """What its samples are read with."""
        return self._samples.reader

    def close(self) -> None:
        """End the workers; those that the end of the process kills leave sockets in the temporary folder."""
        if self._iterator is not None:
            self._iterator._shutdown_workers()
            self._iterator = None

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: `position` holds the state.

        Lightning asks whether a loader can be resumed by looking for this method.
        """
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore nothing."""

    @property
    def _iterator(self) -> Any:  # the name under which Lightning stops the workers of a DataLoader
        return self._loader._iterator

    @_iterator.setter
    def _iterator(self, iterator: Any) -> None:
        self._loader._iterator = iterator

    def _get_next(self, batches: Iterator[Any]) -> Batch | None:
        try:
            batch = next(batches, None)
        except RuntimeError as error:
            if (died := explain_dead_worker(error, [self.reader])) is None:
                raise
            raise died from error
        if isinstance(batch, Failure):
            raise batch.error
        return batch


SOCKET_NAME = len("/pymp-01234567/listener-01234567")
LONGEST_ADDRESS = 107  # bytes of a socket's path on Linux; other systems take a few less


def require_short_temporary_folder() -> None:
    """Raise MisuseError where workers could not send a batch: they would wait for ever, without an error.

    PyTorch sends tensors from worker to trainer through a socket in the folder for temporary files, and the system
    limits the length of a socket's path.
    """
    folder = tempfile.gettempdir()
    length, longest = len(os.fsencode(folder)), LONGEST_ADDRESS - SOCKET_NAME
    if length > longest:
        raise MisuseError(
            f"data.num_workers: the path of the folder for temporary files, {folder}, has {length} bytes; worker "
            f"processes need one of at most {longest}. Set the environment variable TMPDIR to a shorter path, or "
            "--data.num_workers 0."
        )


def explain_dead_worker(error: Exception, readers: Sequence[Reader]) -> SegappError | None:
    """Explain PyTorch's error about a worker that was killed; return None for another error.

    A worker that is killed reports nothing: mostly the system killed it because memory ran out.
    """
    if not isinstance(error, RuntimeError) or not str(error).startswith("DataLoader worker"):
        return None
    processes = [int(number) for number in re.findall(r"\d+", str(error))]
    steps = [(reader, step) for reader in readers for process in processes if (step := reader.trace.find_step(process))]
    traces = [f" while the image {reader.items[number].name!r} was {done}" for reader, (number, done) in steps]
    return SegappError(
        f"a process that loads images was killed{''.join(traces[:1])} ({str(error).splitlines()[0].rstrip('. ')}). "
        "Usually memory ran out: lower data.num_workers (0 starts no processes) or data.cache_gb; in a container also "
        "enlarge /dev/shm."
    )


def _return_batch(batch: Any) -> Any:
    """Return the batch unchanged: `__getitems__` of segapp's data sets delivers complete batches."""
    return batch


def find_position(trainer: Any) -> Position:
    """Return a Trainer's position, also after resuming in the middle of an epoch; (0, 0) without a Trainer."""
    if trainer is None or trainer.overfit_batches:  # overfitting uses the same batches in every epoch
        return 0, 0
    loop = trainer.fit_loop
    return loop.epoch_progress.current.processed, loop.epoch_loop.batch_progress.current.ready
