"""How a data set is divided into train, val and test."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from segapp.datasets.source import SPLITS, SplitName
from segapp.errors import MisuseError


@dataclass(frozen=True)
class Candidate:
    """What a split may look at: no pixels."""

    name: str
    group: str
    path: Path
    folder: str | None
    """What stood for `{split}` in the images' pattern, if it has one."""


Division = Mapping[SplitName, Sequence[Candidate]]


class Split(ABC):
    """Divides candidates, given in natural order of their names; a group is never divided."""

    @abstractmethod
    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """The candidates of each split; those in none are left out. `root` is the data set's folder."""


class Folders(Split):
    """By folder: what stands for `{split}` in the images' pattern. A name of None means: no such split."""

    def __init__(self, train: str = "train", val: str = "val", test: str | None = "test") -> None:
        self.names: dict[SplitName, str | None] = {"train": train, "val": val, "test": test}

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Raises MisuseError when the pattern has no `{split}` or a folder is not there."""
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
        return _whole(
            {split: [c for c in candidates if c.folder == name] for split, name in self.names.items() if name}
        )


class Lists(Split):
    """By list files, relative to the data set's folder, one image per line.

    A line holds a name, a file name, a path or "image mask" as CamVid's; a prefix from another machine is ignored, if
    it is that of the whole list. Empty lines and lines that start with # are skipped. Images in no list are left out.
    """

    def __init__(self, train: str, val: str, test: str | None = None) -> None:
        self.files: dict[SplitName, str | None] = {"train": train, "val": val, "test": test}

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Raises MisuseError for a missing list, an entry without an image, an ambiguous one, an image twice."""
        endings = _by_ending(candidates)
        return _whole({split: _find_all(root / file, endings) for split, file in self.files.items() if file})


class Fraction(Split):
    """At random, the same for the same images and `seed`; shares are of the images, 0 … 1."""

    def __init__(self, val: float = 0.2, test: float = 0.0, seed: int = 0) -> None:
        _check_shares(val, test)
        self.val, self.test, self.seed = val, test, _seed(seed)

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """At least one group for each share above 0."""
        groups = _grouped(candidates)
        order = np.random.default_rng(self.seed).permutation(len(groups))
        rest = [groups[i] for i in order]
        test, rest = _take(rest, self.test * len(candidates))
        val, rest = _take(rest, self.val * len(candidates))
        return _in_order({"train": rest, "val": val, "test": test}, candidates)


