"""Check the options of `segapp landscape`."""

from segapp.errors import MisuseError


def check_options(points: int, radius: float, seeds: int, samples: int, eigenvalues: int) -> None:
    """Raise MisuseError for numbers with which no landscape can be drawn."""
    if points < 0 or points in (1, 2):
        raise MisuseError(f"points must be 3 or more on each axis, or 0 for lines only, got {points}.")
    if seeds < 2 or samples < 1 or not 0 < radius < 100:
        raise MisuseError(
            f"seeds must be 2 or more, samples 1 or more, radius between 0 and 100; got {seeds}, {samples} and "
            f"{radius:g}."
        )
    if eigenvalues < 0:
        raise MisuseError(f"eigenvalues must be 0 or more, got {eigenvalues}.")
