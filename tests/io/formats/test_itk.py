"""NRRD and MetaImage: read and written as SimpleITK does, and no header that points to other folders."""

import gzip
import os
import sys

import numpy as np
import pytest
import SimpleITK

from segapp.errors import SegappError
from segapp.io import (
    FilePart,
    Image,
    MaskLayout,
    find_mask_suffix,
    list_image_files,
    list_parts,
    open_mask,
    read_header,
    read_raw,
    read_shape,
)
from tests.io.volumes import make_voxels

VOXELS = make_voxels()  # (5, 4, 3) along L, P, S
TURN = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # x to the back, y to the feet, z to the right


def write(path, voxels=VOXELS, direction=None, spacing=(0.5, 0.75, 3.0), compress=True, vector=False):
    """Write (X, Y, Z[, C]); SimpleITK's arrays are (z, y, x[, c])."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(np.swapaxes(voxels, 0, 2)), isVector=vector)
    image.SetSpacing(spacing)
    image.SetOrigin((10, 20, -30))
    if direction is not None:
        image.SetDirection(direction)
    SimpleITK.WriteImage(image, str(path), compress)
    return path


@pytest.fixture(params=[".nrrd", ".mha"])
def suffix(request):
    return request.param


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nhdr", ".mhd"])
@pytest.mark.parametrize("compress", [True, False])
def test_slices_are_seen_as_radiologists_see_them(tmp_path, suffix, compress):
    parts = list_parts(write(tmp_path / f"a{suffix}", compress=compress))
    assert [part.part for part in parts] == ["axial=0", "axial=1", "axial=2"]
    for index, part in enumerate(parts):
        np.testing.assert_array_equal(read_raw(part), VOXELS[:, :, index].T)
    assert Image(parts[0]).meta["pixel_size"] == (750, 500)


@pytest.mark.parametrize("direction", [None, TURN])
def test_masks_keep_geometry_and_orientation(tmp_path, suffix, direction):
    path, out = write(tmp_path / f"a{suffix}", direction=direction), tmp_path / f"out{suffix}"
    parts = list_parts(path)
    layout = MaskLayout({part.part: read_shape(part) for part in parts}, Image(parts[0]).meta)
    with open_mask(out, layout) as writer:
        for part in parts:
            writer.add((read_raw(part) > 200).astype(np.uint8), part.part)
    image, mask = SimpleITK.ReadImage(str(path)), SimpleITK.ReadImage(str(out))
    np.testing.assert_array_equal(
        SimpleITK.GetArrayFromImage(mask), (SimpleITK.GetArrayFromImage(image) > 200).astype(np.uint8)
    )
    assert mask.GetPixelID() == SimpleITK.sitkUInt8
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(mask, name)() == getattr(image, name)()


def test_a_turned_volume_shows_its_voxels_where_they_are(tmp_path, suffix):
    part = list_parts(write(tmp_path / f"a{suffix}", direction=TURN))[0]
    assert part.part == "sagittal=0"  # z has the largest spacing, and runs from left to right
    np.testing.assert_array_equal(read_raw(part), VOXELS[:, :, -1].T)


def test_vectors_are_channels(tmp_path, suffix):
    voxels = np.stack([VOXELS, VOXELS + 1], axis=3)
    part = list_parts(write(tmp_path / f"a{suffix}", voxels, vector=True))[1]
    np.testing.assert_array_equal(read_raw(part), voxels[:, :, 1].swapaxes(0, 1))


def test_a_fourth_axis_is_channels(tmp_path):
    image = SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(VOXELS.T + number) for number in range(2)])
    SimpleITK.WriteImage(image, str(tmp_path / "a.mha"))
    part = list_parts(tmp_path / "a.mha")[1]
    np.testing.assert_array_equal(read_raw(part), np.stack([VOXELS[:, :, 1].T, VOXELS[:, :, 1].T + 1], axis=2))


def test_one_image_is_no_volume(tmp_path, suffix):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(VOXELS[:, :, 0].T.copy()), str(tmp_path / f"a{suffix}"))
    assert list_parts(tmp_path / f"a{suffix}") == (FilePart(tmp_path / f"a{suffix}"),)
    np.testing.assert_array_equal(read_raw(tmp_path / f"a{suffix}"), VOXELS[:, :, 0].T)


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_detached_voxels_are_those_of_one_file(tmp_path, suffix):
    voxels = np.stack([VOXELS, VOXELS + 1], axis=3)
    attached = list_parts(write(tmp_path / "a.nrrd", voxels, TURN, vector=True))
    detached = list_parts(write(tmp_path / f"b{suffix}", voxels, TURN, vector=True))
    for one, other in zip(attached, detached, strict=True):
        np.testing.assert_array_equal(read_raw(one), read_raw(other))
    assert find_mask_suffix(tmp_path / f"b{suffix}") == {".nhdr": ".nrrd", ".mhd": ".mha"}[suffix]


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
@pytest.mark.parametrize("compress", [True, False])
def test_detached_voxels_that_change_are_read_again(tmp_path, suffix, compress):
    path = write(tmp_path / f"a{suffix}", compress=compress)
    before = read_raw(list_parts(path)[0])
    header = path.read_bytes()
    write(path, VOXELS + 1, compress=compress)
    path.write_bytes(header)
    (data,) = (each for each in tmp_path.iterdir() if each != path)
    os.utime(data, ns=(2**60, 2**60))
    np.testing.assert_array_equal(read_raw(list_parts(path)[0]), before + 1)
    assert list_image_files(path) == (path, data)
    data.unlink()
    assert list_image_files(path) == (path, data)
    with pytest.raises(SegappError, match=rf"{data.name}: there is no such file"):
        list_parts(path)


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
@pytest.mark.parametrize(("length", "found"), [(7, "7 of 8 bytes"), (9, r"9 bytes, but its header .* states 8")])
def test_detached_voxels_of_another_size_are_refused(tmp_path, suffix, length, found):
    header = {".nhdr": NRRD + b"data file: a.raw\n", ".mhd": MHA + b"ElementDataFile = a.raw"}[suffix]
    (tmp_path / f"a{suffix}").write_bytes(header)
    (tmp_path / "a.raw").write_bytes(bytes(length))
    with pytest.raises(SegappError, match=rf"a\.raw: .*{found}"):
        list_parts(tmp_path / f"a{suffix}")


NRRD = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n"
MHA = b"ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n"


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("a.nrrd", NRRD + b"data file: secret.raw\n\n", "another file"),
        ("a.nrrd", NRRD + b"datafile: LIST\nsecret.raw\n\n", "another file"),
        ("a.nrrd", NRRD.replace(b"\n", b"\r\n") + b"\r\nData File: secret.raw\r\n\r\n", "another file"),
        ("a.mha", MHA + b"ElementDataFile = secret.raw\n", "another file"),
        ("a.mha", MHA + b"ElementDataFile = LIST\nsecret.raw\n", "another file"),
        ("a.mha", MHA + b"Comment = \nElementDataFile = LOCAL\nElementDataFile = secret.raw\n", "another file"),
        ("a.mha", MHA, "incomplete"),
        ("a.nrrd", b"NRRD0004\n", "NRRD"),
        ("a.nrrd", NRRD.replace(b"2 2 2", b"900 900 900") + b"\n" + bytes(8), "cannot hold"),
        ("a.nrrd", NRRD.replace(b"2 2 2", b"20 20 20") + b"\n" + bytes(8), "truncated"),
        ("a.nrrd", NRRD.replace(b"2 2 2", b"0 2 2") + b"\n" + bytes(8), "NRRD"),
        ("a.nrrd", NRRD.replace(b"raw", b"gzip") + b"\n" + gzip.compress(bytes(8), mtime=0)[:-12], "NRRD"),
        ("a.mha", MHA.replace(b"2 2 2", b"900 900 900") + b"ElementDataFile = LOCAL\n" + bytes(8), "cannot hold"),
        ("a.mha", MHA.replace(b"2 2 2", b"-2 2 2") + b"ElementDataFile = LOCAL\n" + bytes(8), "MetaImage"),
        ("a.mha", MHA.replace(b"2 2 2", b"20 20 20") + b"ElementDataFile = LOCAL\n" + bytes(8), "truncated"),
        ("a.mha", b"no header\n" * 100, "MetaImage"),
        ("a.nrrd", b"", "empty"),
    ],
)
def test_what_cannot_be_read_is_reported_in_one_sentence(tmp_path, name, data, found):
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SegappError, match=found) as error:
        read_raw(list_parts(tmp_path / name)[0])
    assert name in str(error.value)


def test_whole_files_of_these_headers_are_read(tmp_path):
    (tmp_path / "a.nrrd").write_bytes(NRRD + b"\n" + bytes(range(8)))
    (tmp_path / "a.mha").write_bytes(MHA + b"ElementDataFile = LOCAL\n" + bytes(range(8)))
    for name in ("a.nrrd", "a.mha"):
        assert read_raw(list_parts(tmp_path / name)[1]).ravel().tolist() == [4, 5, 6, 7]
        assert read_header(list_parts(tmp_path / name)[1]).dtype == np.uint8


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, suffix):
    path = write(tmp_path / f"a{suffix}")
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(SegappError, match=r"SimpleITK.*segapp\[medical\]"):
        list_parts(path)
