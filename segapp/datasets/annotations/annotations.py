"""The base of all kinds of annotations: files parsed once, entries matched with images, names with classes."""

import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

from segapp.batch import IGNORE_INDEX
from segapp.datasets.annotations.entry import AnnotatedMask, Entry
from segapp.datasets.annotations.matching import MatchedFile
from segapp.datasets.masks.encoding import Encoding, FoundFiles, Labels
from segapp.datasets.problems import Problem
from segapp.datasets.source import MaskReference
from segapp.errors import MisuseError
from segapp.io import FilePart
from segapp.terminal.text import for_terminal

IGNORE = "ignore"
"""The class, of `labels`, of pixels that are neither learnt nor scored."""

logger = logging.getLogger(__name__)


class Annotations(Encoding):
    """Shapes that people drew, in the files of one tool.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    shared = True
    suffixes: ClassVar[tuple[str, ...]]
    """Suffixes of the files, in lower case."""
    above: ClassVar[str] = "the later one in the file"
    """Which of two shapes that overlap is painted over the other."""
    by_location: ClassVar[bool] = False
    """Whether a file is of every image that uses it, whose location says what of it lies there."""
    of_volumes: ClassVar[bool] = False
    """Whether images may be slices of volumes."""
    other_files: ClassVar[tuple[str, ...]] = ()
    """Names of files of these suffixes that hold something else."""

    def __init__(self, labels: dict[str, str | None] | None = None) -> None:
        self.labels = {str(name): kind for name, kind in (labels or {}).items()}
        self._matched: dict[Path, MatchedFile] = {}
        self._sharers: tuple[FoundFiles, dict[Path, dict[str, Path]]] | None = None

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Return whether a file may hold annotations of this kind, by its name."""
        name = path.name.lower()
        return name.endswith(cls.suffixes) and not name.startswith(".") and name not in cls.other_files

    @abstractmethod
    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield what a file says of each of its images; MisuseError says what is wrong with it."""

    def find_problems(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> Iterator[Problem]:
        """Read every file, and yield damaged ones, images without an entry, and names that are no classes."""
        try:
            indices = self._list_indices(labels)
        except MisuseError as error:
            yield Problem("class", str(error), setting="mask")
            return
        volume = next((found.images[name] for name in names if found.images[name].part), None)
        if volume is not None and not self.of_volumes:
            message = f"{volume.path}: a volume; {type(self).__name__} annotates plain images. Save its slices as PNG."
            yield Problem("image", message, volume.path, "mask")
            return
        used: list[tuple[Path, Entry]] = []
        for path, own in self._group_by_file(names, found).items():
            try:
                matched = self._match(path, found)
            except MisuseError as error:
                yield Problem("mask", str(error), path)
                continue
            yield from matched.find_problems(own)
            used += [(path, matched.entries[name]) for name in own if name in matched.entries]
        used = _list_different(used)
        yield from self._find_unknown_names(used, indices)
        yield from _report_skipped(used)

    def open_masks(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> dict[str, MaskReference]:
        """Return the mask of each image that has an entry; warnings of `find_problems` are logged once."""
        indices = self._list_indices(labels)
        masks: dict[str, MaskReference] = {}
        used: list[tuple[Path, Entry]] = []
        for path, own in self._group_by_file(names, found).items():
            try:
                matched = self._match(path, found)
            except MisuseError:
                continue  # reported by `find_problems`
            for name in own:
                if name in matched.entries:
                    entry = matched.entries[name]
                    used.append((path, entry))
                    masks[name] = self._make_mask(found.images[name].file, path, entry, indices, labels.background)
            self._log(matched.find_problems(own))
        self._log(_report_skipped(_list_different(used)))
        return masks

    def _make_mask(
        self, image: FilePart, path: Path, entry: Entry, indices: Mapping[str, int | None], background: int
    ) -> MaskReference:
        """Return the mask of an image that an entry belongs to."""
        return AnnotatedMask(image, path, entry, indices, background)

    def _list_indices(self, labels: Labels) -> dict[str, int | None]:
        """Return the class index of every name that is known, None for one to be left out."""
        known: dict[str, int | None] = {name: index for index, name in enumerate(labels.classes)}
        for name, kind in self.labels.items():
            if kind is None:
                known[name] = None
            else:
                is_ignored = kind == IGNORE and IGNORE not in labels.classes
                known[name] = IGNORE_INDEX if is_ignored else labels.index(kind, f"mask.labels {name!r}")
        return known

    def _group_by_file(self, names: Sequence[str], found: FoundFiles) -> dict[Path, list[str]]:
        files: dict[Path, list[str]] = {}
        for name in names:
            files.setdefault(found.masks[name][0].path, []).append(name)
        return files

    def _match(self, path: Path, found: FoundFiles) -> MatchedFile:
        """Return the entries of a file by the names of the images they belong to, parsed once."""
        if path not in self._matched:
            images = self._list_sharers(found)[path]
            is_shared = found.is_shared and not self.by_location
            self._matched[path] = MatchedFile(path, tuple(self.parse(path)), images, is_shared)
        return self._matched[path]

    def _list_sharers(self, found: FoundFiles) -> dict[Path, dict[str, Path]]:
        """Return the images, used or not, that look into each file."""
        if self._sharers is None or self._sharers[0] is not found:
            sharers: dict[Path, dict[str, Path]] = {}
            for name, files in found.masks.items():
                for file in files:
                    sharers.setdefault(file.path, {})[name] = found.images[name].path
            self._sharers = found, sharers
        return self._sharers[1]

    def _find_unknown_names(
        self, used: Sequence[tuple[Path, Entry]], indices: Mapping[str, int | None]
    ) -> Iterator[Problem]:
        """Yield one problem for all names that are no classes, with all names that were found."""
        used = _drop_repeated(used)
        counts = Counter(shape.label for _, entry in used for shape in entry.shapes if not shape.ignored)
        unknown = [name for name in counts if name not in indices]
        if not unknown:
            return
        first = next(path for path, entry in used if any(shape.label == unknown[0] for shape in entry.shapes))
        held = ", ".join(f"{name!r} ({count:,})" for name, count in counts.most_common(50))
        yield Problem(
            "class",
            f"{first}: {len(unknown)} names of shapes are no classes, such as {unknown[0]!r}. The annotations hold "
            f"{held}. Add them to `classes`, or set mask.labels, as {{{unknown[0]!r}: CLASS}} to rename or merge and "
            f"{{{unknown[0]!r}: null}} to leave out.",
            first,
            "mask",
        )

    def _log(self, problems: Iterator[Problem]) -> None:
        """Log each warning when it is first seen."""
        for problem in problems:
            if problem.severity == "warning":
                _warn(problem.message)


@cache  # once per process and message: a plan makes the data set several times
def _warn(message: str) -> None:
    logger.warning("%s", for_terminal(message))


def _list_different(used: Sequence[tuple[Path, Entry]]) -> list[tuple[Path, Entry]]:
    """Return every entry once: that of a map is of all images."""
    return list({id(entry): (path, entry) for path, entry in used}.values())


def _report_skipped(used: Sequence[tuple[Path, Entry]]) -> Iterator[Problem]:
    """Yield one warning that counts what is no area."""
    used = _drop_repeated(used)
    counts: Counter[str] = Counter()
    for _, entry in used:
        counts.update(entry.skipped)
    if counts:
        path = next(path for path, entry in used if entry.skipped)
        what = ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())
        message = (
            f"{path}{' and others' if len({p for p, _ in used}) > 1 else ''}: {what} are no areas and not painted."
        )
        yield Problem("mask", message, path, "mask", "warning")


def _drop_repeated(used: Sequence[tuple[Path, Entry]]) -> list[tuple[Path, Entry]]:
    """Return each entry once, which may be of many images: the slices of a volume, scenes on one map."""
    return list({id(entry): (path, entry) for path, entry in used}.values())
