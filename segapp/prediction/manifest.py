"""Records what was done with every image of a folder, so that an interrupted run resumes where it stopped."""

import csv
import os
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from segapp.errors import MisuseError
from segapp.io import explain_errors, is_image_folder, list_image_files
from segapp.prediction.tasks import MANIFEST, ImageTask
from segapp.system.regular_files import MISSING, describe_irregular
from segapp.terminal.text import for_csv, from_csv

Status = Literal["begun", "done", "failed"]


@dataclass(frozen=True)
class Row:
    """One line of the manifest: an image, the model that predicted it, and the result."""

    image: str
    """Path relative to the folder of images."""
    size: int
    """Bytes of its file."""
    mtime_ns: int
    """When its file was last changed."""
    model: str
    """The digest of the weights, the spec and the kinds that were saved."""
    status: Status
    """`begun` is written before the image's first file: existing files are then this program's, perhaps not all."""
    height: int = 0
    width: int = 0
    confidence: float = 0.0
    """Mean probability of the predicted class, 1/K … 1."""
    pixels: str = ""
    """Pixels per class, separated by blanks."""
    areas: str = ""
    """Area of every class in `unit`, separated by blanks; empty where the file has no pixel size."""
    unit: str = ""
    problem: str = ""
    time_ns: int = 0
    """When the row was written: of several parts, the last one written counts."""
    folder: str = ""
    """The folder of images, relative to that of the manifest: it distinguishes images of the same name."""
    stem: str = ""
    """Path of its files below `<output>/<kind>`, without their suffix: once given, no other image gets it."""

    @property
    def counts(self) -> list[int]:
        """Pixels per class."""
        return [int(count) for count in self.pixels.split()]

    @property
    def class_areas(self) -> list[float]:
        """Area per class; empty where it is not known."""
        return [float(area) for area in self.areas.split()]


COLUMNS = [field.name for field in fields(Row)]

MOST_FOLDERS, LONGEST_PART = 100, 255
"""Of the path of a file: folders in one another, and bytes of a name."""

LONGEST = 2**20
"""Characters of a line: more than any row has, so that a file without ends of line is not read into memory."""


class Manifest:
    """`manifest.csv` in the output folder; with several processes a part of it each, all of them read.

    The last row of an image counts. A row that a crash tore is as if it had not been written.
    """

    def __init__(self, output: Path, rank: int = 0, world_size: int = 1) -> None:
        part = "" if world_size == 1 else f"-{rank}-of-{world_size}"
        self.path = output / f"manifest{part}.csv"
        self.rows: dict[str, Row] = {}
        self._lock = threading.Lock()
        self._ready = False
        parts = [path for path in sorted(output.glob("manifest*.csv")) if MANIFEST.fullmatch(path.name)]
        self._output = output
        self.was_there = bool(parts)
        """Whether segapp has worked in the folder before, or another process has begun to."""
        for path in dict.fromkeys([*parts, self.path]):
            _require_plain_file(path)
        for path in parts:
            self._merge(_read(path))

    @property
    def stems(self) -> dict[str, str]:
        """The stem that each image has been given."""
        return {row.image: row.stem for row in self.rows.values() if row.stem}

    def begin(self) -> None:
        """Create the file before any other is written, so that their origin is known."""
        with self._lock:
            self._begin()

    def add(self, row: Row) -> None:
        """Append a row; it is in the file when this returns, whatever happens to the process."""
        with self._lock:
            row = replace(row, time_ns=time.time_ns())
            self._merge([row])
            self._begin()
            with explain_errors(self.path):
                _append(self.path, [for_csv(asdict(row)[column]) for column in COLUMNS])

    def is_done(self, row: Row, task: ImageTask) -> bool:
        """Return whether the same image was done by the same model, and all its files exist."""
        known = self.rows.get(row.image)
        same = known is not None and _get_identity(known) == _get_identity(row) and known.status == "done"
        return same and not self._is_elsewhere(row) and all(map(_is_plain_file, task.outputs.values()))

    def is_ours(self, row: Row) -> bool:
        """Return whether the image's files may be written again. They may if they are of the same image and model."""
        known = self.rows.get(row.image)
        return known is not None and known.model == row.model and not self._is_elsewhere(row)

    def _is_elsewhere(self, row: Row) -> bool:
        """Return whether the row is of another folder's image.

        A folder that does not exist was moved, or belongs to another host.
        """
        known = self.rows[row.image]
        try:
            return known.folder != row.folder and (self._output / known.folder).is_dir()
        except OSError:  # a name that no file can have
            return False

    def find_foreign_rows(self, model: str) -> list[Row]:
        """Find the rows whose files another model wrote, or this model with other settings."""
        return [row for row in self.rows.values() if row.status != "failed" and row.model != model]

    def give_up(self, rows: Iterable[Row]) -> None:
        """Record that this run replaces the files of other models."""
        for row in rows:
            self.add(replace(row, status="failed", problem="another model has taken the folder over"))

    def _merge(self, rows: Iterable[Row]) -> None:
        for row in rows:
            known = self.rows.get(row.image)
            if known is None or known.time_ns <= row.time_ns:
                self.rows[row.image] = row

    def _begin(self) -> None:
        """Write the header of a new file, and end a truncated last line of an old one."""
        if self._ready:
            return
        with explain_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                file.seek(0)
                has_header = file.readline(LONGEST).endswith(b"\n")
                if not has_header:
                    file.truncate(0)
                elif file.seek(-1, os.SEEK_END) and file.read() != b"\n":
                    file.write(b"\n")
            if not has_header:
                _append(self.path, COLUMNS)
        self._ready = True


