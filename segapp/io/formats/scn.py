"""Bounds the planes of a Leica slide's XML, before a library makes lists of that length."""

from pathlib import Path
from xml.etree import ElementTree

from segapp.errors import SegappError

MOST = 1000
"""Largest number of a plane, a level or a page; slides have a few of each."""

LONGEST = 2**22
"""Characters of XML."""


def require_small_scn(path: Path, xml: str) -> None:
    """Raise SegappError for more planes, levels or pages than a slide has.

    Args:
        path: The file.
        xml: Its description.
    """
    if len(xml) > LONGEST:
        raise SegappError(f"{path}: {len(xml):,} characters of XML; at most {LONGEST:,} are read of a slide in SCN.")
    dimensions = [each.attrib for each in ElementTree.fromstring(xml).iter() if each.tag.endswith("dimension")]
    numbers = [int(each.get(key, 0)) for each in dimensions for key in ("c", "z", "r", "ifd")]
    if len(dimensions) > MOST or not all(0 <= number <= MOST for number in numbers):
        raise SegappError(f"{path}: SCN of more than {MOST:,} planes; save it as TIFF.")
