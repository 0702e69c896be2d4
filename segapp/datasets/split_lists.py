"""A split given by text files that list the images of each."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from segapp.datasets.source import SplitName
from segapp.datasets.splits import Candidate, Division, Split, require_whole_groups
from segapp.errors import MisuseError
from segapp.io import find_suffix
from segapp.system.text_files import read_text


class Lists(Split):
    """Split by list files, relative to the data set's folder, one image per line.

    A line holds a name, a file name, a path or "image mask" as CamVid's; a prefix from another machine is ignored, if
    all entries of the list have it. Empty lines and lines with # first are skipped. Images in no list are left out.
    """

    def __init__(self, train: str, val: str, test: str | None = None) -> None:
        self.files: dict[SplitName, str | None] = {"train": train, "val": val, "test": test}

    def divide(self, candidates: Sequence[Candidate], root: Path) -> Division:
        """Raise MisuseError for a missing list, an entry without an image, an ambiguous one, an image twice."""
        endings, slices = _index_endings(candidates), _index_files(candidates)
        listed = {split: _find_all(root / file, endings) for split, file in self.files.items() if file}
        return require_whole_groups(
            {split: [each for one in found for each in slices[one.path]] for split, found in listed.items()}
        )


def _read_entries(file: Path) -> Iterable[str]:
    if not file.exists():
        there = ", ".join(sorted(str(p.relative_to(file.parent)) for p in file.parent.glob("*.txt"))[:8])
        raise MisuseError(f"{file}: there is no such list; there is: {there or 'no .txt file there'}.")
    lines = (line.strip() for line in read_text(file).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _index_endings(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """Index every ending of every path, with and without suffix: 'b.png', 'a/b', … → candidates."""
    endings: dict[str, list[Candidate]] = {}
    for candidate in [files[0] for files in _index_files(candidates).values()]:
        parts = candidate.path.parts
        for start in range(1, len(parts)):
            ending = "/".join(parts[start:])
            without = ending.removesuffix(find_suffix(candidate.path))
            for key in {ending, without}:
                endings.setdefault(key, []).append(candidate)
    return endings


def _index_files(candidates: Sequence[Candidate]) -> dict[Path, list[Candidate]]:
    """Index all candidates of a file, such as the slices of a volume, which a list names once."""
    files: dict[Path, list[Candidate]] = {}
    for candidate in candidates:
        files.setdefault(candidate.path, []).append(candidate)
    return files


def _find_all(file: Path, endings: Mapping[str, list[Candidate]]) -> list[Candidate]:
    """Find all entries, in the list's order."""
    found: dict[str, Candidate] = {}
    lines: dict[str, str] = {}
    prefixes: dict[str, str] = {}  # an image of another folder may have the name of one that is missing
    for line in _read_entries(file):
        candidate, prefix = _find_candidate(line, endings, file)
        if candidate.name in found:
            other = lines[candidate.name]
            raise MisuseError(
                f"{file}: {other!r} and {line!r} both name the image {candidate.path}; remove one of them."
            )
        found[candidate.name], lines[candidate.name] = candidate, line
        prefixes.setdefault(prefix, line)
    if len(prefixes) > 1:
        first, *_, second = sorted(prefixes, key=len)
        raise MisuseError(
            f"{file}: {prefixes[second]!r} is the path of an image after {second!r} is removed, but "
            f"{prefixes[first]!r} {f'after {first!r} is' if first else 'without a change'}; all entries of a list must "
            "have the same prefix. Is an image missing?"
        )
    return list(found.values())


def _find_candidate(line: str, endings: Mapping[str, list[Candidate]], file: Path) -> tuple[Candidate, str]:
    """Find the candidate that shares the longest ending with an entry.

    The entry's mask may follow it; the part before it is ignored.
    """
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
    raise MisuseError(f"{file}: {line!r} names none of the images; check `images` and the list.")
