"""The contract of a file format: how its images are recognised and read, and how masks are written in it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.slices import Grid
from segapp.io.header import Header, Window
from segapp.spec import SliceAxis

MAX_DECODED_PIXELS = 2**28
"""Height x width that is decoded at once (16,384 x 16,384); larger images are read in windows."""

START = 512
"""First bytes of a file, by which its format is recognised."""

Palette = Sequence[tuple[int, int, int]]
RowFilter = Callable[[Iterator[np.ndarray]], Iterator[np.ndarray]]
"""A function that changes (h, W) bands of rows on their way to a file."""


@dataclass(frozen=True)
class MaskLayout:
    """The masks that one file will hold, known before the first row is written."""

    sizes: Mapping[str, tuple[int, int]]
    """Height and width of each mask by its part, in the order of the image's parts; `{"": size}` for a single one."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Geometry of the image, from `Image.meta`; a format keeps what it can express."""
    palette: Palette | None = None
    """The colours of class indices; None for values that are shown in grey."""
    classes: Sequence[str] = ()
    """The names of class indices, for formats that keep them."""
    background: int | None = None
    """The index of the class that is no object."""


class MaskSink(Protocol):
    """A destination for the rows of one or several (H, W) uint8 masks."""

    def add(self, rows: np.ndarray, part: str = "") -> None:
        """Take the next (h, W) uint8 rows of a part, from top to bottom."""


@dataclass(frozen=True)
class FileGroup:
    """An image that is made of one file or of several files of a folder."""

    path: Path
    """The first of its files, which stands for all of them."""
    label: str | None = None
    """What its name is below that of its folder; empty for the folder's own name, None for that of its file."""


