"""Chooses the pages of a TIFF that make its image, and finds the meaning of their order."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from segapp.errors import SegappError
from segapp.io.formats.bounds import BoundedReader
from segapp.io.formats.ome import require_small_ome
from segapp.io.formats.scn import require_small_scn

# tifffile logs each oddity of a broken file, up to thousands of lines; here one error reports it.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

CHANNEL_AXES, PAGE_AXES = "SC", "QI"
"""Letters of tifffile for samples and channels, and for pages without a stated meaning."""

MAX_CHANNELS = 16  # more pages than a network has input channels are a stack, not one image
MAX_PAGES = 20_000  # looking at each takes a tenth of a millisecond, and more than 16 make an image only as its rows
MAX_SUBIFDS = 64  # smaller copies of a page: each has half its size
SUBIFDS = 330
HEADERS, READS = 2**26, 200_000
"""Bytes of tags, such as the offsets of five million tiles, and times that tags and pages are asked for."""

REDUCED, MASK = 1, 4  # bits of NewSubfileType
SLIDES = frozenset({"svs", "scn", "ndpi", "bif", "qpi", "philips", "avs"})
"""Formats of whole slides, whose first series is the slide: the others are its label and overview."""


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a TIFF without ever opening another file, whatever its metadata or its folder contains.

    tifffile completes OME-TIFF by files that the XML names, stacks of Micro-Manager and NDTiff by files beside them.
    """
    return _refuse_other_files(tifffile.TiffFile(path, _multifile=False))


