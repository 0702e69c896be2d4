"""The frames of DICOM files: where each lies in the patient, and how they are stacked to a volume."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.dicom_files import NAME, find_first
from segapp.io.formats.slices import Grid
from segapp.io.formats.volume import check_affine

EQUAL = 1e-3
"""Cosines below which two directions are one, and the fraction of a pixel below which two spacings are."""

EVEN = 0.05
"""The fraction of the distance between two slices by which another may differ."""

MOST_FRAMES = 2**16


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice.

    Attributes:
        path: Its file.
        index: Its place in the file.
        instance: The SOP instance of its file.
        position: Of the centre of its first pixel, LPS in mm; None where the file does not say.
        axes: (6,) the directions of its rows and of its columns.
        spacing: Between rows and between columns, in mm.
        thickness: Of the slice, or the distance to the next, where the file says so.
        scale: Factor and summand of stored values.
        space: The UID of the frame of reference that its position is in; empty where the file has none.
    """

    path: Path
    index: int
    instance: str
    position: np.ndarray | None
    axes: np.ndarray | None
    spacing: tuple[float, float] | None
    thickness: float | None
    scale: tuple[float, float] = (1.0, 0.0)
    space: str = ""


def read_frames(path: Path, found: Any) -> list[Frame]:
    """Return the frames of a file in its order; raise SegappError for a number of them that no file has."""
    count = int(found.get("NumberOfFrames") or 1)
    groups = list(found.get("PerFrameFunctionalGroupsSequence") or ())
    shared = list(found.get("SharedFunctionalGroupsSequence") or ())[:1]
    if not 1 <= count <= MOST_FRAMES or (groups and len(groups) != count):
        raise SegappError(f"{path}: {NAME} of {count} frames that describes {len(groups)}; save it again.")
    return [_read_frame(path, found, index, [*groups[index : index + 1], *shared, found]) for index in range(count)]


