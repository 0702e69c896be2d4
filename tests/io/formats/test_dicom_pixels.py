"""The values of DICOM pixels: inverted, palettes, colours, compressed."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

from segapp.errors import SegappError
from segapp.io import list_parts, list_slices, read_raw
from tests.io.dicoms import make_slice, save, write_series
from tests.io.volumes import make_voxels

VOXELS = make_voxels()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32])
def test_the_smallest_value_of_monochrome1_is_white(tmp_path, dtype):
    pixels = np.arange(20).reshape(4, 5).astype(dtype)
    path = save(make_slice(pixels, "a", PhotometricInterpretation="MONOCHROME1"), tmp_path / "a.dcm")
    largest = -1 if np.dtype(dtype).kind == "i" else np.iinfo(dtype).max
    np.testing.assert_array_equal(read_raw(path), (largest - pixels.astype(np.int64)).astype(dtype))


def test_colours_and_palettes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    colours = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    np.testing.assert_array_equal(read_raw(save(make_slice(pixels, "a", **colours), tmp_path / "a.dcm")), pixels)
    found = make_slice(pixels[..., 0], "b", PhotometricInterpretation="PALETTE COLOR")
    tables = np.random.default_rng(1).integers(0, 256, (3, 256), np.uint8)
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(found, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 8])
        setattr(found, f"{name}PaletteColorLookupTableData", table.tobytes())
    np.testing.assert_array_equal(read_raw(save(found, tmp_path / "b.dcm")), tables.T[pixels[..., 0]])


def test_compressed_frames(tmp_path):
    paths = write_series(tmp_path, VOXELS.astype(np.uint16))
    for path in paths:
        found = pydicom.dcmread(path)
        found.compress(RLELossless)
        save(found, path)
    np.testing.assert_array_equal(read_raw(list_slices(paths[0], "axial")[2]), VOXELS[:, :, 2].T)


def test_a_missing_decoder_is_named_with_what_to_do(tmp_path):
    path = save(make_slice(VOXELS[:, :, 0], "a"), tmp_path / "a.dcm")
    found = pydicom.dcmread(path)
    found.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    found.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    found["PixelData"].VR = "OB"
    save(found, path)
    with pytest.raises(SegappError, match=r"no decoder .*MPEG2.*gdcmconv"):
        list_parts(path)
