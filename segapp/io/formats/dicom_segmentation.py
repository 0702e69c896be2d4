"""Segmentations of DICOM: their segments become the values of voxels, on the grid of the series they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.dicom_files import NAME, find_first
from segapp.io.formats.dicom_frames import EQUAL, EVEN, Frame, find_normal, read_frames
from segapp.io.formats.dicom_pixels import PixelKind, decode_frames, read_kind, require_decodable, require_few
from segapp.io.formats.slices import Grid
from segapp.io.formats.volume import check_affine, make_flat_grid

CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes of segmentations, and of label maps."""

MOST_SLICES = 2**14


@dataclass(frozen=True)
class SegmentFrame:
    """One frame of a segmentation.

    Attributes:
        frame: Where it lies.
        segment: The number of its segment; None where its values are the numbers of segments.
        source: Instance and frame, from 1, of the image that it was made on, where the file says so.
    """

    frame: Frame
    segment: int | None
    source: tuple[str, int] | None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmentation without its pixels.

    Attributes:
        frames: In the order of the file.
        kind: What their pixels are.
        names: The segments by their numbers.
        places: The slice that each frame is of, in the grid that it was placed in.
    """

    frames: Sequence[SegmentFrame]
    kind: PixelKind
    names: dict[int, str]
    places: tuple[int, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that holds the numbers of all segments."""
        return np.dtype(np.uint8 if max(self.names, default=0) < 256 else np.uint16)


def is_segmentation(found: Any) -> bool:
    """Return whether a file is a segmentation."""
    return found.get("SOPClassUID") in CLASSES


def read_segmentation(path: Path, found: Any) -> Segmentation:
    """Return a segmentation without its pixels; raise SegappError for one whose voxels are not of one segment."""
    kind = replace(read_kind(path, found), colours="MONOCHROME2", palette_bits=0)
    frames = read_frames(path, found)
    require_decodable(path, found, kind, len(frames))
    if (stored := found.get("SegmentationType")) not in ("BINARY", "LABELMAP"):
        raise SegappError(f"{path}: {NAME} segmentation of the type {stored}; save it as BINARY or LABELMAP.")
    names = {
        int(each.SegmentNumber): str(each.get("SegmentLabel") or "") for each in found.get("SegmentSequence") or ()
    }
    if not names or not 0 <= min(names) <= max(names) < 2**16:
        raise SegappError(f"{path}: {NAME} segmentation that does not name its segments; save it again.")
    return Segmentation(tuple(_read_segment_frames(path, found, frames, stored == "BINARY", names)), kind, names)


def _read_segment_frames(
    path: Path, found: Any, frames: Sequence[Frame], binary: bool, names: dict[int, str]
) -> list[SegmentFrame]:
    per_frame = list(found.get("PerFrameFunctionalGroupsSequence") or ())
    shared = list(found.get("SharedFunctionalGroupsSequence") or ())[:1]
    made = []
    for frame in frames:
        groups = [*per_frame[frame.index : frame.index + 1], *shared]
        number = find_first(groups, "SegmentIdentificationSequence", "ReferencedSegmentNumber") if binary else None
        if binary and (number is None or int(number) not in names):
            raise SegappError(f"{path}: {NAME} segmentation whose frame {frame.index + 1} is of no segment.")
        sources = find_first(groups, "DerivationImageSequence", "SourceImageSequence")
        source = None
        if sources and sources[0].get("ReferencedSOPInstanceUID"):
            number_there = sources[0].get("ReferencedFrameNumber") or 1
            first = number_there if isinstance(number_there, int | str) else number_there[0]
            source = str(sources[0].ReferencedSOPInstanceUID), int(first)
        made.append(SegmentFrame(frame, None if number is None else int(number), source))
    return made


def place_on_image(path: Path, found: Segmentation, image: Path, frames: Sequence[Frame], grid: Grid) -> Segmentation:
    """Return a segmentation whose frames are matched with the slices of an image, by position, else by reference.

    Args:
        path: The segmentation, for messages.
        found: Its frames.
        image: The image, for messages.
        frames: The slices of the image, in the order of its grid.
        grid: Of the image.

    Raises:
        SegappError: It is not on the grid of the image.
    """
    if found.kind.size != (rows_columns := (grid.sizes[1], grid.sizes[0])):
        raise SegappError(
            f"{image} and its mask {path} have slices of {rows_columns[0]} x {rows_columns[1]} and "
            f"{found.kind.size[0]} x {found.kind.size[1]} pixels; save the mask on the grid of its image."
        )
    known = {(frame.instance, frame.index + 1): place for place, frame in enumerate(frames)}
    has_positions = all(frame.position is not None and frame.axes is not None for frame in frames)
    positions = np.array([frame.position for frame in frames]) if has_positions else None
    places = []
    for each in found.frames:
        place = None
        if positions is not None and each.frame.position is not None and each.frame.axes is not None:
            place = _find_place(each.frame, frames[0], positions)
        elif each.source is not None:
            place = known.get(each.source)
        if place is None:
            raise SegappError(
                f"{path}: frame {each.frame.index + 1} of the {NAME} segmentation lies on no slice of {image}; save "
                "the mask on the grid of its image."
            )
        places.append(place)
    return replace(found, places=tuple(places))


