"""COCO annotations: one file for the folder, made of one file for each image."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.prediction.polygons import find_regions, make_annotation
from segapp.prediction.writers.regions import RegionWriter, write_json
from segapp.prediction.writers.writer import FinishedImage
from segapp.spec import Spec
from segapp.system.text_files import read_text

KEYS = {"category_id", "bbox", "area", "iscrowd", "segmentation"}
"""Of the annotation of a region."""


class CocoWriter(RegionWriter):
    """The annotations of every region, with run lengths; https://cocodataset.org/#format-data."""

    name = "coco"
    help = "one coco.json of every region in every image"
    folder_file = "coco.json"

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return `.json`."""
        return ".json"

    def finish(self, mask: np.ndarray) -> None:
        """Write the annotations of one image, without ids."""
        regions = find_regions(mask, self.image.spec)
        write_json(self.path, [make_annotation(region, self.image.size) for region in regions])

    @classmethod
    def write_folder_file(cls, path: Path, images: Sequence[FinishedImage], spec: Spec) -> None:
        """Write the images, categories and annotations of the whole folder, numbered from 1."""
        entries: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, image in enumerate(images, start=1):
            entries.append({"id": number, "file_name": image.name, "height": image.height, "width": image.width})
            for region in _read_regions(image.path):
                annotations.append({"id": len(annotations) + 1, "image_id": number, **region})
        classes = [(index, name) for index, name in enumerate(spec.classes) if index != spec.background]
        categories = [{"id": index, "name": name} for index, name in classes]
        write_json(path, {"images": entries, "categories": categories, "annotations": annotations})


def _read_regions(path: Path) -> list[dict[str, Any]]:
    """Return the annotations of an image that were written before; SegappError where they are something else."""
    try:
        regions = json.loads(read_text(path))
    except (ValueError, RecursionError):
        regions = None
    if not isinstance(regions, list) or not all(isinstance(one, dict) and one.keys() == KEYS for one in regions):
        raise SegappError(f"{path}: damaged; remove it, and the same command writes it again.")
    return regions
