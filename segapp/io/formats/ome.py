"""Bounds the images and planes of a TIFF's OME-XML, before a library makes lists of that length."""

import math
from pathlib import Path
from xml.etree import ElementTree

from segapp.errors import SegappError

LONGEST = 2**22
"""Characters of OME-XML: some ten thousand planes."""

MAX_IMAGES = 1000
"""Most images in a file, of which one is read."""


def require_small_ome(path: Path, xml: str, planes: int) -> None:
    """Raise SegappError for OME-XML of more planes, images or characters than a file with one image has.

    Args:
        path: The file.
        xml: Its OME-XML; text that is not XML is ignored.
        planes: The largest number of planes.
    """
    if len(xml) > LONGEST:
        raise SegappError(
            f"{path}: {len(xml):,} characters of OME-XML; at most {LONGEST:,} are read. Save it without OME-XML."
        )
    try:
        elements = list(ElementTree.fromstring(xml).iter())
        images = [element for element in elements if element.tag.endswith("Pixels")]
        found = max((_count_planes(element) for element in elements), default=0)
    except (ElementTree.ParseError, ValueError, OverflowError, ZeroDivisionError):  # tifffile ignores such XML too
        return
    if len(images) > MAX_IMAGES or found > planes:
        raise SegappError(
            f"{path}: OME-TIFF of {len(images):,} images or {found:,.0f} planes; save each one as a file."
        )


def _count_planes(element: ElementTree.Element) -> float:
    """Return the planes that an element promises: of an image, of its parts together, or of steps along an axis."""
    if element.tag.endswith("Pixels"):
        stored = sum(_count_planes(part) for part in element if part.tag.endswith("TiffData"))
        return max(math.prod(int(element.get(f"Size{axis}", 1)) for axis in "ZCT"), stored)
    if element.tag.endswith("TiffData"):
        return max(int(element.get("PlaneCount", element.get("NumPlanes", 1))), 1)
    if "Along" in element.tag and "Start" in element.attrib:
        return abs(float(element.get("End", 0)) - float(element.get("Start", 0))) / float(element.get("Step", 1))
    return 0