def _find_place(frame: Frame, like: Frame, positions: np.ndarray) -> int | None:
    """Return the slice that has the frame's position, to half a voxel, and its directions."""
    assert frame.axes is not None and like.axes is not None
    if np.abs(frame.axes - like.axes).max() > EQUAL * 10:
        return None
    distances = np.linalg.norm(positions - frame.position, axis=1)
    nearest = int(distances.argmin())
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    spacing = [*(like.spacing or (1.0, 1.0)), *steps]
    return nearest if distances[nearest] <= min(spacing) / 2 else None


def place_alone(path: Path, found: Segmentation) -> tuple[Segmentation, Grid]:
    """Return a segmentation on the grid from its first to its last slice; slices without a segment are empty.

    Raises:
        SegappError: Its frames are not slices of one grid.
    """
    frames = [each.frame for each in found.frames]
    rows, columns = found.kind.size
    y, x = frames[0].spacing or (1.0, 1.0)
    if any(frame.position is None or frame.axes is None for frame in frames):
        sources = sorted({each.source for each in found.frames if each.source is not None})
        places = [sources.index(each.source) if each.source else 0 for each in found.frames]
        return _finish(found, places, make_flat_grid((columns, rows), (x, y)).affine, (columns, rows))
    axes = frames[0].axes
    assert axes is not None
    if any(np.abs(frame.axes - axes).max() > EQUAL * 10 for frame in frames):
        raise SegappError(f"{path}: {NAME} segmentation of several orientations; divide it.")
    normal = find_normal(path, axes)
    heights = np.array([float(frame.position @ normal) for frame in frames if frame.position is not None])
    step = _choose_step(path, heights, frames[0].thickness)
    first = frames[int(heights.argmin())].position
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = axes[:3] * x, axes[3:] * y, normal * step, first
    places = np.rint((heights - heights.min()) / step).astype(int).tolist()
    return _finish(found, places, check_affine(path, NAME, affine), (columns, rows))


def _finish(
    found: Segmentation, places: Sequence[int], affine: np.ndarray, size: tuple[int, int]
) -> tuple[Segmentation, Grid]:
    return replace(found, places=tuple(places)), Grid(affine, (*size, max(places) + 1))


def _choose_step(path: Path, heights: np.ndarray, thickness: float | None) -> float:
    """Return the distance between slices of which all gaps are multiples."""
    gaps = np.diff(np.unique(np.round(heights, 4)))
    gaps = gaps[gaps > 1e-3]
    for step in (thickness, float(gaps.min()) if len(gaps) else None):
        if step is not None and (np.abs(gaps / step - np.rint(gaps / step)) < EVEN).all() and (gaps > step / 2).all():
            if gaps.sum() / step > MOST_SLICES:
                break
            return step
    if not len(gaps):
        return 1.0
    raise SegappError(f"{path}: {NAME} segmentation whose slices are not evenly spaced; save the mask as .nii.gz.")


def decode_segmentation(path: Path, found: Segmentation, sizes: tuple[int, int, int]) -> np.ndarray:
    """Return (X, Y, Z, 1) numbers of segments, 0 for none; raise SegappError where segments overlap."""
    require_few(path, found.kind, sizes[2])
    pixels = decode_frames(path, found.kind, len(found.frames))[..., 0]
    voxels = np.zeros(sizes[::-1], found.dtype)
    for each, place, values in zip(found.frames, found.places, pixels, strict=True):
        numbers = values if each.segment is None else np.where(values, each.segment, 0)
        both = (voxels[place] > 0) & (numbers > 0) & (voxels[place] != numbers)
        if both.any():
            pair = sorted({int(voxels[place][both][0]), int(numbers[both][0])})
            words = " and ".join(f"{number} {found.names.get(number, '')!r}" for number in pair)
            raise SegappError(
                f"{path}: the segments {words} overlap in {int(both.sum()):,} pixels of a slice, and a pixel has one "
                "class; save them in files of their own, or without the overlap."
            )
        np.maximum(voxels[place], numbers, out=voxels[place], casting="unsafe")
    return voxels.transpose(2, 1, 0)[..., None]
