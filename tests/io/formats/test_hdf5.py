"""HDF5: arrays found by their names, with nothing of other files."""

import sys

import h5py
import numpy as np
import pytest

from segapp.datasets import Folder, Fraction
from segapp.errors import SegappError
from segapp.io import FilePart, Image, list_slices, read_header, read_raw, split_array, write_mask

VALUES = np.arange(24, dtype=np.float32).reshape(4, 6)
VOLUME = np.random.default_rng(0).integers(0, 3, (3, 5, 7)).astype(np.uint8)


def write(path, arrays, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values, **options)
    return path


def test_the_only_array_needs_no_name(tmp_path):
    path = write(tmp_path / "a.h5", {"deep/raw": VOLUME, "x": np.arange(4)}, compression="gzip", shuffle=True)
    parts = list_slices(path, "auto")
    assert [part.part for part in parts] == ["axial=0", "axial=1", "axial=2"]
    for part, values in zip(parts, VOLUME, strict=True):
        np.testing.assert_array_equal(read_raw(part), values)


def test_arrays_are_named(tmp_path):
    path = write(tmp_path / "a.hdf5", {"image": VALUES, "group/label": VALUES > 3, "colour": VOLUME[..., :3]})
    np.testing.assert_array_equal(read_raw(FilePart(path, array="/image")), VALUES)
    np.testing.assert_array_equal(read_raw(FilePart(path, array="/group/label")), VALUES > 3)
    assert Image(FilePart(path, array="/colour")).shape == (3, 5, 3)
    for array in ("", "/other", "/group", "/image/deep"):
        with pytest.raises(SegappError, match=r"a\.hdf5.*/(image|group)"):
            read_raw(FilePart(path, array=array))


def test_names_follow_a_colon(tmp_path):
    assert split_array("a/{name}.h5:/g/image") == ("a/{name}.h5", "/g/image")
    for pattern in ("a/*.h5", "C:/folder", "a.h5:image", "a.h5:/"):
        assert split_array(pattern)[1] in ("", "/folder")


def test_images_and_masks_of_one_file(tmp_path):
    for name in "abc":
        write(tmp_path / "slices" / f"{name}.h5", {"image": VALUES, "label": (VALUES > 3).astype(np.uint8)})
        write(tmp_path / "volumes" / f"{name}.h5", {"g/raw": VOLUME, "g/label": VOLUME})
    folder = Folder(tmp_path, ("a", "b"), "slices/*.h5:/image", "slices/{name}.h5:/label", Fraction(0.4))
    assert list(folder.problems()) == [] and folder.item_names() == ["a", "b", "c"]
    np.testing.assert_array_equal(folder.select(["b"])[0].mask.read(), VALUES > 3)
    folder = Folder(tmp_path, "xyz", "volumes:/g/raw", "volumes:/g/label", Fraction(0.4), neighbours=1)
    assert list(folder.problems()) == [] and folder.item_names()[:2] == ["a/axial=0", "a/axial=1"]
    (item,) = folder.select(["b/axial=1"])
    np.testing.assert_array_equal(item.mask.read(), VOLUME[1])
    assert item.image.read().shape == (5, 7, 3) and {each.group for each in folder.items("train")} < {*"abc"}


def test_a_mask_is_an_array_of_the_images_name(tmp_path):
    path = write(tmp_path / "a.h5", {"image": VALUES, "label": VALUES})
    meta = read_header(FilePart(path, array="/image")).meta
    mask = (VALUES > 3).astype(np.uint8)
    write_mask(tmp_path / "m.h5", mask, ((0, 0, 0), (1, 1, 1)), meta)
    with h5py.File(tmp_path / "m.h5") as file:
        assert list(file) == ["image"] and file["image"].dtype == np.uint8
        np.testing.assert_array_equal(file["image"][()], mask)


def add_links(path):
    with h5py.File(path, "w") as file:
        file["image"] = h5py.ExternalLink(str(path.with_name("other.h5")), "/image")
        file["soft"] = h5py.SoftLink("/image")


def add_virtual(path):
    layout = h5py.VirtualLayout((4, 6), "f4")
    layout[:] = h5py.VirtualSource(str(path.with_name("other.h5")), "image", (4, 6))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("image", layout)


def add_external(path):
    path.with_name("raw.bin").write_bytes(VALUES.tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("image", (4, 6), "f4", external=[("raw.bin", 0, VALUES.nbytes)])


def add_chunks(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("image", (4, 6), "f8", chunks=(2**13, 2**13), maxshape=(None, None))


def add_plugin(path):
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((4, 6))
        plist.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, ())
        h5py.h5d.create(file.id, b"image", h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((4, 6)), plist)


BAD = {
    "links": (add_links, "link"),
    "virtual": (add_virtual, "other files"),
    "external": (add_external, "other files"),
    "chunks": (add_chunks, "chunks"),
    "plugin": (add_plugin, "plugin 32001"),
    "compound": (lambda path: write(path, {"image": np.zeros((3, 3), [("a", "u1")])}), "integers or floats"),
    "text": (lambda path: write(path, {"image": np.full((3, 3), b"text")}), "integers or floats"),
    "axes": (lambda path: write(path, {"image": np.zeros((1, 2, 3, 4, 5))}), "1 x 2 x 3 x 4 x 5"),
    "empty": (lambda path: write(path, {"image": np.zeros((0, 5))}), "0 x 5"),
    "bomb": (lambda path: write(path, {}) and make_huge(path), "cannot hold"),
    "half": (lambda path: path.write_bytes(write(path, {"image": VALUES}).read_bytes()[:600]), "HDF5"),
    "nothing": (lambda path: path.write_bytes(b""), "empty"),
}


def make_huge(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("image", (2**20, 2**18), "u1", chunks=(64, 64))


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_read_is_reported_in_one_sentence(tmp_path, name):
    change, found = BAD[name]
    path = tmp_path / "a.h5"
    write(tmp_path / "other.h5", {"image": VALUES})
    change(path)
    with pytest.raises(SegappError, match=found) as error:
        read_raw(FilePart(path, array="/image"))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    path = write(tmp_path / "a.h5", {"image": VALUES})
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(SegappError, match=r"a\.h5.*h5py.*segapp\[hdf5\]"):
        read_raw(path)
