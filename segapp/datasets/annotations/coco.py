"""COCO: one JSON file for all images, of polygons and run lengths."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.fields import Fields, make_ring, read_json, show
from segapp.datasets.annotations.shapes import Polygons, Runs, Window, sort_by_area
from segapp.errors import MisuseError


class Coco(Annotations):
    """Instances of COCO: polygons, compressed and uncompressed run lengths; crowds (`iscrowd`) are ignored.

    Pixels are those of pycocotools. Files have no order of objects: where two overlap, the smaller one is above.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".json",)
    above = "the smaller one"

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the entry of each image; images without annotations have nothing on them."""
        content = read_json(path)
        if isinstance(content, list):
            raise MisuseError(
                f"{path}: is a list, such as COCO's results of a detector; annotations are an object with 'images', "
                "'annotations' and 'categories'."
            )
        file = Fields(content, str(path))
        names = {kind.integer("id"): kind.text("name") for kind in file.objects("categories")}
        sizes = {image.integer("id"): _read_size(image) for image in file.objects("images")}
        shapes: defaultdict[int, list[Polygons | Runs]] = defaultdict(list)
        skipped: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for annotation in file.objects("annotations"):
            number, kind = annotation.integer("image_id"), annotation.integer("category_id")
            if number not in sizes:
                raise MisuseError(f"{annotation.where}: 'image_id' {number} is none of the images.")
            if kind not in names:
                raise MisuseError(f"{annotation.where}: 'category_id' {kind} is none of the categories.")
            shape = _read_shape(annotation, names[kind], sizes[number])
            if shape is None:
                skipped[number]["boxes without an outline"] += 1
            else:
                shapes[number].append(shape)
        for image in file.objects("images"):
            number = image.integer("id")
            ordered = sort_by_area(shapes[number])
            yield Entry(image.text("file_name"), ordered, sizes[number], skipped=skipped[number])


def _read_size(image: Fields) -> tuple[int, int]:
    return image.integer("height"), image.integer("width")


def _read_shape(annotation: Fields, label: str, size: tuple[int, int]) -> Polygons | Runs | None:
    """Return the outline of one object; None where it has only a box."""
    found = annotation.values.get("segmentation")
    crowd = annotation.values.get("iscrowd", 0) in (1, True)
    if found is None or found == []:
        return None
    if isinstance(found, dict):
        runs = annotation.fields("segmentation")
        if runs.list("size") != list(size):
            raise MisuseError(f"{runs.where}: is of {runs.list('size')} pixels, but its image of {list(size)}.")
        return Runs(label, Window(0, 0, *size), _read_counts(runs), crowd=crowd)
    if not isinstance(found, list):
        raise MisuseError(f"{annotation.where}: 'segmentation' should be a list or an object, found {show(found)}.")
    rings = [(make_ring(ring, annotation.where),) for ring in found]
    return Polygons(label, tuple(rings), crowd)


def _read_counts(runs: Fields) -> np.ndarray | bytes:
    counts = runs.values.get("counts")
    if isinstance(counts, str) and counts.isascii():
        return counts.encode()
    try:
        found = np.asarray(counts, np.int64)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros((0, 0), np.int64)
    if found.ndim != 1 or not isinstance(counts, list):
        raise MisuseError(f"{runs.where}: 'counts' should be a text or whole numbers, found {show(counts)}.")
    return found
