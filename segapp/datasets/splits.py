"""Divide a data set into train, val and test."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segapp.datasets.block_geometry import BlockSize
from segapp.datasets.class_presence import find_classes_of_each
from segapp.datasets.source import SPLITS, MaskReference, SplitName
from segapp.datasets.split_dealing import Group, deal_at_random, deal_evenly, deal_in_order, deal_stratified
from segapp.errors import MisuseError
from segapp.init_args import Recorded


@dataclass(frozen=True)
class Candidate:
    """One image that a split assigns; pixels are read only by splits that stratify."""

    name: str
    group: str
    path: Path
    folder: str | None
    """Value of `{split}` in the images' pattern, if it has one."""
    mask: MaskReference | None = field(default=None, compare=False)
    """Read only by a split that stratifies."""


Division = Mapping[SplitName, Sequence[Candidate]]


class Split(Recorded, ABC):
    """Divides candidates, given in natural order of their names; a group is never divided."""

    reads_masks = False
    """Whether the candidates need their masks."""
    blocks: BlockSize | None = None
    """How large images are cut into blocks, each of which is a candidate; None where images stay whole."""

    @abstractmethod
    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Return the candidates of each split; those in none are left out. `root` is the data set's folder."""


class Folders(Split):
    """Split by folder: the value of `{split}` in the images' pattern. A name of None means: no such split."""

    def __init__(self, train: str = "train", val: str = "val", test: str | None = "test") -> None:
        self.names: dict[SplitName, str | None] = {"train": train, "val": val, "test": test}

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Raise MisuseError when the pattern has no `{split}` or a folder is not there."""
        found = {candidate.folder for candidate in candidates}
        if found == {None}:
            raise MisuseError(
                "splitting by folders needs {split} in `images`, such as 'images/{split}'; "
                "for one folder of images use segapp.datasets.Fraction."
            )
        for split in ("train", "val"):
            if self.names[split] not in found:
                there = ", ".join(sorted(map(str, found)))
                raise MisuseError(
                    f"{root}: no images in the {split} folder {self.names[split]!r}; there is: {there}. "
                    f"Name it in split.init_args.{split}."
                )
        return require_whole_groups(
            {split: [c for c in candidates if c.folder == name] for split, name in self.names.items() if name}
        )


class Fraction(Split):
    """Split at random, by a hash of `seed` and the group's name; a new image moves hardly any other to another split.

    No split gets a group that is larger than its fraction of the images while a smaller one fits, and none is empty.

    Args:
        val: Fraction of the images, 0 … 1.
        test: The same.
        seed: Of the random division.
        stratify: Spread the images of every class over the splits by these fractions, the rarest class first, as far
            as groups allow. Reads every mask once, at every start.
    """

    def __init__(self, val: float = 0.2, test: float = 0.0, seed: int = 0, stratify: bool = False) -> None:
        _check_fractions(val, test)
        self.val, self.test, self.seed = val, test, _check_seed(seed)
        self.stratify = self.reads_masks = stratify

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Raise MisuseError when there are fewer groups than splits."""
        fractions = _keep_positive({"test": self.test, "val": self.val})
        groups = _make_groups(candidates, with_classes=self.stratify)
        _require_enough_groups(groups, fractions, root)
        images = {split: fraction * len(candidates) for split, fraction in fractions.items()}
        deal = deal_stratified if self.stratify else deal_at_random
        return _make_division(deal(groups, images, self.seed), candidates)


