"""OME-XML that promises endless lists is refused before they are made."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import Image, read_raw
from segapp.io.formats import ome

IMAGE = (
    '<Image ID="Image:0"><Pixels ID="Pixels:0" Type="uint8" SizeX="16" SizeY="16" SizeC="1" SizeZ="{z}" SizeT="1" '
    'DimensionOrder="XYCZT"><TiffData IFD="0" PlaneCount="{planes}"/></Pixels></Image>'
)


def write(path: Path, content: str) -> Path:
    xml = f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{content}</OME>'
    tifffile.imwrite(path, np.full((16, 16), 7, np.uint8), description=xml, metadata=None)
    return path


@pytest.mark.parametrize(
    "content",
    [
        IMAGE.format(z=2 * 10**9, planes=1),
        IMAGE.format(z=2 * 10**9, planes=2 * 10**9),
        IMAGE.format(z=1, planes=1) * 1001,
        IMAGE.format(z=1, planes=1).replace("</Pixels>", '<TiffData IFD="0" PlaneCount="9999"/>' * 9 + "</Pixels>"),
        '<StructuredAnnotations><XMLAnnotation><Value><Modulo><ModuloAlongZ Start="0" End="1e12"/></Modulo></Value>'
        "</XMLAnnotation></StructuredAnnotations>" + IMAGE.format(z=1, planes=1),
    ],
    ids=["size", "planes", "images", "parts", "steps"],
)
def test_endless_planes_take_no_memory(tmp_path: Path, content: str) -> None:
    tracemalloc.start()
    with pytest.raises(SegappError, match=r"a\.tif: OME-TIFF of .* planes"):
        read_raw(write(tmp_path / "a.tif", content))
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_long_text_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome, "LONGEST", 1000)
    with pytest.raises(SegappError, match=r"a\.tif: 3,.* characters of OME-XML"):
        read_raw(write(tmp_path / "a.tif", "<a/>" * 800))


def test_honest_files_are_read(tmp_path: Path) -> None:
    """The three channels of one image, and XML that is none."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 20, 30), np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "CYX"}, photometric="minisblack")
    np.testing.assert_array_equal(Image(tmp_path / "a.ome.tif").read(), np.moveaxis(pixels, 0, 2))
    assert (read_raw(write(tmp_path / "b.tif", "<broken>")) == 7).all()