class Contiguous(Split):
    """In order of the names, 2 before 10: train first, then val, then test.

    For slices of a volume or frames of a video, where neighbours nearly agree and a random split leaks.
    """

    def __init__(self, val: float = 0.2, test: float = 0.0) -> None:
        _check_shares(val, test)
        self.val, self.test = val, test

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Cuts lie between groups; at least one group for each share above 0."""
        rest = _grouped(candidates)[::-1]
        test, rest = _take(rest, self.test * len(candidates), in_order=True)
        val, rest = _take(rest, self.val * len(candidates), in_order=True)
        return _in_order({"train": rest, "val": val, "test": test}, candidates)


class KFold(Split):
    """Fold number `fold` of `folds` is val, the rest train; the same for the same images and `seed`."""

    def __init__(self, fold: int, folds: int = 5, seed: int = 0) -> None:
        if not 0 <= fold < folds:
            raise MisuseError(f"fold={fold} is not one of 0 … {folds - 1} (folds={folds}).")
        if folds < 2:
            raise MisuseError(f"k folds need at least 2, got folds={folds}.")
        self.fold, self.folds, self.seed = fold, folds, _seed(seed)

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Folds of nearly equal size: large groups are dealt first, each to the smallest fold."""
        groups = _grouped(candidates)
        if len(groups) < self.folds:
            raise MisuseError(f"{len(groups)} groups of images cannot make {self.folds} folds; use fewer.")
        order = np.random.default_rng(self.seed).permutation(len(groups))
        folds: list[list[Candidate]] = [[] for _ in range(self.folds)]
        for i in sorted(order, key=lambda i: -len(groups[i])):
            min(folds, key=len).extend(groups[i])
        rest = [[c] for i, fold in enumerate(folds) if i != self.fold for c in fold]
        return _in_order({"train": rest, "val": [folds[self.fold]], "test": []}, candidates)


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sorting key under which 2 comes before 10.

    >>> sorted(["10", "2", "a10", "a9"], key=natural)
    ['2', '10', 'a9', 'a10']
    """
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]


def _check_shares(val: float, test: float) -> None:
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise MisuseError(f"val={val} and test={test} are shares of the images: each in [0, 1), together < 1.")


def _grouped(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Groups in order of their first member."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.group, []).append(candidate)
    return list(groups.values())


def _take(
    groups: list[list[Candidate]], images: float, in_order: bool = False
) -> tuple[list[list[Candidate]], list[list[Candidate]]]:
    """Groups of about so many images, and the rest; a random split passes over groups that are too large."""
    taken: list[list[Candidate]] = []
    rest: list[list[Candidate]] = []
    count = 0
    for i, group in enumerate(groups):
        fits = count + len(group) <= images + 0.5
        if images > 0 and (fits or not taken):
            taken.append(group)
            count += len(group)
        elif in_order:
            return taken, groups[i:]
        else:
            rest.append(group)
    return taken, rest


def _in_order(parts: Mapping[SplitName, list[list[Candidate]]], candidates: Sequence[Candidate]) -> Division:
    place = {candidate.name: i for i, candidate in enumerate(candidates)}
    return {
        split: sorted((c for group in groups for c in group), key=lambda c: place[c.name])
        for split, groups in parts.items()
    }


def _whole(division: Division) -> Division:
    """The same division, once no group lies in two splits."""
    where: dict[str, SplitName] = {}
    for split in SPLITS:
        if split == "test" and division.get("test") == division.get("val"):
            continue  # asked for by name, where there are no test images; nothing leaks into training
        for candidate in division.get(split, ()):
            if where.setdefault(candidate.group, split) != split:
                raise MisuseError(
                    f"group {candidate.group!r} is in {where[candidate.group]} and in {split} "
                    f"(there with {candidate.name!r}); one group belongs into one split."
                )
    return division


def _entries(file: Path) -> Iterable[str]:
    if not file.is_file():
        there = ", ".join(sorted(str(p.relative_to(file.parent)) for p in file.parent.glob("*.txt"))[:8])
        raise MisuseError(f"{file}: there is no such list; there is: {there or 'no .txt file there'}.")
    lines = (line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _by_ending(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """Every ending of every path, with and without suffix: 'b.png', 'a/b', … → candidates."""
    endings: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        parts = candidate.path.parts
        for start in range(1, len(parts)):
            ending = "/".join(parts[start:])
            without = ending.removesuffix(candidate.path.suffix)
            for key in {ending, without}:
                endings.setdefault(key, []).append(candidate)
    return endings


def _find_all(file: Path, endings: Mapping[str, list[Candidate]]) -> list[Candidate]:
    """In the list's order."""
    found: dict[str, Candidate] = {}
    lines: dict[str, str] = {}
    prefixes: dict[str, str] = {}  # an image of another folder may have the name of one that is missing
    for line in _entries(file):
        candidate, prefix = _find(line, endings, file)
        if candidate.name in found:
            other = lines[candidate.name]
            raise MisuseError(f"{file}: {other!r} and {line!r} are both the image {candidate.path}; leave one of them.")
        found[candidate.name], lines[candidate.name] = candidate, line
        prefixes.setdefault(prefix, line)
    if len(prefixes) > 1:
        first, *_, second = sorted(prefixes, key=len)
        raise MisuseError(
            f"{file}: {prefixes[second]!r} would be an image only without its {second!r}, as {prefixes[first]!r} is "
            f"{f'without {first!r}' if first else 'as it stands'}; a list's entries may differ from the images' paths "
            "by one prefix only. Is an image missing?"
        )
    return list(found.values())


def _find(line: str, endings: Mapping[str, list[Candidate]], file: Path) -> tuple[Candidate, str]:
    """The candidate with the longest ending in common with an entry, which its mask may follow, and what is before."""
    if len(endings.get(line, ())) == 1:
        return endings[line][0], ""
    for entry in (line.split()[0], line):  # the whole line last: names may hold spaces
        parts = PurePosixPath(entry.replace("\\", "/")).parts
        for start in range(len(parts)):
            found = endings.get("/".join(parts[start:]), [])
            if len(found) > 1:
                names = ", ".join(c.name for c in found[:3])
                raise MisuseError(f"{file}: {entry!r} may mean {names}; write more of the path.")
            if found:
                return found[0], str(PurePosixPath(*parts[:start])) if start else ""
    raise MisuseError(f"{file}: {line!r} is none of the images; check `images` and the list.")


def _seed(seed: int) -> int:
    if seed < 0:
        raise MisuseError(f"the seed of a split is 0 or more, got {seed}.")
    return seed
