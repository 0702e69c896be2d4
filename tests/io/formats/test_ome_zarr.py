"""OME-Zarr: windows of what the zarr library wrote, and masks that it reads."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from segapp.errors import SegappError
from segapp.io import (
    FilePart,
    Image,
    MaskLayout,
    list_slices,
    open_image,
    open_mask,
    read_header,
    read_raw,
    read_shape,
    read_window,
    write_mask,
)
from segapp.spec import Intensity
from tests.io.ome_zarrs import change_json, make_multiscale, write_ome_zarr

RNG = np.random.default_rng(0)
PLANE = RNG.integers(0, 1000, (40, 50)).astype(np.uint16)
VOLUME = RNG.integers(0, 3, (5, 40, 50)).astype(np.uint8)
PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


@pytest.mark.parametrize("version", [2, 3])
def test_an_image_has_its_values_and_the_size_of_its_pixels(tmp_path, version):
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx", [4, 30], "nanometer", version)
    header = read_header(path)
    assert header.upright == (40, 50) and header.dtype == np.uint16
    assert header.meta["pixel_size"] == pytest.approx((0.004, 0.03))
    np.testing.assert_array_equal(read_raw(path), PLANE)
    np.testing.assert_array_equal(read_window(path, 3, 14, 30, 5)[..., 0], PLANE[3:33, 14:19])


def test_pixels_of_no_unit_are_not_measured(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx", [4, 30], unit=None)
    assert "pixel_size" not in read_header(path).meta


@pytest.mark.parametrize("axes", ["cyx", "tcyx"])
def test_channels_come_last(tmp_path, axes):
    values = RNG.random((2, 40, 50)).astype(np.float32)
    path = write_ome_zarr(tmp_path / "a.zarr", values.reshape((1, 2, 40, 50)[-len(axes) :]), axes)
    np.testing.assert_array_equal(read_raw(path), np.moveaxis(values, 0, 2))


@pytest.mark.parametrize("axes", ["zyx", "czyx", "tczyx"])
def test_slices_lie_across_z_whatever_their_distance(tmp_path, axes):
    path = write_ome_zarr(tmp_path / "a.ome.zarr", VOLUME[(None,) * (len(axes) - 3)], axes, [0.1] * len(axes))
    slices = list_slices(path, "auto")
    assert [each.part for each in slices] == [f"axial={z}" for z in range(5)]
    for file, values in zip(slices, VOLUME, strict=True):
        np.testing.assert_array_equal(read_raw(file), values)


def test_slices_across_other_axes_are_upright(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", VOLUME, "zyx", chunks=(2, 16, 16))
    for axis, expected in (("coronal", VOLUME[::-1].swapaxes(0, 1)), ("sagittal", VOLUME[::-1].transpose(2, 0, 1))):
        for file, values in zip(list_slices(path, axis), expected, strict=True):
            np.testing.assert_array_equal(read_raw(file), values)
            height, width = read_shape(file)
            window = read_window(file, 1, 3, height - 2, width - 4)[..., 0]
            np.testing.assert_array_equal(window, values[1:-1, 3:-1])


def test_neighbours_are_channels(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", VOLUME, "zyx")
    image = open_image(list_slices(path, "auto")[0], 3, Intensity("range", 0, 2), neighbours=1)
    np.testing.assert_allclose(image.read(), np.moveaxis(VOLUME[[0, 0, 1]], 0, 2) / 2)


def test_only_the_chunks_under_a_window_are_read(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx", chunks=(10, 10))
    for file in (path / "0").rglob("*"):
        if file.is_file() and file.name != ".zarray" and (file.parent.name, file.name) != ("1", "2"):
            file.write_bytes(b"broken")
    np.testing.assert_array_equal(read_window(path, 11, 21, 8, 7)[..., 0], PLANE[11:19, 21:28])
    with pytest.raises(SegappError, match=r"a\.zarr.*broken or truncated chunk"):
        read_window(path, 11, 21, 10, 7)


def test_chunks_that_are_not_stored_have_the_fill_value(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx", chunks=(20, 25), fill_value=7)
    (path / "0" / "1" / "0").unlink()
    expected = PLANE.copy()
    expected[20:, :25] = 7
    np.testing.assert_array_equal(read_raw(path), expected)


def test_label_images_are_named_as_arrays(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx")
    write_ome_zarr(path, (PLANE > 500).astype(np.uint8), "yx", group="labels/nuclei")
    np.testing.assert_array_equal(read_raw(FilePart(path, array="/labels/nuclei")), PLANE > 500)
    with pytest.raises(SegappError, match=r"a\.zarr.*/labels/nuclei"):
        read_raw(FilePart(path, array="/labels/cells"))


def test_the_array_of_the_largest_level_may_lie_deeper(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx", name="scale0/image")
    np.testing.assert_array_equal(read_raw(path), PLANE)


@pytest.mark.parametrize(("version", "axes"), [(2, "yx"), (3, "cyx"), (2, "zyx"), (3, "tczyx")])
def test_a_mask_has_the_axes_scale_and_unit_of_its_image(tmp_path, version, axes):
    shape = {"t": 1, "c": 2, "z": 3, "y": 40, "x": 50}
    values = RNG.integers(0, 9, [shape[axis] for axis in axes]).astype(np.uint16)
    scale = [0.5 + place for place in range(len(axes))]
    path = write_ome_zarr(tmp_path / "a.zarr", values, axes, scale, version=version)
    slices = list_slices(path, "auto")
    masks = {file.part: RNG.integers(0, 3, (40, 50)).astype(np.uint8) for file in slices}
    layout = MaskLayout(dict.fromkeys(masks, (40, 50)), read_header(slices[0]).meta, PALETTE, ("b", "r", "g"), 0)
    out = tmp_path / "out" / "m.zarr"
    for _ in range(2):  # replaces the first
        with open_mask(out, layout) as sink:
            for part, mask in masks.items():
                sink.add(mask, part)
    assert [file.name for file in out.parent.iterdir()] == ["m.zarr"]
    group = zarr.open_group(str(out), mode="r")
    attributes = dict(group.attrs) if version == 2 else group.attrs["ome"]
    (image,) = attributes["multiscales"]
    kept = axes.replace("c", "")
    assert [axis["name"] for axis in image["axes"]] == list(kept) and group.metadata.zarr_format == version
    assert {axis["unit"] for axis in image["axes"] if axis["name"] != "t"} == {"micrometer"}
    (step,) = image["datasets"][0]["coordinateTransformations"]
    assert step == {"type": "scale", "scale": [scale[axes.index(axis)] for axis in kept]}
    assert attributes["image-label"]["colors"][1] == {"label-value": 1, "rgba": [255, 0, 0, 255]}
    written = group["0"]
    assert written.dtype == np.uint8 and written.shape == tuple(shape[axis] for axis in kept)
    np.testing.assert_array_equal(written[...].reshape(len(slices), 40, 50), np.stack(list(masks.values())))
    np.testing.assert_array_equal(read_raw(list_slices(out, "auto")[0]), masks[slices[0].part])


def test_a_mask_of_other_images_is_not_written(tmp_path):
    with pytest.raises(SegappError, match=r"m\.zarr.*OME-Zarr images only"):
        write_mask(tmp_path / "m.zarr", VOLUME[0], PALETTE)
    assert not list(tmp_path.iterdir())


def test_a_changed_image_is_read_again(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx", chunks=(40, 50))
    assert Image(path).shape == (40, 50, 1) and read_raw(path).max() > 8
    zarr.open_array(str(path / "0"), mode="r+")[...] = 8
    np.testing.assert_array_equal(read_raw(path), np.full((40, 50), 8))


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(SegappError, match=r"a\.zarr.*zarr.*segapp\[bio\]"):
        read_raw(path)


def set_image(path: Path, **changes) -> None:
    change_json(path / ".zattrs", multiscales=[make_multiscale("yx") | changes])


def replace_by_link(file: Path) -> None:
    file.rename(file.parents[2] / "moved")
    file.symlink_to("moved")


def replace_by_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def replace_by_file(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.write_bytes(b"not a folder")


def name_array(path: Path, name: object) -> None:
    set_image(path, datasets=[{"path": name}])


OUTSIDE = "no path inside it"
BAD = {
    "no metadata": (lambda path: (path / ".zattrs").unlink(), "neither .zattrs nor zarr.json"),
    "empty": (lambda path: (path / ".zattrs").write_text(""), "empty"),
    "half": (lambda path: (path / ".zattrs").write_text('{"multiscales": ['), "no JSON"),
    "list": (lambda path: (path / ".zattrs").write_text("[]"), "no JSON object"),
    "deep": (lambda path: (path / ".zattrs").write_text("[" * 100_000), "no JSON"),
    "large": (lambda path: (path / ".zattrs").write_text(" " * (2**24 + 1)), "16,777,217 bytes"),
    "no image": (lambda path: (path / ".zattrs").write_text("{}"), "no multiscales"),
    "plate": (lambda path: (path / ".zattrs").write_text('{"plate": {}}'), "plate of several images"),
    "no array": (lambda path: (path / "0" / ".zarray").unlink(), "without the array '0'"),
    "wrong list": (lambda path: change_json(path / ".zattrs", multiscales=[]), "multiscales.*wrong"),
    "other axes": (lambda path: set_image(path, axes=[{"name": "y"}, {"name": "lambda"}]), r"axes \['y', 'lambda'\]"),
    "more axes": (lambda path: set_image(path, axes=[{"name": axis} for axis in "zyx"]), "2 values for 3 axes"),
    "no length": (
        lambda path: set_image(
            path, datasets=[{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [0, 1]}]}]
        ),
        "positive",
    ),
    "above": (lambda path: name_array(path, "../a.zarr/0"), OUTSIDE),
    "absolute": (lambda path: name_array(path, "/etc"), OUTSIDE),
    "no text": (lambda path: name_array(path, 0), OUTSIDE),
    "missing array": (lambda path: name_array(path, "1"), "without the array '1'"),
    "huge": (lambda path: change_json(path / "0" / ".zarray", shape=[2**40, 2**40]), "it is wrong"),
    "nothing stored": (
        lambda path: change_json(path / "0" / ".zarray", shape=[2**20, 2**20], chunks=[4096] * 2),
        "only",
    ),
    "negative": (lambda path: change_json(path / "0" / ".zarray", shape=[-1, 50]), "it is wrong"),
    "zero": (lambda path: change_json(path / "0" / ".zarray", chunks=[0, 50]), "chunks of 0 x 50"),
    "huge chunks": (lambda path: change_json(path / "0" / ".zarray", chunks=[2**20, 2**20]), "smaller"),
    "tiny chunks": (lambda path: change_json(path / "0" / ".zarray", shape=[9000, 9000], chunks=[1, 1]), "larger"),
    "objects": (lambda path: change_json(path / "0" / ".zarray", dtype="|O"), "objects are never read"),
    "fields": (lambda path: change_json(path / "0" / ".zarray", dtype=[["a", "<u2"]]), "integers or floats"),
    "filter": (lambda path: change_json(path / "0" / ".zarray", filters=[{"id": "pickle"}]), "filter 'pickle'"),
    "codec": (lambda path: change_json(path / "0" / ".zarray", compressor={"id": "json2"}), "codec 'json2'"),
    "no shape": (lambda path: change_json(path / "0" / ".zarray", shape="many"), "metadata of a Zarr array"),
    "truncated": (lambda path: (path / "0/0/0").write_bytes((path / "0/0/0").read_bytes()[:20]), "truncated chunk"),
    "long": (lambda path: (path / "0/0/0").write_bytes(bytes(2**20)), "1,048,576 bytes at 0 for 512"),
    "link": (lambda path: replace_by_link(path / "0/0/0"), "a link"),
    "linked metadata": (lambda path: replace_by_link(path / "0/.zarray"), "a link"),
    "pipe": (lambda path: replace_by_pipe(path / "0/0/0"), "a named pipe"),
    "pipe of metadata": (lambda path: replace_by_pipe(path / ".zattrs"), "a named pipe"),
    "file": (replace_by_file, "a file, and OME-Zarr is a folder"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_read_is_reported_in_one_sentence(tmp_path, name):
    change, found = BAD[name]
    path = write_ome_zarr(tmp_path / "a.zarr", PLANE, "yx")
    change(path)
    with pytest.raises(SegappError, match=found) as error:
        read_raw(path)
    assert "a.zarr" in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 500


def test_time_is_refused_by_name(tmp_path):
    path = write_ome_zarr(tmp_path / "a.zarr", VOLUME, "tyx")
    with pytest.raises(SegappError, match=r"a\.zarr: OME-Zarr of 5 time points"):
        read_raw(path)
