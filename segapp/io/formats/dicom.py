"""DICOM: a series of slices in a folder, files of several frames, single images, and segmentations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart, read_stamp
from segapp.io.formats import dicom_series
from segapp.io.formats.dicom_files import (
    CONTENT,
    GROUPS,
    NAME,
    begins_as_dicom,
    explain_no_word,
    read_elements,
    silence_warnings,
)
from segapp.io.formats.dicom_frames import Frame, read_frames, stack_frames
from segapp.io.formats.dicom_pixels import PixelKind, decode_frames, read_kind, require_decodable, require_few
from segapp.io.formats.dicom_segmentation import (
    Segmentation,
    decode_segmentation,
    is_segmentation,
    place_alone,
    place_on_image,
    read_segmentation,
)
from segapp.io.formats.dicom_writer import write_segmentation
from segapp.io.formats.format import START, FileGroup, MaskLayout
from segapp.io.formats.slices import Grid
from segapp.io.formats.volume import Volume, VolumeFormat, make_flat_grid
from segapp.io.header import Header


@dataclass(frozen=True, eq=False)
class Series:
    """What a volume is made of.

    Attributes:
        frames: Its slices, in their order.
        kind: What their pixels are.
    """

    frames: Sequence[Frame]
    kind: PixelKind

    @property
    def has_own_scales(self) -> bool:
        """Whether each slice has a slope and an intercept of its own."""
        return len({frame.scale for frame in self.frames}) > 1


class Dicom(VolumeFormat):
    """DICOM. The slices of a series are one volume, whose path is that of any of them."""

    name = NAME
    suffixes = (".dcm", ".dicom", ".ima")
    magic = (b"DICM",)
    has_unnamed_files = True
    groups_files = True
    masks_are_classes = True

    def recognises(self, start: bytes) -> bool:
        """Return whether a file that begins with these bytes is DICOM."""
        return begins_as_dicom(start)

    def explain_start(self, start: bytes) -> str:
        """Return why a file that is named as DICOM is not read."""
        return explain_no_word(start) if start.startswith(GROUPS) else ""

    def list_files(self, file: FilePart) -> tuple[Path, ...]:
        """Return the files of a series that are in the folder of one of them."""
        return dicom_series.find_series_files(file.path)

    def group_files(self, paths: Sequence[Path]) -> list[FileGroup]:
        """Return the images among DICOM files of one folder: one for each series."""
        return dicom_series.group_files(paths)

    def read_volume(self, path: Path) -> Volume:
        """Return a volume, or an image, without its voxels."""
        with silence_warnings():
            return self._read_series(path)

    def _read_series(self, path: Path) -> Volume:
        if is_segmentation(found := read_elements(path, CONTENT)):
            return _make_mask_volume(*place_alone(path, read_segmentation(path, found)))
        kinds: dict[PixelKind, Path] = {}
        frames: list[Frame] = []
        for file in self.list_files(FilePart(path)):
            found = read_elements(file, CONTENT)
            kind, own = read_kind(file, found), read_frames(file, found)
            require_decodable(file, found, kind, len(own))
            kinds.setdefault(kind, file)
            frames += own
        if len(kinds) > 1:
            first, second = list(kinds.values())[:2]
            raise SegappError(
                f"{path}: {NAME} series of several sizes or kinds of pixels, as in {first.name} and {second.name}; "
                "divide it."
            )
        kind = next(iter(kinds))
        require_few(path, kind, len(frames))
        frames, grid = stack_frames(path, frames, kind.size)
        return _make_volume(Series(tuple(frames), kind), grid)

    def decode(self, path: Path, volume: Volume) -> np.ndarray:
        """Return all voxels (X, Y, Z, C); scaled where each slice has a scale of its own."""
        if isinstance(volume.source, Segmentation):
            return decode_segmentation(path, volume.source, volume.grid.sizes)
        series: Series = volume.source
        voxels = np.empty(volume.shape[2::-1] + volume.shape[3:], volume.dtype)
        for file in dict.fromkeys(frame.path for frame in series.frames):
            places = [(place, frame) for place, frame in enumerate(series.frames) if frame.path == file]
            pixels = decode_frames(file, series.kind, len(places))
            for place, frame in places:
                slope, intercept = frame.scale if series.has_own_scales else (1.0, 0.0)
                values = pixels[frame.index]
                voxels[place] = values if (slope, intercept) == (1.0, 0.0) else values * slope + intercept
        return voxels.transpose(2, 1, 0, 3)

    def read_header(self, file: FilePart) -> Header:
        """Return a slice without its pixels; of a segmentation with the names of its segments."""
        header, source = super().read_header(file), self._read(file).source
        return replace(header, names=source.names) if isinstance(source, Segmentation) else header

    def write_masks(self, path: Path, masks: Mapping[str, np.ndarray], layout: MaskLayout) -> None:
        """Write the masks of all slices as a segmentation that refers to the files of the image."""
        voxels, volume = self.join_slices(masks, layout)
        if not isinstance(volume.source, Series):
            raise ValueError("the image is a segmentation; use .png or .nii.gz")
        write_segmentation(path, voxels, volume.source.frames, layout)

    def write_volume(self, path: Path, mask: np.ndarray, volume: Volume) -> None:
        """Raise ValueError: a segmentation needs the names of classes."""
        raise ValueError(f"{NAME} segmentations are written by `write_masks`")

    def _read(self, file: FilePart) -> Volume:
        if file.reference is None or not _is_dicom(file.reference) or not dicom_series.belongs_to_image(file.path):
            return super()._read(file)
        stamp = read_stamp([file.path, *self.list_files(FilePart(file.reference))])
        return _place(self, file.path, file.reference, stamp)


def _is_dicom(path: Path) -> bool:
    read_stamp([path])  # raises SegappError for what is no file
    with path.open("rb") as file:
        return begins_as_dicom(file.read(START))


@lru_cache(maxsize=1024)
def _place(found: Dicom, path: Path, image: Path, stamp: tuple[int, int]) -> Volume:
    """Return the volume of a segmentation on the grid of a series."""
    series = found.read_volume(image)
    if not isinstance(series.source, Series):
        return found.read_volume(path)
    with silence_warnings():
        own = read_segmentation(path, read_elements(path, CONTENT))
    placed = place_on_image(path, own, image, series.source.frames, series.grid)
    return replace(_make_mask_volume(placed, series.grid), is_flat=series.is_flat)


def _make_mask_volume(found: Segmentation, grid: Grid) -> Volume:
    return Volume(
        format=NAME,
        grid=grid,
        is_flat=grid.sizes[2] == 1,
        channels=1,
        dtype=found.dtype,
        is_measured=found.frames[0].frame.spacing is not None,
        source=found,
    )


def _make_volume(series: Series, grid: Grid) -> Volume:
    kind, frames = series.kind, series.frames
    is_flat = len(frames) == 1
    y, x = frames[0].spacing or (1.0, 1.0)
    scale = frames[0].scale if kind.channels == 1 and not kind.has_table and not series.has_own_scales else (1.0, 0.0)
    return Volume(
        format=NAME,
        grid=make_flat_grid((kind.size[1], kind.size[0]), (x, y)) if is_flat else grid,
        is_flat=is_flat,
        channels=kind.channels,
        dtype=np.dtype(np.float32) if series.has_own_scales else kind.dtype,
        scale=None if scale == (1.0, 0.0) else scale,
        is_measured=frames[0].spacing is not None,
        source=series,
    )
