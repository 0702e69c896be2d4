"""What is known of a whole folder of predictions: one row per image, one COCO file, and what to look at first."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segapp.io import explain_errors, write_atomically, write_table
from segapp.prediction.jobs import Job, Kind
from segapp.prediction.manifest import Manifest, Row
from segapp.spec import Spec
from segapp.terminal.text import for_terminal

CLASSES = "classes.json"


def list_tables(output: Path, kinds: Iterable[Kind]) -> list[Path]:
    """Return the files of the whole folder: those that `write_tables` writes, and what the classes are."""
    return [output / "per_image.csv", *([output / "coco.json"] if "coco" in kinds else []), output / CLASSES]


def write_classes(output: Path, spec: Spec) -> None:
    """Write the number, name and colour of every class: of a mask's values, of polygons, of probabilities' planes."""
    pairs = zip(spec.classes, spec.palette, strict=True)
    classes = [{"index": index, "name": name, "colour": colour} for index, (name, colour) in enumerate(pairs)]
    with explain_errors(output / CLASSES), write_atomically(output / CLASSES) as temporary:
        temporary.write_text(json.dumps(classes, indent=1))


def write_tables(output: Path, every: Sequence[Job], spec: Spec, model: str) -> None:
    """Write the tables of the complete folder, from all parts of the manifest.

    The process that ends last writes the last version.

    Only what `model` did is in them: where several processes replace another one's files, some are not done yet.
    """
    with _lock_folder(output):
        rows = [row for row in done_rows(output, every) if row.model == model]
        parts = {job.name: job.outputs["coco"] for job in every if "coco" in job.outputs}
        _write_table(output / "per_image.csv", rows, spec)
        if parts:
            _write_coco(output / "coco.json", rows, parts, spec)


def done_rows(output: Path, every: Sequence[Job]) -> list[Row]:
    """Return the rows of the finished images, in their order."""
    rows = Manifest(output).rows
    known = [rows[job.name] for job in every if job.name in rows]
    return [row for row in known if row.status == "done"]


@contextmanager
def _lock_folder(output: Path) -> Iterator[None]:
    """Lock the folder for one process at a time."""
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


def _write_coco(path: Path, rows: Sequence[Row], parts: Mapping[str, Path], spec: Spec) -> None:
    """Write one file of all images from each image's own.

    Https://cocodataset.org/#format-data, with run lengths as lists.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, row in enumerate(rows, start=1):
        images.append({"id": number, "file_name": row.image, "height": row.height, "width": row.width})
        for region in json.loads(parts[row.image].read_text()):
            annotations.append({"id": len(annotations) + 1, "image_id": number, **region})
    classes = [(index, name) for index, name in enumerate(spec.classes) if index != spec.background]
    categories = [{"id": index, "name": name} for index, name in classes]
    with explain_errors(path), write_atomically(path) as temporary:
        temporary.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))


def format_least_certain(rows: Sequence[Row], count: int) -> str:
    """Format the images in which the network is least certain, the least certain first."""
    first = sorted(rows, key=lambda row: row.confidence)[:count]
    lines = [f"look at these first, the network is least sure of them (mean confidence, of {len(rows)} images):"]
    return "\n".join(lines + [f"  {row.confidence:.4f}  {for_terminal(row.image)}" for row in first])
