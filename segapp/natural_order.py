"""Sort names so that 2 comes before 10."""

import re

MOST_DIGITS = 1000
"""Digits of a number; a longer one is sorted as text: Python converts no more than 4,300 digits."""


def make_natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sorting key under which 2 comes before 10.

    >>> sorted(["10", "2", "a10", "a9"], key=make_natural_key)
    ['2', '10', 'a9', 'a10']
    """
    return [
        (0, int(part), "") if part.isdecimal() and len(part) <= MOST_DIGITS else (1, 0, part)
        for part in re.findall(r"\d+|\D+", name)
    ]
