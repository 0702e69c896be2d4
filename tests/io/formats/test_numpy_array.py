"""NumPy arrays: images and stacks of them, and arrays that are refused."""

import zipfile

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import FilePart, Image, MaskLayout, list_parts, list_slices, open_mask, read_raw, read_shape
from segapp.io.formats.numpy_array import NumpyArray

STACK = np.random.default_rng(0).integers(0, 1000, (6, 7, 8), np.uint16)


@pytest.fixture(params=[".npy", ".npz"])
def save(request, tmp_path):
    def save(values, name="a"):
        path = tmp_path / f"{name}{request.param}"
        np.save(path, values) if request.param == ".npy" else np.savez_compressed(path, values)
        return path

    return save


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_slices(save, order):
    path = save(np.asarray(STACK, order=order))
    parts = list_parts(path)
    assert [part.part for part in parts] == [f"axial={index}" for index in range(6)]
    for part, values in zip(parts, STACK, strict=True):
        np.testing.assert_array_equal(read_raw(part), values)
    assert "pixel_size" not in Image(parts[0]).meta
    assert len(list_slices(path, "sagittal")) == 8


@pytest.mark.parametrize("shape", [(7, 8), (7, 8, 1), (7, 8, 3), (7, 8, 4)])
def test_arrays_of_one_image(save, shape):
    values = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    path = save(values)
    assert list_parts(path) == (FilePart(path),)
    assert Image(path).shape == (7, 8, values.size // 56)
    np.testing.assert_array_equal(Image(path).read(), values.reshape(7, 8, -1))


def test_slices_of_channels_and_other_types(save):
    values = np.random.default_rng(0).random((2, 5, 6, 5))
    np.testing.assert_array_equal(read_raw(list_parts(save(values))[1]), values[1])
    for dtype in (bool, ">i2", "<f4", np.int64):
        values = (STACK[0] % 2).astype(dtype)
        np.testing.assert_array_equal(read_raw(save(values, np.dtype(dtype).name)), values)


@pytest.mark.parametrize("values", [STACK, STACK[0], STACK[:, :, :3]])
def test_masks_are_arrays_of_the_same_shape(save, values):
    path = save(values)
    out = path.with_name(f"out{path.suffix}")
    parts = list_parts(path)
    masks = {
        part.part: (read_raw(part).reshape(*read_shape(part), -1)[..., 0] > 500).astype(np.uint8) for part in parts
    }
    with open_mask(out, MaskLayout({part: mask.shape for part, mask in masks.items()}, Image(parts[0]).meta)) as writer:
        for part, mask in masks.items():
            writer.add(mask, part)
    written = np.load(out)
    written = written["mask"] if out.suffix == ".npz" else written
    assert written.dtype == np.uint8
    np.testing.assert_array_equal(written, (values if values.shape[-1] > 4 else values[..., 0]) > 500)


def test_a_plain_file_is_mapped_and_a_compressed_one_decoded_once(tmp_path, monkeypatch):
    decoded = []
    decode = NumpyArray.decode
    monkeypatch.setattr(
        NumpyArray, "decode", lambda self, *given: decoded.append(given[0].name) or decode(self, *given)
    )
    np.save(tmp_path / "plain.npy", STACK)
    np.savez_compressed(tmp_path / "packed.npz", STACK)
    for name in ("plain.npy", "packed.npz"):
        for part in list_parts(tmp_path / name):
            read_raw(part)
    assert decoded == ["packed.npz"]


def write_header(path, shape, dtype="<u2", data=b""):
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
        file.write(data)


def test_what_cannot_be_read_is_reported_in_one_sentence(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([[{}, 1]], object), allow_pickle=True)
    np.save(tmp_path / "fields.npy", np.zeros((3, 4), [("a", "u1")]))
    np.save(tmp_path / "complex.npy", np.zeros((3, 4), complex))
    np.save(tmp_path / "row.npy", np.zeros(4))
    np.save(tmp_path / "many.npy", np.zeros((1, 1, 1, 1, 1)))
    np.save(tmp_path / "nothing.npy", np.zeros((0, 4)))
    write_header(tmp_path / "short.npy", (3, 4), data=bytes(23))
    write_header(tmp_path / "huge.npy", (2**30, 2**30))
    np.savez(tmp_path / "two.npz", np.zeros((3, 4)), np.zeros((3, 4)))
    write_header(tmp_path / "bomb", (2**14, 2**14))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "bomb", "a.npy")
    with zipfile.ZipFile(tmp_path / "bzip.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.write(tmp_path / "objects.npy", "a.npy")
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("1, 2, 3")
    whole = (tmp_path / "two.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    for path in sorted([*tmp_path.glob("*.npy"), *tmp_path.glob("*.npz")]):
        with pytest.raises(SegappError, match=path.name):
            read_raw(list_parts(path)[0])
