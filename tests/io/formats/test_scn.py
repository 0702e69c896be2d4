"""Leica's slides: the largest image is the slide, and XML that would fill the memory is refused."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import FilePart, Image
from segapp.io.formats.scn import require_small_scn
from segapp.spec import Resolution
from tests.io.slides import make_levels

XML = """<?xml version="1.0"?>
<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01"><collection>
<image name="overview"><pixels><dimension r="0" ifd="0"/></pixels></image>
<image name="tissue"><pixels><dimension r="0" ifd="1"/><dimension r="1" ifd="2"/></pixels></image>
</collection></scn>"""
PIXELS = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)


def write_scn(path: Path) -> None:
    """Write an overview of the glass, and a scan of two levels."""
    with tifffile.TiffWriter(path) as file:
        options = {"tile": (64, 64), "photometric": "rgb", "metadata": None}
        file.write(np.zeros((50, 30, 3), np.uint8), description=XML, **options)
        for level in make_levels(PIXELS, [1, 4]):
            file.write(level, **options)


def test_the_scan_is_read_and_not_the_overview(tmp_path):
    write_scn(tmp_path / "a.scn")
    np.testing.assert_array_equal(Image(tmp_path / "a.scn").read(), PIXELS)
    level = Image(FilePart(tmp_path / "a.scn", resolution=Resolution(level=1)))
    np.testing.assert_array_equal(level.read(), make_levels(PIXELS, [4])[0])


@pytest.mark.parametrize("number", ["1000000000", "-1", "&#49;000000000"])
def test_planes_that_would_fill_the_memory_are_refused(tmp_path, number):
    xml = XML.replace('r="1"', f'r="1" c="{number}"')
    with pytest.raises(SegappError, match=r"a\.scn: SCN of more than 1,000 planes"):
        require_small_scn(tmp_path / "a.scn", xml)
    require_small_scn(tmp_path / "a.scn", XML)
