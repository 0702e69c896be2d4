"""The header of an image whose channels are in several files, which must agree."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats.slices import describe_difference
from segapp.io.header import Header


def check_other_channel(first: FilePart, header: Header, other: FilePart, found: Header) -> None:
    """Raise SegappError unless the voxels or pixels of another channel's file are those of the first.

    Args:
        first: The file of the first channel.
        header: Its header.
        other: The file of another channel.
        found: The header of any of its images.
    """
    if ("volume" in header.meta) != ("volume" in found.meta):
        difference = "and only one of them is a volume"
    elif "volume" in header.meta:
        difference = describe_difference(header.meta["volume"].grid, found.meta["volume"].grid) or ""
        difference = difference and f"with {difference}"
    else:
        sizes = [f"{each.upright[0]} x {each.upright[1]}" for each in (header, found)]
        difference = f"with {sizes[0]} and {sizes[1]} pixels" if sizes[0] != sizes[1] else ""
    if difference:
        raise SegappError(
            f"{other.path} and {first.path} are channels of one image, {difference}; save them on the same grid."
        )


def join_headers(file: FilePart, headers: Sequence[Header]) -> Header:
    """Return the header of all channels together; raise SegappError for files that are no channels.

    Args:
        file: The image.
        headers: Of the file of each channel, in their order.
    """
    first = headers[0]
    for one, header in zip(file.every_file, headers, strict=True):
        kinds = {
            "a palette": header.palette is not None,
            "an alpha channel": header.alpha is not None or header.transparent is not None,
            "pages that may be a stack": header.pages_advice is not None,
            "values of fewer than 8 bits": header.white != 255,
            "inverted values (MinIsWhite)": header.white_is_zero,
            "another EXIF orientation than the first": header.orientation != first.orientation,
        }
        if (kind := next((kind for kind, is_so in kinds.items() if is_so), None)) is not None:
            raise SegappError(f"{one.path}: is the file of a channel, but has {kind}; save it as grey values.")
    return replace(
        first,
        bands=sum(header.bands for header in headers),
        dtype=np.result_type(*(header.dtype for header in headers)),
        nodata=None,
        has_mask=False,
        lossy=next((header.lossy for header in headers if header.lossy), None),
    )
