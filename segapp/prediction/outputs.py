"""Passes the blocks of one image to its writers, and counts its classes for the tables."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np

from segapp.inference.postprocess import clean, clean_bands, needs_cleaning
from segapp.inference.readable_image import ReadableImage
from segapp.io import streams_masks
from segapp.prediction.areas import find_pixel_area
from segapp.prediction.manifest import Row
from segapp.prediction.overlays import MAX_SIDE
from segapp.prediction.tasks import ImageTask
from segapp.prediction.writers.registry import find_writers
from segapp.prediction.writers.writer import ImageInfo, OutputBlock, Writer
from segapp.spec import Spec

STREAMED_FROM = 2**24
"""Pixels (4096 x 4096) from which masks of a TIFF or an OME-Zarr are written row by row, and not held in memory."""


class ImageOutputs:
    """The output files of one image, written while its blocks arrive, or by `write` where the whole image is needed.

    Use as a context while blocks are added: after an error no file of the image is left.

    Args:
        task: The image and its output files.
        image: Its pixels.
        meta: Georeference and resolution of its file.
        spec: The classes, and how the mask is cleaned.
        options: Settings of the command that its writers use, by name.

    Raises:
        SegappError: The image is too large for one of its outputs.
    """

    def __init__(
        self, task: ImageTask, image: ReadableImage, meta: dict[str, Any], spec: Spec, options: Mapping[str, str]
    ) -> None:
        kinds = find_writers(task.outputs)
        self.spec, self.size = spec, (image.shape[0], image.shape[1])
        self.needs_probabilities = any(kind.uses_probabilities for kind in kinds)
        """True if `add` takes the probabilities of a block; otherwise they need not leave the device."""
        self._counts = np.zeros(spec.num_classes, np.int64)
        self._area = find_pixel_area(meta, self.size[0])
        self._areas = np.zeros(spec.num_classes)
        self._confidence = 0.0
        self._open = ExitStack()
        streamed = _is_streamed(task, self.size, kinds, spec)
        self._step = -(-max(self.size) // MAX_SIDE) if streamed and not _uses(kinds, "full") else 1
        self._counted_by_stream = streamed and needs_cleaning(spec)
        self._indices = np.zeros((-(-self.size[0] // self._step), -(-self.size[1] // self._step)), np.uint8)
        # Pixels that no writer uses are not kept in memory.
        pixels = image if any(kind.uses_image for kind in kinds) else None
        clean_rows = self._clean_rows if needs_cleaning(spec) else iter
        info = ImageInfo(image.name, self.size, spec, meta, pixels, streamed, self._step, clean_rows, options)
        self._writers: list[Writer] = [kind(task.outputs[kind.name], info) for kind in kinds]

    def __enter__(self) -> "ImageOutputs":
        with ExitStack() as opened:
            for writer in self._writers:
                opened.enter_context(writer)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    def add(self, block: OutputBlock, confidence: float) -> None:
        """Add a block; blocks come from left to right and from top to bottom.

        Args:
            block: Its class indices, and its probabilities where `needs_probabilities`.
            confidence: Sum over its pixels of the probability of their class.
        """
        if not needs_cleaning(self.spec):
            self._count(block.indices, block.y)
        self._confidence += confidence
        for writer in self._writers:
            writer.add(block)
        thinned = block.indices[-block.y % self._step :: self._step, -block.x % self._step :: self._step]
        top, left = -(-block.y // self._step), -(-block.x // self._step)
        self._indices[top : top + thinned.shape[0], left : left + thinned.shape[1]] = thinned

    def write(self) -> None:
        """Write the files that need the whole image; raises SegappError if one cannot be written."""
        if needs_cleaning(self.spec) and not self._counted_by_stream:
            self._indices = clean(self._indices, self.spec)
            self._count(self._indices, 0)
        for writer in self._writers:
            writer.finish(self._indices)

    def make_row(self, begun: Row) -> Row:
        """Return the manifest's row of the image after all its files are written."""
        return replace(
            begun,
            status="done",
            height=self.size[0],
            width=self.size[1],
            confidence=self._confidence / (self.size[0] * self.size[1]),
            pixels=" ".join(map(str, self._counts)),
            areas=" ".join(f"{area:.9g}" for area in self._areas) if self._area else "",
            unit=self._area.unit if self._area else "",
        )

    def _count(self, indices: np.ndarray, top: int) -> None:
        """Add the pixels and areas of the classes in rows of the mask, the first of which is `top`."""
        self._counts += np.bincount(indices.ravel(), minlength=self.spec.num_classes)
        if self._area is not None:
            self._areas += self._area.sum_by_class(indices, top, self.spec.num_classes)

    def _clean_rows(self, rows: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the cleaned rows of a streamed mask, and count them."""
        top = 0
        for band in clean_bands(rows, self.spec):
            self._count(band, top)
            top += len(band)
            yield band


def _is_streamed(task: ImageTask, size: tuple[int, int], kinds: Sequence[type[Writer]], spec: Spec) -> bool:
    """Return True for a large image whose masks can be streamed, unless another writer needs the cleaned mask."""
    if size[0] * size[1] <= STREAMED_FROM or not streams_masks(task.image):
        return False
    return not needs_cleaning(spec) or (_uses(kinds, "rows") and not _uses(kinds, "thinned", "full"))


def _uses(kinds: Sequence[type[Writer]], *uses: str) -> bool:
    return any(kind.mask_use in uses for kind in kinds)
