"""Slices of volumes: with their neighbours as channels, and masks that lie on them."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from segapp.errors import MisuseError, SegappError
from segapp.io.file_part import FilePart, as_file_part
from segapp.io.formats.slices import describe_difference
from segapp.io.formats.volume import parse_part
from segapp.io.image import STORED, Image
from segapp.io.joined_channels import check_other_channel
from segapp.io.raw import count_times, list_parts, list_slices, read_grid, read_header
from segapp.spec import Intensity, Resolution


class SliceWithNeighbours(Image):
    """A slice whose channels are those of the slices before it, its own, and those of the slices after it.

    At the ends of the volume, and of each of its times, the last slice is repeated; an image that is no slice is its
    own neighbour.

    Args:
        file: The slice.
        channels: Of all slices together; None for those that the file has.
        intensity: How stored values become the network's range.
        neighbours: Slices on each side.
    """

    def __init__(
        self, file: Path | FilePart, channels: int | None = None, intensity: Intensity = STORED, neighbours: int = 0
    ) -> None:
        self.neighbours, slices = neighbours, 2 * neighbours + 1
        if channels is not None and channels % slices:
            raise MisuseError(f"channels: {slices} slices have a multiple of {slices} channels, not {channels}.")
        super().__init__(file, None if channels is None else channels // slices, intensity)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, and the channels of all slices."""
        height, width, channels = super().shape
        return height, width, channels * (2 * self.neighbours + 1)

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Read (h, w, C) of `dtype`, the slices in their order."""
        return np.concatenate([image.read_window(y, x, h, w) for image in self._slices], axis=2)

    @cached_property
    def _slices(self) -> list[Image]:
        parts = self._list_parts()
        place = parts.index(self.file)
        wanted = range(place - self.neighbours, place + self.neighbours + 1)
        chosen = [parts[min(max(index, 0), len(parts) - 1)] for index in wanted]
        return [Image(part, self.channels, self.intensity) for part in chosen]

    def _list_parts(self) -> tuple[FilePart, ...]:
        """Return the slices of the volume at the time of this one."""
        if not self.file.part:
            return (self.file,)
        axis, index = parse_part(self.file.part)
        parts = list_slices(self.file, axis)
        count = len(parts) // count_times(self.file)
        first = index - index % count
        return parts[first : first + count]


def open_image(
    file: Path | FilePart,
    channels: int | None = None,
    intensity: Intensity = STORED,
    neighbours: int = 0,
    resolution: Resolution | None = None,
) -> Image:
    """Return an image, or a slice with its neighbours as channels; `channels` counts them all."""
    file = replace(as_file_part(file), resolution=resolution)
    return (
        SliceWithNeighbours(file, channels, intensity, neighbours) if neighbours else Image(file, channels, intensity)
    )


def explain_unlike_volumes(image: Path | FilePart, mask: Path | FilePart) -> str | None:
    """Return why the slices of a mask's file are not those of an image's, or None."""
    try:
        image, mask = (replace(as_file_part(file), part="") for file in (image, mask))
        own, other = read_grid(image), read_grid(replace(mask, reference=image.path))
    except SegappError as error:
        return str(error)
    if other is None:
        return f"{mask} is one image, and {image} a volume; save the masks of its slices as one volume (.nii.gz)."
    if own is None or (difference := describe_difference(own, other)) is None:
        return None
    return f"{image} and its mask {mask} have {difference}; save the mask on the grid of its image."


def explain_unlike_channels(file: FilePart) -> str | None:
    """Return why the files of an image's channels are not of one grid, or None; also None where one is damaged."""
    first, *others = file.every_file
    try:
        headers = [read_header(list_parts(one.path)[0]) for one in file.every_file]
    except SegappError:
        return None  # reported by what reads the image
    try:
        for other, header in zip(others, headers[1:], strict=True):
            check_other_channel(first, headers[0], other, header)
    except SegappError as error:
        return str(error)
    return None
