"""The size of a pixel, where a microscope wrote it, and only there."""

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.io import Image
from segapp.io.pixel_size import read_pixel_size, read_slide_pixel_size

SCHEMA = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
OME = f'<?xml version="1.0"?><OME xmlns="{SCHEMA}"><Image><Pixels {{}}/></Image></OME>'
PIXELS = np.zeros((4, 6), np.uint8)


@pytest.mark.parametrize("unit", ["um", "µm", "\\u00B5m", "micron", "microns"])
def test_imagej_writes_pixels_per_unit(unit):
    assert read_pixel_size(f"ImageJ=1.54f\nunit={unit}\nspacing=2\n", (4, 2)) == (0.25, 0.5)


def test_other_units_of_length_become_micrometres():
    assert read_pixel_size("ImageJ=1.54f\nunit=nm\n", (0.01, 0.01)) == pytest.approx((0.1, 0.1))
    assert read_pixel_size("ImageJ=1.54f\nunit=mm\n", (10, 10)) == pytest.approx((100, 100))
    assert read_pixel_size(OME.format('PhysicalSizeX="2" PhysicalSizeXUnit="nm" PhysicalSizeY="3"'), None) == (3, 0.002)


@pytest.mark.parametrize(
    "description",
    ["", "ImageJ=1.54f\n", "ImageJ=1.54f\nunit=inch\n", "ImageJ=1.54f\nunit=pixel\n", "<OME>", OME.format("")]
    + [OME.format(f'PhysicalSizeX="{x}" PhysicalSizeY="1"') for x in ("0", "-1", "nan", "inf", "wide", "")]
    + [OME.format('PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1"')],
)
def test_what_measures_nothing_is_nothing(description):
    assert read_pixel_size(description, (300, 300)) is None


def test_nothing_is_read_from_a_density_of_zero_or_none():
    for density in (None, (0, 1), (1, 0)):
        assert read_pixel_size("ImageJ=1.54f\nunit=um\n", density) is None


def test_an_entity_bomb_is_nothing():
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    assert read_pixel_size(f'<!DOCTYPE OME [<!ENTITY e0 "x">{entities}]><OME>&e11;</OME>', None) is None


def test_files_of_libraries_are_understood(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, imagej=True, resolution=(2, 4), metadata={"unit": "um"})
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 250, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(tmp_path / "b.ome.tif", PIXELS, metadata={"axes": "YX", **sizes})
    for name in ("a.tif", "b.ome.tif"):
        assert Image(tmp_path / name).meta["pixel_size"] == pytest.approx((0.25, 0.5))
    PIL.Image.fromarray(PIXELS).save(tmp_path / "c.tif", dpi=(300, 300))
    assert "pixel_size" not in Image(tmp_path / "c.tif").meta


def test_a_turned_image_has_turned_pixels(tmp_path):
    tags = [(274, "H", 1, 6, True)]
    described = {"description": "ImageJ=1.54f\nunit=um\n", "metadata": None, "resolution": (2, 4), "extratags": tags}
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, **described)
    assert Image(tmp_path / "a.tif").meta["pixel_size"] == (0.5, 0.25)


def test_slides_say_how_large_their_pixels_are():
    assert read_slide_pixel_size("Aperio Image Library v11\r\n9x9|AppMag = 20|MPP = 0.4990|x = 1", None) == (
        0.499,
        0.499,
    )
    philips = '<Attribute Name="DICOM_PIXEL_SPACING" PMSVR="IDoubleArray">"0.00025" "0.0005"</Attribute>'
    assert read_slide_pixel_size(f"<DataObject>{philips}</DataObject>", None) == pytest.approx((0.25, 0.5))
    assert read_slide_pixel_size("", (40000.0, 20000.0, "centimeter")) == (0.25, 0.5)


@pytest.mark.parametrize("unit", ["inch", "none"])
def test_a_density_of_prints_is_no_measurement(unit):
    assert read_slide_pixel_size("", (40000.0, 20000.0, unit)) is None


@pytest.mark.parametrize("description", ["Aperio Image|MPP = 0", "Aperio Image|MPP = x", "Aperio Image"])
def test_a_slide_that_does_not_say_it_has_no_pixel_size(description):
    assert read_slide_pixel_size(description, (40000.0, 20000.0, "centimeter")) is None
    assert read_slide_pixel_size('"DICOM_PIXEL_SPACING">"1.2.3" "1"', None) is None
    assert read_slide_pixel_size("", None) is None and read_slide_pixel_size("", (0.0, 1.0, "centimeter")) is None