def _read_frame(path: Path, found: Any, index: int, groups: Sequence[Any]) -> Frame:
    position = _find(groups, "PlanePositionSequence", "ImagePositionPatient")
    axes = _find(groups, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = _find(groups, "PixelMeasuresSequence", "PixelSpacing")
    spacing = spacing if spacing is not None else found.get("ImagerPixelSpacing")
    thickness = _find(groups, "PixelMeasuresSequence", "SpacingBetweenSlices")
    thickness = thickness if thickness is not None else _find(groups, "PixelMeasuresSequence", "SliceThickness")
    slope = _find(groups, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _find(groups, "PixelValueTransformationSequence", "RescaleIntercept")
    numbers = _to_numbers(path, spacing, 2, "PixelSpacing")
    return Frame(
        path,
        index,
        str(found.get("SOPInstanceUID") or ""),
        _to_numbers(path, position, 3, "ImagePositionPatient"),
        _to_numbers(path, axes, 6, "ImageOrientationPatient"),
        None if numbers is None or min(numbers) <= 0 else (float(numbers[0]), float(numbers[1])),
        None if not thickness or float(thickness) <= 0 else float(thickness),
        (1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)),
        str(found.get("FrameOfReferenceUID") or ""),
    )


def _find(groups: Sequence[Any], sequence: str, word: str) -> Any:
    found = find_first(groups[:-1], sequence, word)
    return found if found is not None else groups[-1].get(word)


def _to_numbers(path: Path, values: Any, count: int, name: str) -> np.ndarray | None:
    if values is None or values == "":
        return None
    try:
        numbers = np.array([float(each) for each in values])
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise SegappError(f"{path}: {NAME} whose {name} is not {count} numbers; correct it.")
    return numbers


def stack_frames(path: Path, frames: Sequence[Frame], size: tuple[int, int]) -> tuple[list[Frame], Grid]:
    """Return the frames in the order of their positions along the normal, and the grid of their voxels.

    Frames without positions stay in the order of the file.

    Args:
        path: The file that stands for all of them, for messages.
        frames: At least one.
        size: Rows and columns.

    Raises:
        SegappError: They are not the slices of one volume.
    """
    rows, columns = size
    if any(frame.position is None or frame.axes is None for frame in frames):
        return list(frames), _make_stack_grid(frames, size)
    _require_alike(path, frames)
    axes, spacing = _get_axes(frames[0]), frames[0].spacing or (1.0, 1.0)
    normal = find_normal(path, axes)
    ordered = sorted(frames, key=lambda frame: float(_get_position(frame) @ normal))
    step = _find_step(path, ordered, normal)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = axes[:3] * spacing[1], axes[3:] * spacing[0]
    affine[:3, 2], affine[:3, 3] = step, _get_position(ordered[0])
    return ordered, Grid(check_affine(path, NAME, affine), (columns, rows, len(ordered)))


def _make_stack_grid(frames: Sequence[Frame], size: tuple[int, int]) -> Grid:
    rows, columns = size
    y, x = frames[0].spacing or (1.0, 1.0)
    # At least the spacing of pixels, so that `axis: auto` finds the frames themselves.
    return Grid(np.diag([x, y, max(x, y, frames[0].thickness or 0), 1.0]), (columns, rows, len(frames)))


def _require_alike(path: Path, frames: Sequence[Frame]) -> None:
    first = frames[0]
    for frame in frames[1:]:
        if np.abs(_get_axes(frame) - _get_axes(first)).max() > EQUAL:
            raise SegappError(
                f"{path}: {NAME} series whose slices have several orientations, as {_describe(frame)} has another "
                "than the first; give each orientation a folder and a series, or leave it out with `exclude`."
            )
        if frame.spacing is None or first.spacing is None:
            continue
        if max(abs(a - b) for a, b in zip(frame.spacing, first.spacing, strict=True)) > EQUAL * max(first.spacing):
            raise SegappError(f"{path}: {NAME} series of several pixel spacings, as in {_describe(frame)}; divide it.")


def find_normal(path: Path, axes: np.ndarray) -> np.ndarray:
    """Return the direction across slices; raise SegappError for directions that are none."""
    normal = np.cross(axes[:3], axes[3:])
    length = np.linalg.norm(normal)
    if length < 0.5:
        raise SegappError(f"{path}: {NAME} whose ImageOrientationPatient is not two directions; correct it.")
    return normal / length


def _find_step(path: Path, ordered: Sequence[Frame], normal: np.ndarray) -> np.ndarray:
    """Return the vector from a slice to the next; raise SegappError where a slice is missing or there twice."""
    if len(ordered) == 1:
        return normal * (ordered[0].thickness or max(ordered[0].spacing or (1.0,)))
    places = np.array([float(_get_position(frame) @ normal) for frame in ordered])
    gaps = np.diff(places)
    usual = float(np.sort(gaps)[(len(gaps) - 1) // 2])
    for (before, after), gap in zip(pairwise(ordered), gaps, strict=True):
        if gap < max(EVEN * usual, 1e-4):
            raise SegappError(
                f"{path}: {NAME} of two slices at one position, {_describe(before)} and {_describe(after)}; divide "
                "the series into volumes, as its times or echoes."
            )
        if abs(gap - usual) > EVEN * usual:
            raise SegappError(
                f"{path}: {NAME} whose slices are {usual:.4g} mm apart but {gap:.4g} mm between {_describe(before)} "
                f"and {_describe(after)}; add the missing slices, or save the volume as .nii.gz."
            )
    step = (_get_position(ordered[-1]) - _get_position(ordered[0])) / (len(ordered) - 1)
    for index, frame in enumerate(ordered):
        if np.linalg.norm(_get_position(ordered[0]) + index * step - _get_position(frame)) > 2 * EVEN * usual + 0.01:
            raise SegappError(f"{path}: {NAME} whose slices do not lie on one line, as {_describe(frame)}; divide it.")
    return step


def _describe(frame: Frame) -> str:
    return f"frame {frame.index + 1}" if frame.index else frame.path.name


def _get_position(frame: Frame) -> np.ndarray:
    assert frame.position is not None
    return frame.position


def _get_axes(frame: Frame) -> np.ndarray:
    assert frame.axes is not None
    return frame.axes
