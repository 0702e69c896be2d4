"""Choose which images a prediction has to do, and refuse to replace files that are not its own."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segapp.errors import MisuseError
from segapp.io import require_replaceable
from segapp.prediction.manifest import Manifest, Row, make_row
from segapp.prediction.tasks import ImageTask
from segapp.spec import Spec


@dataclass(frozen=True)
class Selection:
    """The images of a prediction, of which this process does a part."""

    every: Sequence[ImageTask]
    """Those of all processes."""
    count: int
    """How many of them are this process's, those included that are done."""
    todo: Sequence[tuple[ImageTask, Row]]
    """This process's that are not done, each with the row with which work on it begins."""
    existing: set[Path]
    """Files that existed before the prediction."""
    manifest: Manifest
    model: str
    """What `compute_fingerprint` returned."""

    def begin(self) -> None:
        """Begin the manifest, and give up those files of other models whose images are not in the folder."""
        self.manifest.begin()
        names = {task.name for task in self.every}
        self.manifest.give_up([row for row in self.manifest.find_foreign_rows(self.model) if row.image not in names])


def select_images(
    every: Sequence[ImageTask],
    output: Path,
    tables: Sequence[Path],
    model: str,
    overwrite: bool,
    rank: int = 0,
    world_size: int = 1,
) -> Selection:
    """Select the images that one of several processes has to do.

    Args:
        every: The images of all processes.
        output: Folder to write to.
        tables: Files that are written beside those of the images.
        model: What `compute_fingerprint` returned.
        overwrite: Replace files of other models, other settings and other programs; else MisuseError.
        rank: Number of this process, from 0.
        world_size: How many processes share the images.
    """
    # before the manifest is read, or another process's newest file would seem foreign
    existing = find_existing([*tables, *(path for task in every for path in task.outputs.values())])
    manifest = Manifest(output, rank, world_size)
    rows = [(task, make_row(task, output, model)) for task in every]
    todo = [(task, row) for task, row in rows if not manifest.is_done(row, task)]
    if not overwrite:
        refuse_foreign(todo, manifest, existing, tables, model)
    for path in (path for task, _ in todo for path in task.outputs.values() if path in existing):
        require_replaceable(path)
    mine = {task.name for task in every[rank::world_size]}
    todo = [(task, row) for task, row in todo if task.name in mine]
    return Selection(every, len(mine), todo, existing, manifest, model)


def compute_fingerprint(weights: Sequence[str | Path], spec: Spec, save: Sequence[str], options: dict[str, str]) -> str:
    """Compute 16 hexadecimal digits from everything that determines an output file besides the image.

    `weights` are checkpoints, or bundles of which every file counts, in any order.
    """
    digest = hashlib.blake2b(digest_size=8)
    for content in sorted(_digest_content(Path(path)) for path in weights):
        digest.update(content)
    digest.update(json.dumps([spec.to_dict(), sorted(save), options], sort_keys=True).encode())
    return digest.hexdigest()


def _digest_content(path: Path) -> bytes:
    """Compute the digest of a file, or of all files of a folder and their names."""
    digest = hashlib.blake2b()
    for file in [path] if path.is_file() else sorted(inner for inner in path.rglob("*") if inner.is_file()):
        digest.update(file.relative_to(path).as_posix().encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "blake2b").digest())
    return digest.digest()


def find_existing(paths: Iterable[Path]) -> set[Path]:
    """Find the paths that exist already, broken links too."""
    return {path for path in paths if os.path.lexists(path)}


def refuse_foreign(
    tasks: Sequence[tuple[ImageTask, Row]], manifest: Manifest, there: set[Path], tables: Iterable[Path], model: str
) -> None:
    """Raise MisuseError when a file to write exists that this model has not written for these images.

    The same holds for a table of the folder without a manifest, and for a folder with
    other files of another model, which would be mixed with these.
    """
    foreign = [
        path for task, row in tasks if not manifest.is_ours(row) for path in task.outputs.values() if path in there
    ]
    if foreign:
        known = any(row.image in manifest.rows for _, row in tasks)
        whose = "written by another model or with other settings" if known else "and segapp has not written them"
        total = sum(len(task.outputs) for task, _ in tasks)
        raise MisuseError(
            f"{len(foreign)} of {total} files to write exist already, {whose}, the first is {foreign[0]}; "
            "nothing was done. Choose another --output, or replace them with --overwrite."
        )
    strange = [path for path in tables if path in there and not manifest.was_there]
    if strange:
        raise MisuseError(
            f"{strange[0]} exists already, but segapp did not write it; nothing was done. "
            "Choose another --output, or replace it with --overwrite."
        )
    others = manifest.find_foreign_rows(model)
    if others:
        raise MisuseError(
            f"{manifest.path.parent} holds results of another model or of other settings for {len(others)} "
            f"images, the first is {others[0].image}; nothing was done. "
            "Choose another --output, or add --overwrite."
        )
