"""Chooses the level of a pyramid in a TIFF, and what of it makes a pixel at the resolution that is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segapp.errors import SegappError
from segapp.io.formats.tiff_pages import MAX_SUBIFDS, find_shape
from segapp.spec import Resolution

TOLERANCE = 1.05
"""Ratio of µm per pixel up to which a level is read unchanged: scanners of one objective differ by a few per cent."""

MAX_STEP = 64.0
"""Pixels of a level, down and across, that are averaged to one at most: 4096 are read for each."""

UNLIKE = 1.05
"""Ratio of the factors down and across from which a level is no smaller copy; rounding to whole pixels is allowed."""


@dataclass(frozen=True)
class Level:
    """One resolution of a pyramid, as it is stored."""

    series: Any
    """Tifffile's series of the level."""
    size: tuple[int, int]
    """Height and width."""
    downsample: tuple[float, float]
    """Pixels of level 0, down and across, for each of its pixels."""


@dataclass(frozen=True)
class Choice:
    """The level that is read, and how its pixels become those that are delivered."""

    level: Level
    step: tuple[float, float] = (1.0, 1.0)
    """Pixels of the level, down and across, of which one is made by averaging."""

    @property
    def is_averaged(self) -> bool:
        """Whether pixels are averaged, and not read as they are stored."""
        return self.step != (1.0, 1.0)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that are delivered: complete pixels only."""
        (height, width), (down, across) = self.level.size, self.step
        return (int(height / down), int(width / across)) if self.is_averaged else (height, width)

    @property
    def downsample(self) -> tuple[float, float]:
        """Pixels of level 0, down and across, for each delivered pixel."""
        (down, across), (rows, columns) = self.level.downsample, self.step
        return down * rows, across * columns


def choose_level(
    path: Path, series: Any, resolution: Resolution | None, pixel_size: tuple[float, float] | None
) -> Choice:
    """Return what is read of a TIFF's image at a resolution; raise SegappError where it does not have that.

    Args:
        path: The file.
        series: Tifffile's series of its finest level, which knows the others.
        resolution: As asked for; None for the finest level.
        pixel_size: Height and width of a pixel of the finest level in µm, if the file has them.
    """
    if resolution is None:
        return Choice(Level(series, find_shape(path, series)[:2], (1.0, 1.0)))
    levels = _list_levels(path, series)
    if resolution.level is not None:
        if resolution.level >= len(levels):
            raise SegappError(
                f"{path}: has {_count_levels(levels)}, and resolution.level is {resolution.level}; set one that all "
                "slides have, or resolution.um_per_pixel."
            )
        return Choice(_require_smaller_copy(path, levels, resolution.level))
    assert resolution.um_per_pixel is not None
    if pixel_size is None:
        raise SegappError(
            f"{path}: does not say how many µm a pixel has, so it cannot be read at {resolution}; save it with "
            "the size of its pixels, leave it out, or set resolution.level if no slide has one."
        )
    return _choose_by_size(path, levels, resolution.um_per_pixel, pixel_size)


def _choose_by_size(path: Path, levels: Sequence[Level], wanted: float, pixel_size: tuple[float, float]) -> Choice:
    """Return the level of so many µm per pixel, else the coarsest that is finer, with the pixels to average."""
    sizes = [tuple(um * factor for um, factor in zip(pixel_size, each.downsample, strict=True)) for each in levels]
    ratios = [wanted / (sum(size) / 2) for size in sizes]
    nearest = min(range(len(levels)), key=lambda number: max(ratios[number], 1 / ratios[number]))
    if 1 / TOLERANCE <= ratios[nearest] <= TOLERANCE:
        return Choice(_require_smaller_copy(path, levels, nearest))
    finer = [number for number in range(len(levels)) if ratios[number] > 1]
    if not finer:
        raise SegappError(
            f"{path}: its finest level has {sum(sizes[0]) / 2:.4g} µm per pixel, and resolution.um_per_pixel is "
            f"{wanted:g}; set one that all slides have, or leave this one out."
        )
    number = min(finer, key=lambda each: ratios[each])
    down, across = (wanted / um for um in sizes[number])
    choice = Choice(_require_smaller_copy(path, levels, number), (down, across))
    if max(choice.step) > MAX_STEP or min(choice.size) < 1:
        raise SegappError(
            f"{path}: {wanted:g} µm per pixel are {max(down, across):,.4g} pixels of its nearest level, {number}, and "
            f"at most {MAX_STEP:g} are averaged; is the size of its pixels right ({sum(sizes[0]) / 2:.4g} µm)?"
        )
    return choice


def _list_levels(path: Path, series: Any) -> list[Level]:
    found = series.levels[: MAX_SUBIFDS + 1]
    size = find_shape(path, series)[:2]
    shapes = [find_shape(path, each)[:2] for each in found]
    return [Level(each, shape, _find_downsample(size, shape)) for each, shape in zip(found, shapes, strict=True)]


def _find_downsample(size: tuple[int, int], smaller: tuple[int, int]) -> tuple[float, float]:
    """Return the factors, down and across, between the sizes of a level and its smaller copy.

    Sizes are rounded to whole pixels, factors are whole numbers: of 300 pixels 37 are an eighth, not a 8.1st.
    """
    ratios = size[0] / smaller[0], size[1] / smaller[1]
    mean = sum(ratios) / 2
    for factor in (2 ** (round(mean).bit_length() - 1), 2 ** round(mean).bit_length(), round(mean)):
        if all(each // factor <= less <= -(-each // factor) for each, less in zip(size, smaller, strict=True)):
            return float(factor), float(factor)
    return ratios


def _require_smaller_copy(path: Path, levels: Sequence[Level], number: int) -> Level:
    """Return a level; raise SegappError for one that is not the image of the finest in fewer pixels."""
    base, level = levels[0], levels[number]
    down, across = level.downsample
    unlike = max(down / across, across / down) > UNLIKE and _is_off(base.size, level.size)
    if unlike or min(down, across) < 1 or _describe_kind(path, base) != _describe_kind(path, level):
        sizes = [" x ".join(map(str, each.size)) for each in (level, base)]
        raise SegappError(
            f"{path}: its level {number} of {sizes[0]} pixels ({_describe_kind(path, level)}) is no smaller copy of "
            f"level 0 of {sizes[1]} ({_describe_kind(path, base)}); set another resolution, or save it again."
        )
    return level


def _is_off(size: tuple[int, int], smaller: tuple[int, int]) -> bool:
    """Return whether no factor gives a smaller size within a pixel in both directions."""
    low = max(each / (less + 1) for each, less in zip(size, smaller, strict=True))
    high = min(each / max(less - 1, 0.5) for each, less in zip(size, smaller, strict=True))
    return low > high


def _describe_kind(path: Path, level: Level) -> str:
    return f"{find_shape(path, level.series)[2]} x {level.series.dtype}"


def _count_levels(levels: Sequence[Level]) -> str:
    return f"{len(levels)} levels (0 … {len(levels) - 1})" if len(levels) > 1 else "one level (0)"


def scale_geometry(meta: dict[str, Any], downsample: tuple[float, float]) -> dict[str, Any]:
    """Return an image's `meta` as it is of a level, with `downsample`: pixels of level 0, down and across, for each."""
    (down, across), scaled = downsample, {**meta, "downsample": downsample}
    if "resolution" in meta:
        y, x, unit = meta["resolution"]
        scaled["resolution"] = (y / down, x / across, unit)
    if "pixel_size" in meta:
        y, x = meta["pixel_size"]
        scaled["pixel_size"] = (y * down, x * across)
    return scaled
