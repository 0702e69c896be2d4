"""Reads the physical size of a pixel, which ImageJ and OME write into the description of a TIFF."""

import math
import re
from xml.etree import ElementTree

MICROMETRES = {
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,  # the micro sign
    "μm": 1.0,  # the Greek letter
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
}
"""Units of length that mean a measurement; ImageJ also copies "inch" from an editor's dots per inch."""

LARGEST_DESCRIPTION = 2**24
"""Characters of OME-XML that are parsed: a slide with thousands of planes needs one or two million."""


def read_pixel_size(description: str, density: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return height and width of a pixel in µm, or None where the description has none.

    Args:
        description: Of the first page.
        density: Pixels per unit, down and across: the resolution tags, in ImageJ's unit.
    """
    if description.startswith("ImageJ=") and density is not None:
        unit = _find_imagej_unit(description)
        return None if unit is None else _drop_implausible(*(unit / each if each > 0 else 0 for each in density))
    try:
        known = _find_ome_pixels(description)
        units = [MICROMETRES[known.get(f"PhysicalSize{axis}Unit", "µm")] for axis in "YX"]
        sizes = [float(known.get(f"PhysicalSize{axis}", 0)) for axis in "YX"]
    except (ElementTree.ParseError, KeyError, ValueError):  # no XML, a unit that is no length, no number
        return None
    return _drop_implausible(sizes[0] * units[0], sizes[1] * units[1])


def read_slice_distance(description: str) -> float | None:
    """Return the distance of the slices of a stack in µm, or None where the description has none.

    Args:
        description: Of the first page.
    """
    try:
        if description.startswith("ImageJ="):
            found = re.search(r"^spacing=(.*)$", description, re.MULTILINE)
            distance = abs(float(found[1] if found else 0)) * (_find_imagej_unit(description) or 0)
        else:
            known = _find_ome_pixels(description)
            distance = float(known.get("PhysicalSizeZ", 0)) * MICROMETRES[known.get("PhysicalSizeZUnit", "µm")]
    except (ElementTree.ParseError, KeyError, ValueError):
        return None
    return distance if 0 < distance < math.inf else None


def _find_imagej_unit(description: str) -> float | None:
    """Return how many µm the unit of ImageJ's description has, or None."""
    found = re.search(r"^unit=(.*)$", description, re.MULTILINE)
    return MICROMETRES.get(found[1].strip().replace("\\u00B5", "µ") if found else "")


def _find_ome_pixels(description: str) -> dict[str, str]:
    """Return what OME-XML says of the first image's pixels; nothing for another description, ParseError for no XML."""
    if not description.rstrip().endswith("OME>") or len(description) > LARGEST_DESCRIPTION:
        return {}
    pixels = ElementTree.fromstring(description).find("{*}Image/{*}Pixels")
    return {} if pixels is None else dict(pixels.attrib)


APERIO = re.compile(r"\|\s*MPP\s*=\s*(\d+(?:\.\d*)?|\.\d+)")
PHILIPS = re.compile(r'"DICOM_PIXEL_SPACING"[^>]{0,200}>\s*"([\d.eE+-]+)"\s+"([\d.eE+-]+)"')


def read_slide_pixel_size(description: str, resolution: tuple[float, float, str] | None) -> tuple[float, float] | None:
    """Return height and width of a pixel of a slide's finest level in µm, or None where the file has none.

    Args:
        description: Of the first page.
        resolution: Pixels per unit, down and across, and the unit: scanners give centimetres, editors inches, whose
            number was not measured.
    """
    try:
        if description.startswith("Aperio"):
            found = APERIO.search(description)
            return _drop_implausible(float(found[1]), float(found[1])) if found else None
        if (found := PHILIPS.search(description)) is not None:
            return _drop_implausible(float(found[1]) * 1e3, float(found[2]) * 1e3)
    except ValueError:  # a number with two points
        return None
    if resolution is None or resolution[2] != "centimeter":
        return None
    return _drop_implausible(*(1e4 / each if each > 0 else 0 for each in resolution[:2]))


def _drop_implausible(y: float, x: float) -> tuple[float, float] | None:
    return (y, x) if 0 < y < math.inf and 0 < x < math.inf else None
