"""The base class of the writers, and their input: an image, its blocks, and its cleaned mask."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np

from segapp.inference.readable_image import ReadableImage
from segapp.spec import Spec

MaskUse = Literal["none", "rows", "thinned", "full"]
"""The part of the mask that a writer needs: none, its rows in order, every `ImageInfo.step`-th pixel, or all."""

Rows = Iterator[np.ndarray]
"""Bands (h, W) uint8 of an image, from top to bottom."""


@dataclass(frozen=True)
class ImageInfo:
    """The facts about an image that a writer gets before its first block.

    Attributes:
        name: Its file, for error messages.
        size: Height and width in pixels.
        spec: The classes, their colours, and how the mask is cleaned.
        meta: Georeference and resolution of its file.
        pixels: The image itself, for writers with `uses_image`.
        streamed: True if outputs of one value per pixel are written row by row instead of being held in memory.
        step: The mask given to `Writer.finish` holds every `step`-th pixel of every `step`-th row.
        clean_rows: Cleans the rows of a streamed mask on their way to its file.
        options: The settings named in `Writer.options`.
    """

    name: str
    size: tuple[int, int]
    spec: Spec
    meta: dict[str, Any] = field(default_factory=dict)
    pixels: ReadableImage | None = None
    streamed: bool = False
    step: int = 1
    clean_rows: Callable[[Rows], Rows] = iter
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputBlock:
    """A part of an image's prediction; blocks come from left to right and from top to bottom.

    Attributes:
        y: First row.
        x: First column.
        indices: (h, w) uint8 class indices, before small objects and holes are removed.
        probabilities: (K, h, w) float32, if a writer of the image has `uses_probabilities`.
    """

    y: int
    x: int
    indices: np.ndarray
    probabilities: np.ndarray | None = None


@dataclass(frozen=True)
class FinishedImage:
    """An image whose output file is written: its name, its size, and the file."""

    name: str
    height: int
    width: int
    path: Path


class Writer:
    """The writer of one output file of one image; a subclass is one kind of output.

    Use as a context while blocks are added: an error ends it without a file. `finish` comes after the context, perhaps
    in another thread.

    Attributes:
        name: The value of `--save`, and the folder of the files.
        help: One phrase for `--help`, without a full stop.
        options: Settings of `segapp predict` that change the file's content.
        uses_image: True if the writer draws the image's pixels.
        uses_probabilities: True if the writer needs `OutputBlock.probabilities`.
        mask_use: What `finish` needs of the mask.
        holds_parts: True if the outputs of all slices of a volume are one file, written by `StackOutputs`.
        folder_file: Name of a file for the whole folder, made of the images' files by `write_folder_file`.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    uses_image: ClassVar[bool] = False
    uses_probabilities: ClassVar[bool] = False
    mask_use: ClassVar[MaskUse] = "none"
    holds_parts: ClassVar[bool] = False
    folder_file: ClassVar[str | None] = None

    def __init__(self, path: Path, image: ImageInfo) -> None:
        self.path, self.image = path, image
        self.open_files = ExitStack()

    @classmethod
    def require_library(cls) -> None:
        """Raise MisuseError where a library that the writer needs is not installed."""

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return the suffix of the output file of an image file."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.open_files.__exit__(*error)

    def add(self, block: OutputBlock) -> None:
        """Take the next block; raises SegappError if the file cannot be written."""

    def finish(self, mask: np.ndarray) -> None:
        """Write the files that need the whole image.

        Args:
            mask: Cleaned class indices, (H, W) uint8; thinned by `ImageInfo.step`.

        Raises:
            SegappError: The file cannot be written; no part of it is left.
        """

    @classmethod
    def write_folder_file(cls, path: Path, images: Sequence[FinishedImage], spec: Spec) -> None:
        """Write the file of the whole folder, for writers with a `folder_file`."""
        raise NotImplementedError
