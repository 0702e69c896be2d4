"""How groups of images are dealt to splits: at random, stratified, in order or evenly."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

ROUNDING = 0.5
"""Images by which a split may be larger than asked for."""


@dataclass(frozen=True)
class Group:
    """Images that stay together.

    Attributes:
        name: What its place in a random order depends on.
        size: Number of images.
        classes: How many of the images hold each class, where the masks were read.
    """

    name: str
    size: int
    classes: Mapping[int, int] = field(default_factory=dict)


Images = Mapping[str, float]
"""How many images the splits, or folds, other than train are to have, in the order in which they are served."""

Deal = dict[str, list[Group]]


def deal_at_random(groups: Sequence[Group], images: Images, seed: int) -> Deal:
    """Deal groups in the order of their hashes: one to each split first, then whatever still fits, the rest to train.

    A group passes over a split that it is too large for; only where none fits a split gets the smallest.
    """
    rest = _shuffled(groups, seed)
    parts: Deal = {split: [_take_first(rest, wanted)] for split, wanted in images.items()}
    for split, wanted in images.items():
        rest = _fill(parts[split], rest, wanted)
    return parts | {"train": rest}


def deal_stratified(groups: Sequence[Group], images: Images, seed: int) -> Deal:
    """Deal the groups of the rarest class first, each to the split that lacks that class most.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011), with groups in the order of their hashes.
    """
    needs = _Needs(groups, images)
    parts: Deal = {split: [] for split in needs.sizes}
    rest = _shuffled(groups, seed)
    while held := sum((Counter(group.classes) for group in rest), Counter[int]()):
        rarest = min(held, key=lambda index: (held[index], index))
        for group in [group for group in rest if rarest in group.classes]:
            split = needs.split_for(group, rarest)
            parts[split].append(group)
        rest = [group for group in rest if rarest not in group.classes]
    for split, wanted in images.items():
        rest = _fill(parts[split], rest, wanted, keep=0)
    parts["train"] += rest
    for split, wanted in images.items():
        if not parts[split]:
            parts[split].append(_take_first(parts["train"], wanted))
    if not parts["train"]:
        parts["train"].append(max(parts.values(), key=len).pop())
    return parts


def deal_in_order(groups: Sequence[Group], images: Images) -> Deal:
    """Deal from the end, at least one group to each split, and leave at least one for each that follows and train."""
    rest, parts = list(groups), Deal()
    for number, (split, wanted) in enumerate(images.items()):
        taken: list[Group] = []
        while len(rest) > len(images) - number and (not taken or _fits(rest[-1], taken, wanted)):
            taken.append(rest.pop())
        parts[split] = taken
    return parts | {"train": rest}


def deal_evenly(groups: Sequence[Group], folds: int, seed: int) -> list[list[Group]]:
    """Deal groups to folds of about equal size.

    What is larger than a fold should be has one of its own; the others follow in the order of their hashes, a fold at a
    time, and what fits nowhere goes to the smallest fold.
    """
    rest = _shuffled(groups, seed)
    parts: list[list[Group]] = []
    while len(parts) < folds - 1:
        largest = max(rest, key=lambda group: group.size)
        if largest.size <= _images(rest) / (folds - len(parts)) + ROUNDING:
            break
        rest.remove(largest)
        parts.append([largest])
    wanted = _images(rest) / (folds - len(parts))
    shared = [[_take_first(rest, wanted)] for _ in range(folds - len(parts))]
    for number, part in enumerate(shared):
        left = _images(rest) + sum(map(_images, shared[number:]))
        rest = _fill(part, rest, left / (len(shared) - number), keep=0)
    parts += shared
    for group in sorted(rest, key=lambda group: -group.size):
        min(parts, key=_images).append(group)
    return parts


class _Needs:
    """How many images every split still lacks, in all and of each class."""

    def __init__(self, groups: Sequence[Group], images: Images) -> None:
        total = _images(groups)
        self.sizes: dict[str, float] = {"train": total - sum(images.values()), **images}
        held = sum((Counter(group.classes) for group in groups), Counter[int]())
        self.classes = {
            split: {index: count * size / total for index, count in held.items()} for split, size in self.sizes.items()
        }
        self._held: dict[str, set[int]] = {split: set() for split in self.sizes}

    def split_for(self, group: Group, index: int) -> str:
        """Return the split that lacks a class most, those without any of it first, and note what it gets."""
        fitting = [split for split, size in self.sizes.items() if split == "train" or group.size <= size + ROUNDING]
        split = max(fitting, key=lambda s: (index not in self._held[s], self.classes[s][index], self.sizes[s]))
        self.sizes[split] -= group.size
        for held, count in group.classes.items():
            self.classes[split][held] -= count
        self._held[split] |= group.classes.keys()
        return split


def _shuffled(groups: Sequence[Group], seed: int) -> list[Group]:
    """Order groups by a hash of the seed and their names, so that a new one moves no other."""

    def key(group: Group) -> tuple[bytes, str]:
        return blake2b(f"{seed}\0{group.name}".encode("utf-8", "surrogateescape")).digest(), group.name

    return sorted(groups, key=key)


def _take_first(rest: list[Group], wanted: float) -> Group:
    """Remove and return the first group that fits, else the smallest."""
    found = next((group for group in rest if group.size <= wanted + ROUNDING), None)
    group = found or min(rest, key=lambda group: group.size)
    rest.remove(group)
    return group


def _fill(part: list[Group], rest: Sequence[Group], wanted: float, keep: int = 1) -> list[Group]:
    """Append what fits, and return the others, `keep` at least."""
    left, kept = len(rest), []
    size = _images(part)
    for group in rest:
        if left > keep and size + group.size <= wanted + ROUNDING:
            part.append(group)
            size, left = size + group.size, left - 1
        else:
            kept.append(group)
    return kept


def _fits(group: Group, part: Sequence[Group], wanted: float) -> bool:
    return _images(part) + group.size <= wanted + ROUNDING


def _images(groups: Sequence[Group]) -> int:
    return sum(group.size for group in groups)
