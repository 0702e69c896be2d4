"""Assign groups of images to splits: at random, stratified, in order or evenly."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

TOLERANCE = 0.5
"""Images by which a split may exceed its wanted number."""


@dataclass(frozen=True)
class Group:
    """Images that stay together.

    Attributes:
        name: Determines its position in a random order.
        size: Number of images.
        classes: How many of the images hold each class, where the masks were read.
    """

    name: str
    size: int
    classes: Mapping[int, int] = field(default_factory=dict)


ImageCounts = Mapping[str, float]
"""Wanted number of images of each split or fold other than train, in the order in which they are filled."""

Deal = dict[str, list[Group]]


def deal_at_random(groups: Sequence[Group], images: ImageCounts, seed: int) -> Deal:
    """Deal groups in the order of their hashes: one to each split first, then whatever still fits, the rest to train.

    A group passes over a split that it is too large for; only where none fits a split gets the smallest.
    """
    rest = _shuffle_groups(groups, seed)
    parts: Deal = {split: [_take_first(rest, wanted)] for split, wanted in images.items()}
    for split, wanted in images.items():
        rest = _fill_split(parts[split], rest, wanted)
    return parts | {"train": rest}


def deal_stratified(groups: Sequence[Group], images: ImageCounts, seed: int) -> Deal:
    """Deal the groups of the rarest class first, each to the split that lacks that class most.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011), with groups in the order of their hashes.
    """
    needs = _Needs(groups, images)
    parts: Deal = {split: [] for split in needs.sizes}
    rest = _shuffle_groups(groups, seed)
    while held := sum((Counter(group.classes) for group in rest), Counter[int]()):
        rarest = min(held, key=lambda index: (held[index], index))
        for group in [group for group in rest if rarest in group.classes]:
            split = needs.choose_split(group, rarest)
            parts[split].append(group)
        rest = [group for group in rest if rarest not in group.classes]
    for split, wanted in images.items():
        rest = _fill_split(parts[split], rest, wanted, keep=0)
    parts["train"] += rest
    for split, wanted in images.items():
        if not parts[split]:
            parts[split].append(_take_first(parts["train"], wanted))
    if not parts["train"]:
        parts["train"].append(max(parts.values(), key=len).pop())
    return parts


def deal_in_order(groups: Sequence[Group], images: ImageCounts) -> Deal:
    """Deal from the end, at least one group to each split, and leave at least one for each that follows and train."""
    rest, parts = list(groups), Deal()
    for number, (split, wanted) in enumerate(images.items()):
        taken: list[Group] = []
        while len(rest) > len(images) - number and (not taken or _has_room(rest[-1], taken, wanted)):
            taken.append(rest.pop())
        parts[split] = taken
    return parts | {"train": rest}


def deal_evenly(groups: Sequence[Group], folds: int, seed: int) -> list[list[Group]]:
    """Deal groups to folds of about equal size.

    A group larger than the mean fold is a fold by itself; the others follow in the order of their hashes, a fold at a
    time, and a group that fits no fold goes to the smallest one.
    """
    rest = _shuffle_groups(groups, seed)
    parts: list[list[Group]] = []
    while len(parts) < folds - 1:
        largest = max(rest, key=lambda group: group.size)
        if largest.size <= _count_images(rest) / (folds - len(parts)) + TOLERANCE:
            break
        rest.remove(largest)
        parts.append([largest])
    wanted = _count_images(rest) / (folds - len(parts))
    shared = [[_take_first(rest, wanted)] for _ in range(folds - len(parts))]
    for number, part in enumerate(shared):
        left = _count_images(rest) + sum(map(_count_images, shared[number:]))
        rest = _fill_split(part, rest, left / (len(shared) - number), keep=0)
    parts += shared
    for group in sorted(rest, key=lambda group: -group.size):
        min(parts, key=_count_images).append(group)
    return parts


class _Needs:
    """How many images every split still lacks, in all and of each class."""

    def __init__(self, groups: Sequence[Group], images: ImageCounts) -> None:
        total = _count_images(groups)
        self.sizes: dict[str, float] = {"train": total - sum(images.values()), **images}
        held = sum((Counter(group.classes) for group in groups), Counter[int]())
        self.classes = {
            split: {index: count * size / total for index, count in held.items()} for split, size in self.sizes.items()
        }
        self._held: dict[str, set[int]] = {split: set() for split in self.sizes}

    def choose_split(self, group: Group, index: int) -> str:
        """Return the split that lacks a class most, those without any of it first, and count the group there."""
        fitting = [split for split, size in self.sizes.items() if split == "train" or group.size <= size + TOLERANCE]
        split = max(fitting, key=lambda s: (index not in self._held[s], self.classes[s][index], self.sizes[s]))
        self.sizes[split] -= group.size
        for held, count in group.classes.items():
            self.classes[split][held] -= count
        self._held[split] |= group.classes.keys()
        return split


def _shuffle_groups(groups: Sequence[Group], seed: int) -> list[Group]:
    """Order groups by a hash of the seed and their names, so that a new group moves no other."""

    def make_key(group: Group) -> tuple[bytes, str]:
        return blake2b(f"{seed}\0{group.name}".encode("utf-8", "surrogateescape")).digest(), group.name

    return sorted(groups, key=make_key)


def _take_first(rest: list[Group], wanted: float) -> Group:
    """Remove and return the first group that fits, else the smallest."""
    found = next((group for group in rest if group.size <= wanted + TOLERANCE), None)
    group = found or min(rest, key=lambda group: group.size)
    rest.remove(group)
    return group


def _fill_split(part: list[Group], rest: Sequence[Group], wanted: float, keep: int = 1) -> list[Group]:
    """Append the groups that fit to `part`, and return the others, at least `keep` of them."""
    left, kept = len(rest), []
    size = _count_images(part)
    for group in rest:
        if left > keep and size + group.size <= wanted + TOLERANCE:
            part.append(group)
            size, left = size + group.size, left - 1
        else:
            kept.append(group)
    return kept


def _has_room(group: Group, part: Sequence[Group], wanted: float) -> bool:
    return _count_images(part) + group.size <= wanted + TOLERANCE


def _count_images(groups: Sequence[Group]) -> int:
    return sum(group.size for group in groups)
