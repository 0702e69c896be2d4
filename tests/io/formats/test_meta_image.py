"""MetaImage: headers are checked before a library of C++ reads them, and damaged voxels noticed."""

import zlib

import numpy as np
import pytest
import SimpleITK

from segapp.errors import SegappError
from segapp.io import list_parts, read_raw
from tests.io.formats.test_itk import MHA, write


def test_damaged_voxels_are_not_read_as_others(tmp_path):
    whole = write(tmp_path / "a.mha", np.random.default_rng(0).integers(0, 9999, (9, 9, 9), np.int16)).read_bytes()
    for damaged in (whole[:-20], whole[:-80] + bytes(9) + whole[-71:]):
        (tmp_path / "b.mha").write_bytes(damaged)
        with pytest.raises(SegappError, match=r"b\.mha.*MetaImage") as error:
            read_raw(list_parts(tmp_path / "b.mha")[0])
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        (b"NDims = 3", b"NDims = 300"),  # these made MetaIO write beyond its memory
        (b"NDims = 3\n", b""),
        (b"DimSize = 2 2 2", b"DimSize = 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2"),
        (b"NDims = 3\nDimSize = 2 2 2", b"DimSize = 2 2 2\nNDims = 3"),
        (b"ElementType", b"Offset = 1e 0 nan\nElementType"),
        (b"ElementType", b"BinaryData = False\nElementType"),
        (b"ElementType", b"HeaderSize = 3\nElementType"),
        (b"ElementType", b"DimSize = 2 2 2\nElementType"),
        (b"ElementType", b"Comment = " + b"x" * 5000 + b"\nElementType"),
        (b"ElementType = MET_UCHAR\n", b""),
    ],
)
def test_headers_of_metaimage_are_checked_before_its_library_reads_them(tmp_path, change, monkeypatch):
    (tmp_path / "a.mha").write_bytes(MHA.replace(*change) + b"ElementDataFile = LOCAL\n" + bytes(8))
    monkeypatch.setattr(SimpleITK, "ImageFileReader", None)
    with pytest.raises(SegappError, match=r"a\.mha: MetaImage .*(header|axes)") as error:
        list_parts(tmp_path / "a.mha")
    assert "NoneType" not in str(error.value)


def test_a_big_endian_metaimage_is_read(tmp_path):
    values = np.arange(8, dtype=">i2")
    header = MHA.replace(b"MET_UCHAR", b"MET_SHORT") + b"ElementByteOrderMSB = True\nElementDataFile = LOCAL\n"
    (tmp_path / "a.mha").write_bytes(header + values.tobytes())
    assert read_raw(list_parts(tmp_path / "a.mha")[1]).ravel().tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (b"ElementDataFile = ../secret.raw\n", "one file beside it"),
        (b"ElementDataFile = LIST\nsecret.raw\n", "several files"),
        (b"ElementDataFile = s%02d.raw 1 2 1\n", "one file beside it"),
        (b"Comment = \nElementDataFile = LOCAL\nElementDataFile = secret.raw\n", "several files"),
        (b"HeaderSize = -1\nElementDataFile = secret.raw\n", "header of a stated size"),
        (b"ElementDataFile = " + b"x" * 5000, "several files"),
        (b"ElementDataFile = LOCAL", "truncated"),
        (b"", "incomplete"),
    ],
)
def test_a_detached_header_names_one_file_beside_it(tmp_path, end, found):
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    (tmp_path / "a.mhd").write_bytes(MHA + end)
    with pytest.raises(SegappError, match=rf"a\.mhd: .*{found}") as error:
        read_raw(list_parts(tmp_path / "a.mhd")[0])
    assert "\n" not in str(error.value)


def test_compressed_voxels_are_as_many_as_the_header_states(tmp_path):
    (tmp_path / "a.mhd").write_bytes(MHA + b"CompressedData = True\nElementDataFile = a.zraw\n")
    for count, found in ((7, "7 of 8 bytes"), (9, "more voxels")):
        (tmp_path / "a.zraw").write_bytes(zlib.compress(bytes(count)))
        with pytest.raises(SegappError, match=rf"a\.zraw: .*{found}"):
            read_raw(list_parts(tmp_path / "a.mhd")[0])