class Contiguous(Split):
    """Split in order of the names, 2 before 10: train first, then val, then test.

    For slices of a volume or frames of a video, where neighbours nearly agree and a random split leaks.
    """

    def __init__(self, val: float = 0.2, test: float = 0.0) -> None:
        _check_fractions(val, test)
        self.val, self.test = val, test

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Divide between groups, at least one for each split; MisuseError when there are fewer groups than splits."""
        fractions = _keep_positive({"test": self.test, "val": self.val})
        groups = _make_groups(candidates)
        _require_enough_groups(groups, fractions, root)
        images = {split: fraction * len(candidates) for split, fraction in fractions.items()}
        return _make_division(deal_in_order(groups, images), candidates)


class KFold(Split):
    """Fold number `fold` of `folds` is val, the rest train; by a hash of `seed` and the group's name, as Fraction.

    Args:
        fold: Which one is val, from 0.
        folds: How many there are.
        seed: Of the random division.
        stratify: Spread the images of every class over the folds. Reads every mask once, at every start.
        contiguous: Folds are ranges of the names in their order, for slices of a volume or frames of a video.
        within: Divide what this split leaves for training and validation; its test images stay the test images.
    """

    def __init__(
        self,
        fold: int,
        folds: int = 5,
        seed: int = 0,
        stratify: bool = False,
        contiguous: bool = False,
        within: Split | None = None,
    ) -> None:
        if not 0 <= fold < folds:
            raise MisuseError(f"fold={fold} is not one of 0 … {folds - 1} (folds={folds}).")
        if folds < 2:
            raise MisuseError(f"k folds need at least 2, got folds={folds}.")
        if stratify and contiguous:
            raise MisuseError("folds are contiguous or stratified, not both: set one of the two to false.")
        self.fold, self.folds, self.seed = fold, folds, _check_seed(seed)
        self.stratify, self.contiguous, self.within = stratify, contiguous, within
        self.reads_masks = stratify or (within is not None and within.reads_masks)
        self.blocks = None if within is None else within.blocks

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Divide into folds of nearly equal size; MisuseError when there are fewer groups than folds."""
        held, divided = self._hold_out(candidates, root)
        groups = _make_groups(divided, with_classes=self.stratify)
        if len(groups) < self.folds:
            raise MisuseError(
                f"{len(groups)} groups of images cannot make {self.folds} folds; add images or lower `folds`."
            )
        folds = self._deal(groups)
        rest = [group for number, fold in enumerate(folds) if number != self.fold for group in fold]
        return {**_make_division({"train": rest, "val": folds[self.fold]}, divided), "test": held}

    def _hold_out(self, candidates: Sequence[Candidate], root: Path) -> tuple[list[Candidate], list[Candidate]]:
        """Return the test images, and those that become folds, both in the order of the candidates."""
        if self.within is None:
            return [], list(candidates)
        parts = self.within.divide(candidates, root)
        divided = {candidate.name for split in ("train", "val") for candidate in parts.get(split, ())}
        held = {candidate.name for candidate in parts.get("test", ())} - divided
        return [c for c in candidates if c.name in held], [c for c in candidates if c.name in divided]

    def _deal(self, groups: Sequence[Group]) -> list[list[Group]]:
        share = sum(group.size for group in groups) / self.folds
        wanted = {f"fold {number}": share for number in range(1, self.folds)}
        if self.contiguous:
            parts = deal_in_order(groups, wanted)
        elif self.stratify:
            parts = deal_stratified(groups, wanted, self.seed)
        else:
            return deal_evenly(groups, self.folds, self.seed)
        return list(parts.values())


def require_whole_groups(division: Division) -> Division:
    """Return the same division, once no group lies in two splits; MisuseError otherwise."""
    where: dict[str, SplitName] = {}
    for split in SPLITS:
        if split == "test" and division.get("test") == division.get("val"):
            continue  # lists may name the validation images as test images; nothing leaks into training
        for candidate in division.get(split, ()):
            if where.setdefault(candidate.group, split) != split:
                raise MisuseError(
                    f"group {candidate.group!r} is in {where[candidate.group]} and in {split} "
                    f"(there with {candidate.name!r}); all images of a group must be in one split."
                )
    return division


def _check_fractions(val: float, test: float) -> None:
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise MisuseError(f"val={val} and test={test} are fractions of the images: each in [0, 1), together < 1.")


def _keep_positive(fractions: Mapping[str, float]) -> dict[str, float]:
    return {split: fraction for split, fraction in fractions.items() if fraction > 0}


def _make_groups(candidates: Sequence[Candidate], with_classes: bool = False) -> list[Group]:
    """Return the groups in order of their first member."""
    members: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        members.setdefault(candidate.group, []).append(candidate)
    if not with_classes:
        return [Group(name, len(own)) for name, own in members.items()]
    masks = [candidate.mask for candidate in candidates if candidate.mask is not None]
    held = dict(zip((candidate.name for candidate in candidates), find_classes_of_each(masks), strict=True))
    return [Group(name, len(own), Counter(k for c in own for k in held[c.name])) for name, own in members.items()]


def _require_enough_groups(groups: Sequence[Group], fractions: Mapping[str, float], root: Path) -> None:
    parts = [split for split in SPLITS if split == "train" or split in fractions]
    if len(groups) >= len(parts) or not groups:
        return
    images = sum(group.size for group in groups)
    too_many = " and " if len(parts) - len(groups) == len(parts) - 1 else " or "
    kinds = "image" if images == len(groups) else "group of images"
    zero = too_many.join(f"split.init_args.{split} to 0" for split in reversed(parts[1:]))
    raise MisuseError(
        f"{root}: {len(groups)} {kinds}{'' if len(groups) == 1 else 's'} cannot be divided into "
        f"{', '.join(parts[:-1])} and {parts[-1]}: each needs at least one. Add images, cut large ones into blocks "
        f"(`split` segapp.datasets.Blocks, with a `size` below theirs), or set {zero}."
    )


def _make_division(parts: Mapping[str, Sequence[Group]], candidates: Sequence[Candidate]) -> Division:
    """Return the members of the groups, in the order of the candidates."""
    home = {group.name: split for split, groups in parts.items() for group in groups}
    return {split: [c for c in candidates if home[c.group] == split] for split in SPLITS}


def _check_seed(seed: int) -> int:
    if seed < 0:
        raise MisuseError(f"the seed of a split is 0 or more, got {seed}.")
    return seed
