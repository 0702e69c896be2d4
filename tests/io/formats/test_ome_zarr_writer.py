"""Masks as OME-Zarr, opened by the zarr library."""

import json

import numpy as np
import pytest
import zarr

from segapp.errors import MisuseError, SegappError
from segapp.io import Image, MaskLayout, open_mask, streams_masks
from segapp.io.formats.ngff import read_multiscale
from segapp.io.formats.ome_zarr_writer import write_labels
from tests.io.ome_zarrs import write_ome_zarr


def test_a_mask_replaces_what_is_in_its_folder(tmp_path):
    image = write_ome_zarr(tmp_path / "a.zarr", np.zeros((2, 3, 40, 50), np.float32), "czyx", [1, 3, 2, 2])
    described = read_multiscale(image, "")
    mask = np.random.default_rng(0).integers(0, 9, (3, 40, 50)).astype(np.uint8)
    out = tmp_path / "out.zarr"
    for values in (mask[::-1], mask):
        write_labels(out, values, described, 2, MaskLayout({}))
    np.testing.assert_array_equal(zarr.open_array(str(out / "0"), mode="r")[...], mask)
    assert (out / "0" / ".zarray").is_file() and (out / "0" / "0" / "0" / "0").is_file()
    written = read_multiscale(out, "")
    assert written.axes == "zyx" and written.scale == (3, 2, 2) and "image-label" not in zarr.open_group(str(out)).attrs


def test_dimensions_of_version_0_5_have_the_names_of_the_axes(tmp_path):
    image = write_ome_zarr(tmp_path / "a.zarr", np.zeros((2, 3, 40, 50), np.uint8), "czyx", version=3)
    write_labels(tmp_path / "m.zarr", np.zeros((3, 40, 50), np.uint8), read_multiscale(image, ""), 3, MaskLayout({}))
    array = json.loads((tmp_path / "m.zarr" / "0" / "zarr.json").read_text())
    assert array["dimension_names"] == ["z", "y", "x"]


@pytest.mark.parametrize("axes", ["yx", "tcyx"])
def test_rows_of_a_plane_are_written_while_they_come(tmp_path, axes, monkeypatch):
    monkeypatch.setattr("segapp.io.formats.ome_zarr_writer.CHUNK", 16)
    values = np.random.default_rng(0).integers(0, 9, (70, 50)).astype(np.uint8)
    path = write_ome_zarr(tmp_path / "a.zarr", values[(None,) * (len(axes) - 2)], axes)
    layout = MaskLayout({"": (70, 50)}, Image(path).meta, ((0, 0, 0), (9, 9, 9)), ("a", "b"))
    assert streams_masks(path)
    with open_mask(tmp_path / "m.zarr", layout, lambda rows: (band + 1 for band in rows)) as sink:
        for top in range(0, 70, 7):
            sink.add(values[top : top + 7])
    written = zarr.open_array(str(tmp_path / "m.zarr" / "0"), mode="r")
    assert written.ndim == len(axes.replace("c", "")) and written.chunks[-2:] == (16, 16)
    np.testing.assert_array_equal(written[...].reshape(70, 50), values + 1)
    with pytest.raises(SegappError, match="7 of 70 rows"), open_mask(tmp_path / "n.zarr", layout) as sink:
        sink.add(values[:7])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zarr", "m.zarr"]


@pytest.mark.parametrize(
    "there", [["a.png"], ["0/a.png"], [".zgroup", "0/.zarray", "labels/.zgroup"], ["zarr.json", "s0/zarr.json"]]
)
def test_a_folder_that_is_more_than_a_mask_stays(tmp_path, there):
    folder = tmp_path / "masks.zarr"
    for name in there:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    image = write_ome_zarr(tmp_path / "a.zarr", np.zeros((4, 5), np.uint8), "yx")
    layout = MaskLayout({"": (4, 5)}, Image(image).meta)
    with pytest.raises(MisuseError, match=r"masks\.zarr: a folder with .* move it away"), open_mask(folder, layout):
        pass
    assert all((folder / name).is_file() for name in there)


@pytest.mark.parametrize("there", [[], [".zgroup", ".zattrs", "0/.zarray", "0/9/9"], ["zarr.json", "0/zarr.json"]])
def test_an_empty_folder_and_a_mask_are_replaced(tmp_path, there):
    folder = tmp_path / "mask.zarr"
    folder.mkdir()
    for name in there:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    image = write_ome_zarr(tmp_path / "a.zarr", np.zeros((4, 5), np.uint8), "yx")
    with open_mask(folder, MaskLayout({"": (4, 5)}, Image(image).meta)) as sink:
        sink.add(np.ones((4, 5), np.uint8))
    assert zarr.open_array(str(folder / "0"), mode="r")[...].all() and not (folder / "0" / "9").exists()
