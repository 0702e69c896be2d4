"""Colours of classes, and of errors among them, that can be told apart, also by colour-blind readers."""

from collections.abc import Iterable
from functools import cache
from itertools import product

import numpy as np

Colour = tuple[int, int, int]

BACKGROUND: Colour = (0, 0, 0)

FIRST: tuple[Colour, ...] = (
    *((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167)),
)
"""Okabe and Ito 2008, chosen for colour-blind readers: orange, sky blue, green, yellow, blue, vermilion, purple."""

ERRORS: tuple[Colour, ...] = (
    *((255, 40, 60), (255, 0, 255), (0, 255, 255), (255, 255, 255), (255, 240, 0), (60, 255, 60), (60, 90, 255)),
)
"""Colours that errors may be marked with, the usual red first."""

IGNORED: Colour = (224, 224, 192)
"""The colour of ignored pixels in a mask file, as in Pascal VOC."""

TAKEN: tuple[Colour, ...] = (BACKGROUND, (128, 128, 128), IGNORED)
"""Colours of the background and of ignored pixels, which no class gets."""

SEEN = (
    # Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as seen without red, and without green, receptors
    np.eye(3),
    np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
)

TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
"""Oklab, in which equal distances look equally large."""

CLEAR = 0.2
"""Distance from which an error stands out: the two nearest of `FIRST` are 0.11 apart, black and white 1."""

BRIGHT = 0.5
"""Least lightness of a class that is no background, on a scale from black, 0, to white, 1."""


def choose_palette(num_classes: int, background: int | None = 0) -> tuple[Colour, ...]:
    """Return one colour per class: black for the background, bright ones for the first others.

    After the seven of `FIRST` each is the one furthest from all before, as seen by most and by colour-blind eyes.

    >>> choose_palette(3)
    ((0, 0, 0), (230, 159, 0), (86, 180, 233))
    """
    colours = list(_choose_bright(num_classes - (background is not None)))
    if background is not None:
        colours.insert(background, BACKGROUND)
    return tuple(colours)


def choose_error_colour(palette: Iterable[Colour]) -> Colour:
    """Return the first of `ERRORS` that stands out from every class's colour; if none does, the one furthest away."""
    distances = _measure_distances(_perceive(np.array(ERRORS)), _perceive(np.array(list(palette)))).min(1)
    clear = np.flatnonzero(distances >= CLEAR)
    return ERRORS[int(clear[0] if clear.size else distances.argmax())]


@cache
def _choose_bright(count: int) -> tuple[Colour, ...]:
    chosen = list(FIRST[:count])
    if count <= len(FIRST):
        return tuple(chosen)
    grid = np.array(list(product((*range(0, 255, 24), 255), repeat=3)))
    grid = grid[_perceive(grid)[0, :, 0] >= BRIGHT]
    seen = _perceive(grid)
    nearest = _measure_distances(seen, _perceive(np.array([*chosen, *TAKEN]))).min(1)
    while len(chosen) < count:
        best = int(nearest.argmax())
        red, green, blue = (int(value) for value in grid[best])
        chosen.append((red, green, blue))
        nearest = np.minimum(nearest, _measure_distances(seen, seen[:, best : best + 1])[:, 0])
    return tuple(chosen)


def _measure_distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return (N, M): how far apart colours (E, N, 3) and (E, M, 3) are for that eye which tells them apart worst."""
    return np.linalg.norm(some[:, :, None] - others[:, None], axis=3).min(0)


def _perceive(colours: np.ndarray) -> np.ndarray:
    """Return (E, N, 3), as each eye of `SEEN` sees RGB (N, 3): lightness and two hues of Oklab (Ottosson 2020)."""
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    as_seen = np.stack([linear @ eye.T for eye in SEEN]).clip(0, 1)
    return np.cbrt(as_seen @ TO_CONES.T) @ TO_LAB.T
