"""NIfTI: slices in one orientation, masks in the file's own, and files that are refused."""

import gzip
import sys

import nibabel
import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import FilePart, Image, MaskLayout, list_parts, list_slices, open_mask, read_header, read_raw, read_shape
from segapp.io.formats import gzip_data, volume
from segapp.io.formats.nifti import Nifti
from segapp.io.formats.volume_cache import VolumeCache
from segapp.spec import Intensity
from tests.io.volumes import SIZES, make_voxels, write_nifti

VOXELS = make_voxels()
CODES = ("LPS", "RAS", "LAS", "PSR", "SAL", "AIL")


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_slices_are_the_same_whatever_the_orientation_of_the_array(tmp_path, codes, axis):
    path = write_nifti(tmp_path / "a.nii.gz", VOXELS, codes)
    parts = list_slices(path, axis)
    grid = read_header(parts[0]).meta["volume"].grid
    assert len(parts) == SIZES[("sagittal", "coronal", "axial").index(axis)]
    reference = volume.Grid(np.diag([1.0, 1.0, 1.0, 1.0]), SIZES)
    for index, part in enumerate(parts):
        assert part.part == f"{axis}={index}" and grid.spacing == (1, 1, 1)
        np.testing.assert_array_equal(read_raw(part), reference.find_slice(VOXELS, axis, index))
        assert read_shape(part) == read_raw(part).shape


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_masks_return_to_the_files_own_orientation(tmp_path, codes, suffix):
    path = write_nifti(tmp_path / f"a{suffix}", VOXELS, codes, (0.5, 0.75, 3.0), scl_slope=2, scl_inter=1, cal_max=9)
    parts = list_parts(path)
    assert len(parts) == 3
    layout = MaskLayout({part.part: read_shape(part) for part in parts}, Image(parts[0]).meta, ((0, 0, 0), (9, 9, 9)))
    out = tmp_path / f"out{suffix}"
    with open_mask(out, layout) as writer:
        for part in reversed(parts):
            writer.add((read_raw(part) > 400).astype(np.uint8), part.part)
    image, mask = nibabel.load(path), nibabel.load(out)
    np.testing.assert_array_equal(np.asanyarray(mask.dataobj), np.asanyarray(image.dataobj) > 400)
    assert mask.get_data_dtype() == np.uint8 and mask.header["cal_max"] == 0
    np.testing.assert_array_equal(mask.affine, image.affine)
    for field in ("pixdim", "qform_code", "sform_code", "xyzt_units"):
        np.testing.assert_array_equal(mask.header[field], image.header[field])


def test_values_are_scaled_as_the_header_says(tmp_path):
    path = write_nifti(tmp_path / "a.nii", VOXELS)
    nifti = nibabel.load(path)
    header = nifti.header.copy()
    header.set_slope_inter(2, 1)
    data = nibabel.Nifti1Image(np.asanyarray(nifti.dataobj), None, header)
    raw = data.to_bytes()
    path.write_bytes(raw[:112] + np.array([2, 1], "<f4").tobytes() + raw[120:])
    part = list_parts(path)[1]
    assert read_header(part).dtype == np.float32
    np.testing.assert_array_equal(read_raw(part), VOXELS[:, :, 1].T * 2 + 1)


def test_big_endian_nifti_2_of_channels(tmp_path):
    voxels = np.stack([VOXELS, VOXELS + 1], axis=3)
    header = nibabel.Nifti2Header(endianness=">")
    header.set_data_dtype(np.int16)
    nibabel.save(nibabel.Nifti2Image(voxels, np.diag([-1, -1, 1, 1]), header), tmp_path / "a.nii")
    part = list_parts(tmp_path / "a.nii")[2]
    assert Image(part).shape == (4, 5, 2) and read_header(part).dtype == np.dtype("=i2")
    np.testing.assert_array_equal(read_raw(part), voxels[:, :, 2].swapaxes(0, 1))


def test_one_image_is_no_volume(tmp_path):
    nibabel.save(nibabel.Nifti1Image(VOXELS[:, :, 0], np.eye(4)), tmp_path / "a.nii")
    assert list_parts(tmp_path / "a.nii") == (FilePart(tmp_path / "a.nii"),)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.nii"), VOXELS[:, :, 0].T)


def test_a_compressed_volume_is_decoded_once(tmp_path, monkeypatch):
    decoded = []
    decode = Nifti.decode
    monkeypatch.setattr(Nifti, "decode", lambda self, path, found: decoded.append(path) or decode(self, path, found))
    path = write_nifti(tmp_path / "a.nii.gz", VOXELS)
    for axis in ("axial", "coronal"):
        for part in list_slices(path, axis):
            read_raw(part)
    assert decoded == [path]
    write_nifti(path, VOXELS + 1, spacing=(1, 1, 2))
    assert read_raw(FilePart(path, "axial=0"))[0, 0] == 1