class Format(ABC):
    """A file format of images, and of masks where it can hold them unchanged.

    A new format is a class of this kind in a file of its own, and a line in `registry.FORMATS`.
    """

    name: ClassVar[str]
    """The format in messages, such as "PNG"."""
    suffixes: ClassVar[tuple[str, ...]]
    """Lower-case endings of file names, with the dot; the first is the usual one."""
    written_suffixes: ClassVar[tuple[str, ...] | None] = None
    """Those of files that are written; None for all."""
    magic: ClassVar[tuple[bytes, ...]] = ()
    """A file of this format begins with one of these; a format without any is recognised by its suffix."""
    is_folder: ClassVar[bool] = False
    """Whether an image is a folder, recognised by its suffix."""
    has_windows: ClassVar[bool] = False
    """Whether a window is decoded without the rest. Other formats are asked for whole images, which are cached."""
    max_pixels: ClassVar[int] = MAX_DECODED_PIXELS
    """Height x width that is decoded at once at most: of a window where there are windows, else of the image."""
    has_levels: ClassVar[bool] = False
    """Whether an image may be stored at several resolutions, of which `FilePart.resolution` names one."""
    writes_images: ClassVar[bool] = False
    """Whether `write_image` is implemented."""
    writes_masks: ClassVar[bool] = False
    """Whether masks can be written; else the masks of such images are written in another format."""
    masks_are_classes: ClassVar[bool] = False
    """Whether masks that are written hold classes only, and no grey values."""
    holds_parts: ClassVar[bool] = False
    """Whether a file can hold several masks, one for each part of the image."""
    holds_slices: ClassVar[bool] = False
    """Whether the parts of a file are the slices of one volume: they stay in one split, and share their intensity."""
    streams_masks: ClassVar[bool] = False
    """Whether rows are written while they come, so that no mask is held in memory."""

    has_unnamed_files: ClassVar[bool] = False
    """Whether names of its files may lack a suffix: such files are recognised by their first bytes."""
    has_arrays: ClassVar[bool] = False
    """Whether a file may hold several arrays, each with a name, as `/image`: an address has that of one."""
    groups_files: ClassVar[bool] = False
    """Whether several files of a folder may be one image."""

    def recognises(self, start: bytes) -> bool:
        """Return whether a file that begins with these `START` bytes is of this format."""
        return start.startswith(self.magic)

    def explain_start(self, start: bytes) -> str:
        """Return why a file that is named as one of this format but begins with these bytes is not read; or nothing."""
        return ""

    def list_parts(self, file: FilePart) -> tuple[str, ...]:
        """Return the names of the images in a file, in their order; one empty name if it is one image.

        The part of `file` says nothing here.
        """
        return ("",)

    def list_slices(self, file: FilePart, axis: SliceAxis) -> tuple[str, ...]:
        """Return the names of a volume's slices across an axis; of other files what `list_parts` returns."""
        return self.list_parts(file)

    def has_part(self, file: FilePart) -> bool:
        """Return whether a file has an image of this name."""
        return file.part in self.list_parts(file)

    def list_files(self, file: FilePart) -> tuple[Path, ...]:
        """Return the files that hold an image: more than one for a series."""
        return (file.path,)

    def group_files(self, paths: Sequence[Path]) -> list["FileGroup"]:
        """Return the images among files of one folder, some of which may be made of several files."""
        return [FileGroup(path) for path in paths]

    def read_grid(self, file: FilePart) -> Grid | None:
        """Return where the voxels of a volume lie; None for other images."""
        return None

    @abstractmethod
    def read_header(self, file: FilePart) -> Header:
        """Return an image without its pixels: size, values, geometry. Raise SegappError for what cannot be read."""

    @abstractmethod
    def read_window(self, file: FilePart, header: Header, window: Window) -> np.ndarray:
        """Return (h, w, C) as stored; `window` is in stored coordinates, and the whole image if not `has_windows`."""

    def read_valid(self, file: FilePart, window: Window) -> np.ndarray:
        """Return (h, w): 0 where the file says that nothing was measured. Called for a header with `has_mask` only."""
        raise NotImplementedError(f"{self.name} has no masks of valid pixels")

    def require_replaceable(self, path: Path) -> None:
        """Raise MisuseError where a folder, which a mask would replace, is more than a mask."""
        return

    def write_image(self, path: Path, pixels: np.ndarray) -> None:
        """Write (H, W) or (H, W, 3) uint8; raise ValueError where the format cannot hold it."""
        raise ValueError(f"images are not written as {self.name}")

    def write_masks(self, path: Path, masks: Mapping[str, np.ndarray], layout: MaskLayout) -> None:
        """Write whole (H, W) uint8 masks, by their part, to one file."""
        raise ValueError(f"masks are not written as {self.name}")

    def open_mask(
        self, path: Path, layout: MaskLayout, filter_rows: RowFilter = iter
    ) -> AbstractContextManager[MaskSink]:
        """Return a context whose writer takes the rows of every part; the file is complete when it ends.

        Args:
            path: The file, which is written in place: `segapp.io.open_mask` writes atomically.
            layout: What the file will hold.
            filter_rows: Changes the rows of each part on their way.
        """
        return self._hold(path, layout, filter_rows)

    @contextmanager
    def _hold(self, path: Path, layout: MaskLayout, filter_rows: RowFilter) -> Iterator[MaskSink]:
        held = HeldMasks(layout)
        yield held
        self.write_masks(path, held.join(filter_rows), layout)


class HeldMasks:
    """Masks in memory, for formats that are written at once."""

    def __init__(self, layout: MaskLayout) -> None:
        self._sizes = layout.sizes
        self._rows: dict[str, list[np.ndarray]] = {part: [] for part in layout.sizes}

    def add(self, rows: np.ndarray, part: str = "") -> None:
        """Take the next (h, W) uint8 rows of a part."""
        self._rows[part].append(np.array(rows, np.uint8))

    def join(self, filter_rows: RowFilter) -> dict[str, np.ndarray]:
        """Return the mask of every part; raise SegappError where rows are missing."""
        return {part: self._join(part, filter_rows) for part in self._sizes}

    def _join(self, part: str, filter_rows: RowFilter) -> np.ndarray:
        height, width = self._sizes[part]
        mask = np.concatenate([np.empty((0, width), np.uint8), *filter_rows(iter(self._rows.pop(part)))])
        if mask.shape != (height, width):
            raise SegappError(f"{mask.shape[0]} of {height} rows were given{f' of {part}' if part else ''}.")
        return mask
