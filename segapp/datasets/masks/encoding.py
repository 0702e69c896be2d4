"""A mask made of files: what is common to all ways of writing masks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.errors import MisuseError
from segapp.init_args import Recorded
from segapp.io import MaskPixels, has_windows, read_header, read_mask_window, read_shape

WHOLE = 2**22
"""Pixels (2048 x 2048) up to which a mask is checked as a whole when first seen, also in formats with windows."""


@dataclass(frozen=True)
class MaskFile:
    """One of the files that make up a mask."""

    path: Path
    class_name: str | None
    """What stood for `{class}` in the masks' pattern, if it has one."""


@dataclass(frozen=True)
class Labels:
    """What an encoding knows about the classes."""

    classes: tuple[str, ...]
    background: int

    def index(self, name: str, setting: str) -> int:
        """Return the index of a class name; raise MisuseError that names the setting."""
        if name not in self.classes:
            raise MisuseError(f"{setting}: {name!r} is not one of the classes {', '.join(self.classes)}.")
        return self.classes.index(name)


class Encoding(Recorded, ABC):
    """Turns windows of one mask's files into class indices."""

    several = False
    """Whether one mask may be made of several files."""
    local = True
    """Whether a window can be decoded without the rest of the mask."""
    tolerant = False
    """Whether values that JPEG and other lossy codecs changed are decided; other encodings refuse such files."""

    @abstractmethod
    def decode(self, files: Sequence[MaskFile], pixels: Sequence[MaskPixels], labels: Labels) -> np.ndarray:
        """Return (H, W) uint8 class indices or 255 from each file's pixels; raises MisuseError."""

    def is_doubtful(self, indices: np.ndarray, labels: Labels) -> bool:
        """Return whether only the whole mask can tell if these indices of a window are right."""
        return False

    def check_meaning(self, files: Sequence[MaskFile], indices: np.ndarray, labels: Labels) -> None:
        """Raise MisuseError if the indices of a whole mask do not have one meaning."""


class EncodedMask:
    """A mask made of one or several files of one size."""

    def __init__(self, files: Sequence[MaskFile], encoding: Encoding, labels: Labels) -> None:
        self.files, self.encoding, self.labels = tuple(files), encoding, labels
        self._settled = False

    def __repr__(self) -> str:
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"{self.files[0].path}{more}"

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Height, width, from the first file's header."""
        return read_shape(self.files[0].path)

    @property
    def orientation(self) -> int:
        """EXIF's 1 … 8 of the first file."""
        return read_header(self.files[0].path).orientation

    def read(self) -> np.ndarray:
        """Return (H, W) uint8."""
        indices = self._decode(0, 0, *self.shape)
        self.encoding.check_meaning(self.files, indices, self.labels)
        self._settled = True
        return indices

    def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w) uint8, inside the mask only."""
        if not self.encoding.local:
            return self.read()[y : y + h, x : x + w]
        if not self._settled and self._decoded_whole():
            self.read()  # a wrong value is found when the mask is first seen, wherever the first crops lie
        indices = self._decode(y, x, h, w)
        if not self._settled and self.encoding.is_doubtful(indices, self.labels):
            self.read()
        return indices

    def _decoded_whole(self) -> bool:
        """Return whether reading a window decodes the complete mask anyway, or the complete mask is small."""
        height, width = self.shape
        return height * width <= WHOLE or not has_windows(self.files[0].path)

    def _decode(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        for file in self.files[1:]:
            if read_shape(file.path) != self.shape:
                raise MisuseError(
                    f"{file.path}: {_format_size(read_shape(file.path))} pixels, but {self.files[0].path} of the "
                    f"same image has {_format_size(self.shape)}; the masks of one image must have its size."
                )
        pixels = [read_mask_window(file.path, y, x, h, w) for file in self.files]
        for file, window in zip(self.files, pixels, strict=True):
            if window.lossy is not None and not self.encoding.tolerant:
                raise _changed(file.path, window.lossy)
        return self.encoding.decode(self.files, pixels, self.labels)


def _format_size(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _changed(path: Path, codec: str) -> MisuseError:
    return MisuseError(
        f"{path}: {codec} changes values, so a class mask in it is not what was saved. Save masks as PNG from the "
        "original annotation. Where there is none: mask segapp.datasets.Threshold for one kind of object (Instances "
        "and PerClass have a `threshold`), Colours with `nearest: true` for colours."
    )


def take_one_band(path: Path, pixels: MaskPixels) -> np.ndarray:
    """Return (H, W): the only band, or the first of equal ones."""
    require_painted(path, pixels)
    stored = pixels.values
    if stored.shape[2] == 1 or (stored == stored[..., :1]).all():
        return stored[..., 0]
    colours = np.unique(stored.reshape(-1, stored.shape[2]), axis=0)
    raise MisuseError(
        f"{path}: a colour mask of {len(colours):,} colours ({_shown(colours)}), "
        "not class indices; say which colour is which class with mask segapp.datasets.Colours."
    )


def require_painted(path: Path, pixels: MaskPixels) -> None:
    """Raise MisuseError if pixels are transparent: what stands under them is not what one sees."""
    if pixels.transparency is None:
        return
    count = int((pixels.transparency > 0).sum())
    painted = pixels.values[pixels.transparency == 0]
    colours = np.unique(painted if pixels.palette is None else pixels.palette[painted[:, 0]], axis=0)
    raise MisuseError(
        f"{path}: {count:,} pixels are transparent, the others have the colours {_shown(colours) or '(none)'}. Use "
        "mask segapp.datasets.Colours, with these colours and the class of what is transparent, such as "
        "`transparent: background`, or save the mask without transparency."
    )


def _shown(colours: np.ndarray) -> str:
    shown = ", ".join(str(tuple(int(v) for v in colour)) for colour in colours[:6])
    return shown + (" …" if len(colours) > 6 else "")


def ignore_missing(mask: np.ndarray, pixels: Sequence[MaskPixels]) -> np.ndarray:
    """Return the mask with 255 where one of its files says that nothing was measured."""
    for window in pixels:
        if window.missing is not None:
            mask[window.missing] = IGNORE_INDEX
    return mask


def listed(stored: np.ndarray) -> str:
    """List the first values that a mask holds."""
    values = np.unique(stored)
    shown = ", ".join(f"{v:g}" if values.dtype.kind == "f" else str(v) for v in values[:8])
    return f"{shown} … {values[-1]} ({len(values)} values)" if len(values) > 8 else shown