def make_row(task: ImageTask, output: Path, model: str) -> Row:
    """Return the row with which work on an image begins."""
    images = Path(str(task.image.absolute()).removesuffix(task.name)).resolve()
    folder = os.path.relpath(images, output.resolve())
    try:
        found = [each.stat() for file in (task.image, *task.channel_files) for each in list_image_files(file)]
    except OSError:  # gone since the folder was read, or a dangling link: reading it will report it
        return Row(task.name, 0, 0, model, "begun", folder=folder, stem=task.stem)
    size, changed = sum(status.st_size for status in found), max(status.st_mtime_ns for status in found)
    return Row(task.name, size, changed, model, "begun", folder=folder, stem=task.stem)


def _get_identity(row: Row) -> tuple[str, int, int, str]:
    return row.image, row.size, row.mtime_ns, row.model


def _read(path: Path) -> list[Row]:
    """Read the complete rows: each is a separate line, so that a truncated one damages no other."""
    rows = []
    kinds = {field.name: {int: int, float: float}.get(field.type, str) for field in fields(Row)}  # type: ignore[arg-type]
    lines = _read_lines(path)
    header = next(lines, "")
    expected = ",".join(COLUMNS)
    if header != f"{expected}\n" and not expected.startswith(header):  # a crash may have torn it
        raise MisuseError(
            f"{path}: not a manifest of this version (its first line should be {expected}); choose another --output."
        )
    for line in lines:
        try:
            (values,) = csv.reader([line.removesuffix("\n")])
            row = Row(**{name: kind(from_csv(v)) for (name, kind), v in zip(kinds.items(), values, strict=True)})
            if min(row.counts, default=0) >= 0 and min(row.class_areas, default=0) >= 0 and _is_plain(row.stem):
                rows.append(row)
        except (ValueError, csv.Error):
            continue  # torn by a crash: its image is done again
    return rows


def _read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a manifest; raise MisuseError for one that no image's row can be."""
    with explain_errors(path), path.open(newline="\n", encoding="utf-8", errors="replace") as file:
        while line := file.readline(LONGEST):  # torn within a letter, too
            if len(line) == LONGEST:
                raise MisuseError(
                    f"{path}: not a manifest of segapp: it has a line of {LONGEST:,} characters or more; choose "
                    "another --output."
                )
            yield line


def _is_plain(stem: str) -> bool:
    """Return whether files can be called so, below their folder."""
    parts = PurePosixPath(stem).parts
    fits = len(parts) <= MOST_FOLDERS and all(len(os.fsencode(part)) <= LONGEST_PART for part in parts)
    return fits and not stem.startswith("/") and ".." not in parts and "\0" not in stem


def _is_plain_file(path: Path) -> bool:
    """Return whether a file is there, itself and not by a link, which could bring in the content of another."""
    return (path.is_file() or is_image_folder(path)) and not path.is_symlink()


def _require_plain_file(path: Path) -> None:
    """Raise MisuseError for a link, through which another file would be written, and for a pipe."""
    kind = "a link" if path.is_symlink() else describe_irregular(path)
    if kind not in (None, MISSING):
        raise MisuseError(f"{path}: is {kind}, not a manifest of segapp; choose another --output.")


def _append(path: Path, values: Sequence[object]) -> None:
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerow(values)
