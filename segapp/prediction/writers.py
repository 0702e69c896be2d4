"""What becomes of an image's logits: its files, and what is known of it as a whole."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.inference.engine import Picture
from segapp.inference.postprocess import clean, clean_bands, cleans
from segapp.io import TiffRows, explain_errors, open_tiff_rows, write_atomically, write_image, write_mask
from segapp.prediction.areas import pixel_area
from segapp.prediction.jobs import TIFF, Job, Kind
from segapp.prediction.manifest import Row
from segapp.prediction.overlays import MAX_SIDE, open_probability_file, overlay
from segapp.prediction.polygons import find_regions, make_annotation, make_contours
from segapp.spec import Spec

STREAMED_FROM = 2**24
"""Pixels (4096 x 4096) from which a TIFF's mask is written row by row instead of being held."""

OUTLINED_TO = 2**26
"""Pixels (8192 x 8192) up to which regions are outlined: their labels take four bytes each."""

ROWWISE: tuple[Kind, ...] = ("mask", "uncertainty")


class Outputs:
    """Collects the blocks of one image; what can be written meanwhile is, the rest by `write`.

    Use as a context: when it ends by an error, no file of the image is left.
    """

    def __init__(self, job: Job, image: Picture, meta: dict[str, Any], spec: Spec, dtype: str) -> None:
        self.job, self.meta, self.spec, self.dtype = job, meta, spec, dtype
        self.image = image if "overlay" in job.outputs else None  # pixels that nobody draws need not wait for the disk
        height, width = self.size = image.shape[0], image.shape[1]
        self._counts = np.zeros(spec.num_classes, np.int64)
        self._area = pixel_area(meta, height)
        self._areas = np.zeros(spec.num_classes)
        self._confidence = 0.0
        # What is cleaned is known only later, so other pictures of it than its mask need it whole.
        whole = cleans(spec) and job.outputs.keys() != {"mask"}
        streamed = height * width > STREAMED_FROM and job.image.suffix.lower() in TIFF and not whole
        self._streamed: list[Kind] = [kind for kind in ROWWISE if kind in job.outputs and streamed]
        self._thinning = -(-max(height, width) // MAX_SIDE) if streamed else 1
        if height * width > OUTLINED_TO and {"contours", "coco"} & job.outputs.keys():
            raise SegappError(
                f"{image.name}: regions are outlined in images of up to {OUTLINED_TO:,} pixels, this one has "
                f"{height} x {width}; cut it into parts, or save its mask."
            )
        # Whole pictures are held where something is drawn from them; of a streamed one, as many pixels as are shown.
        shown = (-(-height // self._thinning), -(-width // self._thinning))
        self._indices = np.zeros(shown, np.uint8)
        self._doubt = np.zeros(shown if "uncertainty" in job.outputs and not streamed else (0, 0), np.uint8)
        self._open = ExitStack()
        self._rows: dict[Kind, tuple[TiffRows, np.ndarray]] = {}

    def __enter__(self) -> "Outputs":
        for kind in self._streamed:
            through = self._cleaned if kind == "mask" and cleans(self.spec) else iter
            palette = self.spec.palette if kind == "mask" else None
            rows = open_tiff_rows(self.job.outputs[kind], self.size, self.meta, through, palette)
            writer = self._open.enter_context(rows)
            self._rows[kind] = writer, np.zeros((0, self.size[1]), np.uint8)
        if "probability" in self.job.outputs:
            shape = (self.spec.num_classes, *self.size)
            file = open_probability_file(self.job.outputs["probability"], shape, self.dtype)
            self._probabilities = self._open.enter_context(file)
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    @property
    def needs_probabilities(self) -> bool:
        """Whether `add` takes the probabilities of a block: a device need not hand them over for a mask alone."""
        return not self.job.outputs.keys().isdisjoint({"probability", "uncertainty"})

    def add(
        self, y: int, x: int, indices: np.ndarray, confidence: float, probabilities: np.ndarray | None = None
    ) -> None:
        """Add a block; blocks come from left to right and from top to bottom.

        Args:
            y: Its first row.
            x: Its first column.
            indices: (h, w) uint8 class indices.
            confidence: Sum over its pixels of the probability of their class.
            probabilities: (K, h, w) float32, where `needs_probabilities`.
        """
        if not cleans(self.spec):
            self._count(indices, y)
        self._confidence += confidence
        doubt = np.zeros((0, 0), np.uint8)
        if probabilities is not None:
            if "probability" in self.job.outputs:
                self._probabilities.add(y, x, probabilities)
            if "uncertainty" in self.job.outputs:
                doubt = _measure_uncertainty(probabilities)
        for kind in self._streamed:
            self._stream(kind, x, indices if kind == "mask" else doubt)
        step = self._thinning
        rows, columns = slice(-y % step, None, step), slice(-x % step, None, step)
        thinned = indices[rows, columns]
        top, left = -(-y // step), -(-x // step)
        place = slice(top, top + thinned.shape[0]), slice(left, left + thinned.shape[1])
        self._indices[place] = thinned
        if self._doubt.size:
            self._doubt[place] = doubt[rows, columns]

    def _count(self, indices: np.ndarray, top: int) -> None:
        """Add the pixels and areas of a part whose first row is `top`."""
        self._counts += np.bincount(indices.ravel(), minlength=self.spec.num_classes)
        if self._area is not None:
            self._areas += self._area.of(indices, top, self.spec.num_classes)

    def _cleaned(self, rows: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Clean the rows of a mask on their way to its file."""
        top = 0
        for band in clean_bands(rows, self.spec):
            self._count(band, top)
            top += len(band)
            yield band

    def _stream(self, kind: Kind, x: int, block: np.ndarray) -> None:
        writer, rows = self._rows[kind]
        if x == 0:
            rows = np.zeros((len(block), self.size[1]), np.uint8)
            self._rows[kind] = writer, rows
        rows[:, x : x + block.shape[1]] = block
        if x + block.shape[1] == self.size[1]:
            writer.add(rows)

    def write(self) -> None:
        """Write the files that need the complete image."""
        outputs, spec = self.job.outputs, self.spec
        if cleans(spec) and "mask" not in self._streamed:
            self._indices = clean(self._indices, spec)
            self._count(self._indices, 0)
        for kind in ROWWISE:
            if kind in outputs and kind not in self._streamed:
                self._write_whole(outputs[kind], self._indices if kind == "mask" else self._doubt, kind)
        if self.image is not None:
            write_image(outputs["overlay"], overlay(self.image, self._indices, spec, self._thinning))
        if "contours" in outputs:
            made = make_contours(self._indices, spec, self.meta.get("affine"), self.meta.get("crs"))
            _write_json(outputs["contours"], made)
        if "coco" in outputs:
            found = [make_annotation(region, self.size) for region in find_regions(self._indices, spec)]
            _write_json(outputs["coco"], found)

    def _write_whole(self, path: Path, picture: np.ndarray, kind: Kind) -> None:
        if path.suffix.lower() in TIFF:
            palette = self.spec.palette if kind == "mask" else None
            with open_tiff_rows(path, self.size, self.meta, palette=palette) as writer:
                writer.add(picture)
        elif kind == "mask":
            write_mask(path, picture, self.spec.palette)
        else:
            write_image(path, picture)

    def row(self, begun: Row) -> Row:
        """Return the manifest's row of an image whose files are all written."""
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


@dataclass(frozen=True)
class Unopened:
    """An image that could not be opened, as the engine's next picture: its error is raised when it is its turn."""

    name: str
    error: SegappError

    @property
    def shape(self) -> tuple[int, ...]:
        """Raises."""
        raise self.error

    def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Raises."""
        raise self.error


def _measure_uncertainty(probabilities: np.ndarray) -> np.ndarray:
    """Measure (K, h, w) → (h, w) uint8: the entropy divided by its largest value log K, 0 … 255 for 0 … 1."""
    terms = probabilities * np.log(np.maximum(probabilities, 1e-12))
    return np.rint(terms.sum(axis=0) * (-255 / np.log(len(probabilities)))).clip(0, 255).astype(np.uint8)


def _write_json(path: Path, content: Any) -> None:
    with explain_errors(path), write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content))
