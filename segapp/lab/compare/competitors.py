"""What a comparison is of: runs, and folders of masks that any tool predicted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segapp.errors import MisuseError
from segapp.lab.study.examples import make_slug


@dataclass(frozen=True)
class Competitor:
    """A run, or a folder of predictions.

    Attributes:
        path: Its folder.
        given: The name that the user gave; empty for a run, whose config has one.
    """

    path: Path
    given: str = ""

    @property
    def is_run(self) -> bool:
        """Whether it is a run of segapp."""
        return not self.given

    @property
    def word(self) -> str:
        """The word of the command line that names it."""
        return f"{self.given}={self.path}" if self.given else str(self.path)


def read_competitors(words: Sequence[str]) -> list[Competitor]:
    """Return what the words of the command line name, FOLDER of a run or NAME=FOLDER of predictions.

    Raises MisuseError for less than two, for one that is named twice, and for two of one name.
    """
    if len(words) < 2:
        raise MisuseError(
            f"a comparison needs two runs or more, or folders of predictions, got {len(words)}: "
            "segapp compare RUN RUN NAME=FOLDER."
        )
    found = [_read_competitor(word) for word in words]
    if len({one.path.resolve() for one in found}) < len(found):
        raise MisuseError("a run or a folder is named twice; compare different ones.")
    names = [one.given for one in found if not one.is_run]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise MisuseError(f"two folders of predictions are called {twice!r}; give each a name of its own.")
    return found


def _read_competitor(word: str) -> Competitor:
    """Return the competitor of a word; the path of a run may hold an equals sign."""
    name, equals, folder = word.partition("=")
    if not equals or "/" in name or Path(word).is_dir():
        return Competitor(Path(word))
    if not name.strip() or not folder:
        raise MisuseError(f"{word}: a folder of predictions is given as NAME=FOLDER, such as nnunet=predictions.")
    return Competitor(Path(folder), name.strip())


def name_apart(paths: Sequence[Path], given: Sequence[str]) -> list[str]:
    """Name competitors as given, followed by as much of their paths as distinguishes them.

    The names also differ as names of folders, since the examples of each lie in one.
    """
    paths = [path.resolve() for path in paths]
    names = list(given)
    for count in range(1, max(len(path.parts) for path in paths) + 1):
        if len({make_slug(name) for name in names}) == len(names):
            return names
        ends = [Path(*path.parts[-count:]) for path in paths]
        names = [f"{name} {end}" for name, end in zip(given, ends, strict=True)]
    return [f"{number} {name}" for number, name in enumerate(names, 1)]  # paths that differ only in signs
