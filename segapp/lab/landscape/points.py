"""Compute the losses of a landscape's points, in one process or in several."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any

import torch

from segapp.lab.landscape.opening import LandscapeRequest, OpenedLandscape, open_landscape
from segapp.lab.landscape.surface import Step
from segapp.workers import SPAWN, Workers

ADVICE = "The same command resumes; use fewer --devices or --samples if memory is too small."


def compute_losses(
    request: LandscapeRequest, opened: OpenedLandscape, todo: Sequence[tuple[int, Step]], devices: int | None
) -> Generator[tuple[int, float], None, None]:
    """Yield (index, loss) of every (index, step), in the order in which they are computed.

    With several devices each process opens the checkpoint itself and takes the next point when it is free.
    """
    count = min(devices or max(torch.cuda.device_count(), 1), max(len(todo), 1))
    if count == 1:
        yield from ((index, opened.surface.compute_loss(step)) for index, step in todo)
        return
    names = [f"cuda:{n % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu" for n in range(count)]
    taken = SPAWN.Value("q", 0)
    plain = [(index, dict(step)) for index, step in todo]
    with Workers(_compute_points, [(request, name, plain, taken) for name in names], advice=ADVICE) as workers:
        yield from (point for _, point in workers)


def _compute_points(
    request: LandscapeRequest, device: str, todo: Sequence[tuple[int, Step]], taken: Any
) -> Iterator[Any]:
    """Yield (index, loss) of the next point that no process has taken yet, until there is none."""
    surface = open_landscape(request, device).surface
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(todo):
            return
        index, step = todo[number]
        yield index, surface.compute_loss(step)