@contextmanager
def open_unknown_tiff(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF whose tags and pages nothing is known of: reading them is bounded, and no pixels are read."""
    with BoundedReader(path, "TIFF", HEADERS, READS) as stream, tifffile.TiffFile(stream, _multifile=False) as file:
        yield _refuse_other_files(file)


def _refuse_other_files(file: tifffile.TiffFile) -> tifffile.TiffFile:
    file.is_mmstack = file.is_ndtiff = False  # which ignore `_multifile`; their pages are read as any others
    return file


def find_series(path: Path, file: tifffile.TiffFile) -> Any:
    """Return the pages of the file's one image; SegappError when it has none or several."""
    _require_few_pages(path, file)
    if file.is_ome:
        require_small_ome(path, file.ome_metadata or "", MAX_PAGES)
    if file.is_scn:
        require_small_scn(path, file.pages.first.description)
    _require_complete_chain(path, file)
    images = [series for series in file.series if series.keyframe is not None and not _is_extra(series.keyframe)]
    if not images:
        raise SegappError(f"{path}: TIFF without an image in it.")
    if len(images) > 1 and images[0].kind not in SLIDES:
        sizes = ", ".join(" x ".join(map(str, series.shape)) for series in images[:4])
        raise SegappError(
            f"{path}: TIFF of {len(images)} images ({sizes}{' …' if len(images) > 4 else ''}); save each one as a file."
        )
    # Leica lists the overview of the glass before the scans of the tissue on it.
    return max(images, key=lambda each: each.keyframe.size) if images[0].kind == "scn" else images[0]


def is_plain_page(file: tifffile.TiffFile) -> bool:
    """Return whether a file is one page, whose description says nothing of others."""
    try:
        file.pages.get(1)
        return False
    except IndexError:
        page: Any = file.pages.first
    said = str(page.description)
    if said.startswith('{"shape"'):  # tifffile's; it may state more planes than there are pages
        return said.startswith(f'{{"shape": {list(page.shape)}')
    return not said.startswith("ImageJ=") and not file.is_ome


def find_mask(path: Path, file: tifffile.TiffFile, size: tuple[int, int]) -> Any:
    """Return the page that marks the measured pixels of an image of this size, or None."""
    for series in file.series:
        if series.keyframe is None or not _is_mask(series.keyframe) or series.keyframe.is_reduced:
            continue
        if series.keyframe.shape != size:
            raise SegappError(f"{path}: TIFF whose mask page has {series.keyframe.shape} pixels, its image {size}.")
        return series.keyframe
    return None


def find_shape(path: Path, series: Any) -> tuple[int, int, int]:
    """Return height, width, bands; SegappError for a stack."""
    axes, shape = find_long_axes(series)
    if has_rows_as_pages(series):
        return shape[0], shape[1], shape[2]
    if axes == "YX":
        return shape[0], shape[1], 1
    if len(axes) == 3 and axes.endswith("YX") and axes[0] in CHANNEL_AXES + PAGE_AXES and shape[0] <= MAX_CHANNELS:
        return shape[1], shape[2], shape[0]
    if len(axes) == 3 and axes.startswith("YX") and axes[2] in CHANNEL_AXES and shape[2] <= MAX_CHANNELS + 1:
        return shape[0], shape[1], shape[2]
    sizes = ", ".join(f"{axis}={length}" for axis, length in zip(axes, shape, strict=True))
    raise SegappError(f"{path}: TIFF with the axes {sizes} is a stack, not one image; save each slice as a file.")


def has_unnamed_pages(series: Any) -> bool:
    """Return whether the bands are pages that the file does not call channels."""
    axes, _ = find_long_axes(series)
    return len(axes) == 3 and axes[0] in PAGE_AXES and not has_rows_as_pages(series)


def has_rows_as_pages(series: Any) -> bool:
    """Return whether each row is a page: (H, W, few) saved without saying that the last axis is channels."""
    axes, shape = find_long_axes(series)
    return axes in ("QYX", "IYX") and shape[0] > MAX_CHANNELS >= shape[2]


def move_channels_last(series: Any, pixels: np.ndarray) -> np.ndarray:
    """Return the series' pixels as (H, W, bands); a view."""
    axes, shape = find_long_axes(series)
    pixels = pixels.reshape(shape)
    if len(axes) == 2:
        return pixels[..., None]
    return pixels if axes.startswith("YX") or has_rows_as_pages(series) else np.moveaxis(pixels, 0, -1)


def _is_mask(page: Any) -> bool:
    return bool(int(page.subfiletype) & MASK) or getattr(page.photometric, "name", "") == "MASK"


def _is_extra(page: Any) -> bool:
    """Return whether a page is a smaller copy of another, or a mask of valid pixels."""
    return bool(int(page.subfiletype) & REDUCED) or _is_mask(page)


def _require_few_pages(path: Path, file: tifffile.TiffFile) -> None:
    """Raise SegappError for a file of so many pages that only looking at them would take minutes."""
    copies = file.pages.first.tags.get(SUBIFDS) if file.pages[:1] else None
    if copies is not None and copies.count > MAX_SUBIFDS:
        raise SegappError(
            f"{path}: TIFF of {copies.count:,} smaller copies; at most {MAX_SUBIFDS} are read. Save it without."
        )
    try:
        file.pages.get(MAX_PAGES, validate=False)
    except IndexError:
        return
    raise SegappError(f"{path}: TIFF of more than {MAX_PAGES:,} pages is a stack, not one image; save each as a file.")


def _require_complete_chain(path: Path, file: tifffile.TiffFile) -> None:
    """Require that each page points to the next and the last to 0.

    Tifffile takes a pointer beyond the file for the end.
    """
    if not file.series:
        raise SegappError(f"{path}: TIFF without an image in it.")
    position = file.pages.next_page_offset
    if position is not None:
        file.filehandle.seek(position)
        pointer = file.filehandle.read(file.tiff.offsetsize)
        if len(pointer) < file.tiff.offsetsize or any(pointer):
            raise SegappError(f"{path}: truncated TIFF, its page {len(file.pages) + 1} is missing.")


def find_long_axes(series: Any) -> tuple[str, tuple[int, ...]]:
    """Return the letters and lengths of Y, X and the axes that are longer than 1."""
    kept = [i for i, axis in enumerate(series.axes) if series.shape[i] > 1 or axis in "YX"]
    return "".join(series.axes[i] for i in kept), tuple(series.shape[i] for i in kept)
