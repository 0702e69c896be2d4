"""Match the entries of an annotation file with images, by their names."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from segapp.datasets.annotations.entry import Entry
from segapp.datasets.problems import Problem

SHOWN = 3
UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio writes before the name of an uploaded file."""


class MatchedFile:
    """The entries of one file, and the images they belong to.

    A file for one image belongs to it whatever name it holds: it is named after the image. Of a file for many, an entry
    belongs to the image whose path ends in the entry's name, or that alone has its last part; of several that would
    fit, to none.

    Attributes:
        path: The file.
        entries: By the names of the images.
    """

    def __init__(self, path: Path, entries: Sequence[Entry], images: Mapping[str, Path], is_shared: bool) -> None:
        self.path, self._all, self._images = path, entries, images
        self.ambiguous: dict[str, list[str]] = {}
        if len(entries) == 1 and not is_shared:
            self.entries = dict.fromkeys(images, entries[0])
        else:
            self.entries = self._match_names()

    def find_problems(self, names: Sequence[str]) -> Iterator[Problem]:
        """Yield images, among `names`, without an entry or with several; warn of entries without an image."""
        for name in (name for name in names if name in self.ambiguous):
            message = (
                f"{self.path}: it is not clear whether {' or '.join(map(repr, self.ambiguous[name][:SHOWN]))} is "
                f"{self._images[name]}; file names must differ, or the entries must hold the folders."
            )
            yield Problem("name", message, self._images[name], "masks")
        missing = [name for name in names if name not in self.entries and name not in self.ambiguous]
        for name in missing:
            yield Problem("mask missing", self._explain_missing(name, missing), self._images[name], "masks")
        unused = [entry.name for entry in self._all if id(entry) not in self._used]
        if unused and not missing and not self.ambiguous:
            shown = ", ".join(repr(name) for name in unused[:SHOWN])
            message = f"{self.path}: {len(unused)} of {len(self._all)} annotated images are not there, such as {shown}."
            yield Problem("image missing", message, self.path, "images", "warning")

    def _explain_missing(self, name: str, missing: Sequence[str]) -> str:
        image = self._images[name]
        if name != missing[0]:
            return f"{image}: has no entry in {self.path}."
        if not self._all:
            return f"{self.path}: holds no image, so {image.name} has no mask; export the annotations again."
        if not any(entry.name for entry in self._all):
            return (
                f"{self.path}: does not say which image it is of, but {len(self._images)} images use it; save one file "
                "for each image, and set `masks` to a pattern such as 'labels/{name}.*'."
            )
        shown = ", ".join(repr(entry.name) for entry in self._all[:SHOWN])
        more = f" … ({len(self._all)} in all)" if len(self._all) > SHOWN else ""
        return (
            f"{self.path}: has no entry for {len(missing)} images, such as {image.name}; it holds {shown}{more}. "
            "Annotate them, or leave them out with `exclude`; an image with nothing on it needs an entry too."
        )

    @cached_property
    def _used(self) -> set[int]:
        return {id(entry) for entry in self.entries.values()}

    def _match_names(self) -> dict[str, Entry]:
        by_last: defaultdict[str, list[tuple[list[str], Entry]]] = defaultdict(list)
        for entry in self._all:
            parts = split_name(entry.name)
            for last in {parts[-1], UPLOAD_PREFIX.sub("", parts[-1], count=1)}:
                by_last[last].append(([*parts[:-1], last], entry))
        sharing = Counter(path.name for path in self._images.values())
        found = {
            name: choose_entries(path, by_last[path.name], sharing[path.name] == 1)
            for name, path in self._images.items()
            if path.name in by_last
        }
        claims = Counter(id(entry) for entries in found.values() for entry in entries)
        for name, entries in found.items():
            if len(entries) > 1 or any(claims[id(entry)] > 1 for entry in entries):
                self.ambiguous[name] = [entry.name for entry in entries]
        return {name: entries[0] for name, entries in found.items() if entries and name not in self.ambiguous}


def choose_entries(path: Path, candidates: Sequence[tuple[list[str], Entry]], is_unique: bool) -> list[Entry]:
    """Return the entries that may be an image's: one, none, or several.

    Args:
        path: The image.
        candidates: The parts of the name of each entry with the image's file name.
        is_unique: No other image has this file name.
    """
    common = [count_common(parts, path.parts) for parts, _ in candidates]
    complete = [count if count == len(parts) else 0 for count, (parts, _) in zip(common, candidates, strict=True)]
    if any(complete):
        common = complete
    elif len(candidates) == 1 and is_unique:
        return [candidates[0][1]]
    best = max(common)
    if best == 1 and not any(complete) and not is_unique:  # only the file name, which other images have too
        return []
    return [entry for count, (_, entry) in zip(common, candidates, strict=True) if count == best]


def split_name(name: str) -> list[str]:
    """Return the folders and the last part of a path or an address, whichever way its slashes lean."""
    path = name.replace("\\", "/").rpartition("?d=")[2].partition("?")[0]
    return [part for part in path.split("/") if part not in ("", ".", "..")] or [""]


def count_common(parts: Sequence[str], path: Sequence[str]) -> int:
    """Return how many parts at the ends of two paths agree."""
    count = 0
    for one, other in zip(reversed(parts), reversed(path), strict=False):
        if one != other:
            break
        count += 1
    return count
