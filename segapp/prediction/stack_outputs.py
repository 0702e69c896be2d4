"""The output of a file of several images, such as the slices of a volume: one file that holds all of their masks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.inference.postprocess import clean
from segapp.io import MaskLayout, open_mask
from segapp.prediction.manifest import Row
from segapp.prediction.tasks import ImageTask
from segapp.prediction.writers.registry import find_writers
from segapp.prediction.writers.writer import OutputBlock
from segapp.spec import Spec


class StackOutputs:
    """The masks of all images of a file, held as uint8 until the file is written.

    Args:
        task: The file and what it becomes.
        spec: The classes, and how each mask is cleaned.

    Raises:
        SegappError: An output was asked for that is made of single images.
    """

    def __init__(self, task: ImageTask, spec: Spec) -> None:
        single = [kind.name for kind in find_writers(task.outputs) if not kind.holds_parts]
        if single:
            raise SegappError(
                f"{task.image}: is a volume, and of volumes segapp writes masks; leave out "
                f"{' and '.join(f'--save {name}' for name in single)} for them."
            )
        self.task, self.spec = task, spec
        self._meta: Mapping[str, Any] = {}
        self._masks: dict[str, np.ndarray] = {}
        self._counts = np.zeros(spec.num_classes, np.int64)
        self._confidence = 0.0

    def begin(self, part: str, size: tuple[int, int], meta: Mapping[str, Any]) -> None:
        """Begin the mask of the next image; its blocks follow."""
        self._meta = meta
        self._masks[part] = np.zeros(size, np.uint8)

    def add(self, part: str, block: OutputBlock, confidence: float) -> None:
        """Add a block of an image, and the sum over its pixels of the probability of their class."""
        height, width = block.indices.shape
        self._masks[part][block.y : block.y + height, block.x : block.x + width] = block.indices
        self._confidence += confidence

    def write(self) -> None:
        """Clean the masks, each for itself, and write them; raise SegappError if the file cannot be written."""
        sizes = {part: (mask.shape[0], mask.shape[1]) for part, mask in self._masks.items()}
        for path in self.task.outputs.values():
            layout = MaskLayout(sizes, self._meta, self.spec.palette, self.spec.classes, self.spec.background)
            with open_mask(path, layout) as writer:
                for part, mask in self._masks.items():
                    cleaned = clean(mask, self.spec)
                    self._counts += np.bincount(cleaned.ravel(), minlength=self.spec.num_classes)
                    writer.add(cleaned, part)

    def make_row(self, begun: Row) -> Row:
        """Return the manifest's row of the file: the size of its first image, the voxels of all."""
        height, width = next(iter(self._masks.values())).shape
        return replace(
            begun,
            status="done",
            height=height,
            width=width,
            confidence=self._confidence / sum(mask.size for mask in self._masks.values()),
            pixels=" ".join(map(str, self._counts)),
        )