@pytest.mark.parametrize("codes", ["LPS", "RAS", "LAI"])
@pytest.mark.parametrize("channels", [1, 2])
def test_volumes_that_are_not_held_are_decoded_in_blocks(tmp_path, codes, channels, monkeypatch):
    monkeypatch.setattr(volume, "VOLUMES", VolumeCache(0))  # holds the last one only
    monkeypatch.setattr(gzip_data, "LEAST_BLOCK", 50)
    decoded, decode = [], Nifti.decode
    monkeypatch.setattr(Nifti, "decode", lambda self, path, found: decoded.append(path) or decode(self, path, found))
    voxels = make_voxels((7, 6, 5))
    voxels = np.stack([voxels, -voxels], axis=3)[..., :channels] if channels > 1 else voxels
    paths = [write_nifti(tmp_path / name, voxels + place, codes) for place, name in enumerate(("a.nii.gz", "b.nii.gz"))]
    reference = volume.Grid(np.eye(4), (7, 6, 5))
    for index in (4, 0, 3, 1, 2, 0):
        for place, path in enumerate(paths):
            expected = reference.find_slice(voxels, "axial", index) + place
            np.testing.assert_array_equal(read_raw(FilePart(path, f"axial={index}")), expected)
    assert decoded == paths
    read_raw(FilePart(paths[0], "coronal=2"))  # lies in every block
    assert decoded == [*paths, paths[0]]
    changed = write_nifti(paths[1], voxels + 7, codes, spacing=(1, 1, 2))
    np.testing.assert_array_equal(read_raw(FilePart(changed, "axial=3")), reference.find_slice(voxels, "axial", 3) + 7)


def test_intensity_is_that_of_the_volume(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", VOXELS)
    for file in list_parts(path):
        image = Image(file, intensity=Intensity("percentile", 0, 100))
        np.testing.assert_allclose(image.read(), read_raw(file)[..., None] / VOXELS.max(), atol=1e-6)
        assert image.meta["pixel_size"] == (1000, 1000)


def break_file(path, change):
    data = bytearray(gzip.decompress(path.read_bytes()))
    change(data)
    path.write_bytes(gzip.compress(bytes(data)))


def set_bytes(place, values):
    def change(data):
        data[place : place + values.nbytes] = values.tobytes()

    return change


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda data: data.__delitem__(slice(400, None)), "truncated"),
        (lambda data: data.__delitem__(slice(200, None)), "NIfTI"),
        (set_bytes(42, np.array([3000, 3000, 3000], "<i2")), "cannot hold"),
        (set_bytes(42, np.array([0], "<i2")), "0 x 4 x 3"),
        (set_bytes(42, np.array([-5], "<i2")), "-5 x 4 x 3"),
        (set_bytes(70, np.array([32], "<i2")), "complex64"),
        (set_bytes(70, np.array([128], "<i2")), "kind"),
        (set_bytes(108, np.array([2e9], "<f4")), "2,000,000,000"),
        (set_bytes(280, np.full(12, np.nan, "<f4")), "affine"),
        (set_bytes(280, np.zeros(12, "<f4")), "affine"),
        (set_bytes(40, np.array([5, 5, 4, 3, 2, 2], "<i2")), "channels"),
        (set_bytes(344, np.frombuffer(b"ni1\0", np.uint8)), "NIfTI"),
    ],
)
def test_what_cannot_be_read_is_reported_in_one_sentence(tmp_path, change, found):
    path = write_nifti(tmp_path / "a.nii.gz", VOXELS)
    break_file(path, change)
    with pytest.raises(SegappError, match=found) as error:
        read_raw(list_parts(path)[0])
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_empty_truncated_and_foreign_files(tmp_path):
    (tmp_path / "empty.nii").write_bytes(b"")
    (tmp_path / "text.nii.gz").write_text("no image " * 100)
    (tmp_path / "other.nii.gz").write_bytes(gzip.compress(b"no NIfTI" * 1000))
    whole = write_nifti(tmp_path / "a.nii.gz", VOXELS).read_bytes()
    (tmp_path / "half.nii.gz").write_bytes(whole[: len(whole) // 2])
    plain = write_nifti(tmp_path / "a.nii", VOXELS).read_bytes()
    (tmp_path / "half.nii").write_bytes(plain[:-1])
    for name in ("empty.nii", "text.nii.gz", "other.nii.gz", "half.nii.gz", "half.nii"):
        with pytest.raises(SegappError, match=name):
            read_raw(list_parts(tmp_path / name)[0])


def test_damaged_voxels_are_not_read_as_others(tmp_path):
    whole = write_nifti(
        tmp_path / "a.nii.gz", np.random.default_rng(0).integers(0, 9999, (9, 9, 9), np.int16)
    ).read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(whole[:-80] + bytes(9) + whole[-71:])
    with pytest.raises(SegappError, match=r"b\.nii\.gz.*NIfTI"):
        read_raw(list_parts(tmp_path / "b.nii.gz")[0])


def test_a_bomb_is_not_decompressed(tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", VOXELS)
    data = bytearray(gzip.decompress(path.read_bytes()))
    path.write_bytes(gzip.compress(bytes(data) + bytes(2**24)))  # more than the header states
    np.testing.assert_array_equal(read_raw(list_parts(path)[0]), VOXELS[:, :, 0].T)
    data[42:48] = np.array([2000, 2000, 2000], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(data) + bytes(2**24), compresslevel=0))  # stated: 8e9 values of 16 bits
    with pytest.raises(SegappError, match="16,000,000,000"):
        list_parts(path)


def test_zeros_after_a_small_volume_are_not_read(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "a.nii.gz", VOXELS)
    path.write_bytes(path.read_bytes() + bytes(2**17))
    monkeypatch.setattr("gzip._GzipReader._read_eof", None)  # would read them one by one
    np.testing.assert_array_equal(read_raw(list_parts(path)[0]), VOXELS[:, :, 0].T)


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "a.nii", VOXELS)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(SegappError, match=r"a\.nii.*nibabel.*segapp\[medical\]"):
        list_parts(path)
