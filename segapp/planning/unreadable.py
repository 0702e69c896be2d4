"""How many files of a data set may be unreadable."""

MAX_FRACTION = 0.05
"""Where a larger fraction cannot be read, the settings are wrong rather than a few files."""


def are_few(failed: int, total: int) -> bool:
    """Return whether so many files of a data set, at least one, may be left out."""
    return failed <= max(1, MAX_FRACTION * total)
