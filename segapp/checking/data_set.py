"""What was found in all images of a data set, and how rules report it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from segapp.checking.facts import ItemFacts
from segapp.datasets.problems import Kind, Problem
from segapp.datasets.source import SplitName

LISTED = 3
"""Files named in a message."""


@dataclass(frozen=True)
class DataSet:
    """What was found in all images of a data set."""

    facts: tuple[ItemFacts, ...]
    classes: tuple[str, ...]
    background: int | None
    is_grouped: bool = False
    """Whether the data set says which images belong together."""

    def of(self, split: SplitName) -> list[ItemFacts]:
        """Return the images of a split."""
        return [one for one in self.facts if one.split == split]

    @cached_property
    def described(self) -> list[ItemFacts]:
        """Images whose pixels and mask could be read."""
        return [one for one in self.facts if one.described is not None]


Rule = Callable[[DataSet], Iterator[Problem]]
"""Looks at all images, and yields what is wrong."""


def make_warning(kind: Kind, message: str, members: Sequence[ItemFacts], setting: str | None = None) -> Problem:
    """Return a warning about images, or about their masks."""
    path = members[0].mask_path if kind in ("mask", "alignment") else members[0].path
    return Problem(kind, message, path, setting, "warning", tuple(one.name for one in members))


def list_names(facts: Sequence[ItemFacts]) -> str:
    """List the first names for a message, and how many more there are."""
    more = f" and {len(facts) - LISTED} more" if len(facts) > LISTED else ""
    return f"{', '.join(repr(one.name) for one in facts[:LISTED])}{more}"
