"""Writes the tables of a folder of predictions: the classes, one row per image, and the images to check first."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from segapp.io import explain_errors, write_atomically, write_table
from segapp.prediction.manifest import Manifest, Row
from segapp.prediction.tasks import ImageTask
from segapp.prediction.writers.registry import find_writers
from segapp.prediction.writers.writer import FinishedImage
from segapp.spec import Spec
from segapp.terminal.text import for_terminal

CLASSES = "classes.json"


def list_tables(output: Path, names: Iterable[str]) -> list[Path]:
    """List the files of the whole folder: those of `write_tables`, and the list of classes."""
    folder_files = [output / kind.folder_file for kind in find_writers(names) if kind.folder_file is not None]
    return [output / "per_image.csv", *folder_files, output / CLASSES]


def write_classes(output: Path, spec: Spec) -> None:
    """Write the number, name and colour of every class: of a mask's values, of polygons, of probabilities' planes."""
    pairs = zip(spec.classes, spec.palette, strict=True)
    classes = [{"index": index, "name": name, "colour": colour} for index, (name, colour) in enumerate(pairs)]
    with explain_errors(output / CLASSES), write_atomically(output / CLASSES) as temporary:
        temporary.write_text(json.dumps(classes, indent=1))


def write_tables(output: Path, every: Sequence[ImageTask], spec: Spec, model: str) -> None:
    """Write the tables of the whole folder from the manifests of all processes; the last process overwrites them.

    They hold only the rows of `model`: other processes may not have replaced all files of another model yet.
    """
    with _lock_folder(output):
        rows = [row for row in list_done_rows(output, every) if row.model == model]
        _write_table(output / "per_image.csv", rows, spec)
        tasks = {task.name: task for task in every}
        for kind in find_writers(every[0].outputs):
            if kind.folder_file is not None:
                files = [(row, tasks[row.image].outputs[kind.name]) for row in rows]
                images = [FinishedImage(row.image, row.height, row.width, path) for row, path in files]
                kind.write_folder_file(output / kind.folder_file, images, spec)


def list_done_rows(output: Path, every: Sequence[ImageTask]) -> list[Row]:
    """Return the manifest's rows of the images that are finished, in the order of the tasks."""
    rows = Manifest(output).rows
    known = [rows[task.name] for task in every if task.name in rows]
    return [row for row in known if row.status == "done"]


@contextmanager
def _lock_folder(output: Path) -> Iterator[None]:
    """Hold the folder's lock, which one process at a time has."""
    folder = os.open(output, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)  # unlocks it


def _write_table(path: Path, rows: Sequence[Row], spec: Spec) -> None:
    measured = any(row.unit for row in rows)
    header = ["image", "height", "width", "mean_confidence", *(f"{name}/pixels" for name in spec.classes)]
    header += [*(f"{name}/area" for name in spec.classes), "unit"] if measured else []
    lines = []
    for row in rows:
        areas = [f"{area:.9g}" for area in row.class_areas] or [""] * spec.num_classes
        known = [*areas, row.unit] if measured else []
        lines.append([row.image, row.height, row.width, f"{row.confidence:.6f}", *row.counts, *known])
    write_table(path, header, lines)


def format_least_certain(rows: Sequence[Row], count: int) -> str:
    """Return a list of the `count` images with the smallest mean confidence, for the terminal."""
    first = sorted(rows, key=lambda row: row.confidence)[:count]
    lines = [f"look at these first, the network is least sure of them (mean confidence, of {len(rows)} images):"]
    return "\n".join(lines + [f"  {row.confidence:.4f}  {for_terminal(row.image)}" for row in first])
