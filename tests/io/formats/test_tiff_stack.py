"""Planes of a TIFF along z, time or both are the slices of one volume, and their masks are such a stack again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import MaskLayout, explain_unlike_volumes, list_slices, open_image, open_mask, read_raw
from segapp.io.file_part import FilePart
from segapp.io.formats import tiff, tiff_stack
from segapp.io.raw import read_grid, read_header, read_window

RANDOM = np.random.default_rng(0)
DEEP = RANDOM.integers(0, 60_000, (5, 30, 41)).astype(np.uint16)
COLOURED = RANDOM.integers(0, 255, (5, 2, 30, 41)).astype(np.uint8)
TIMED = RANDOM.integers(0, 60_000, (2, 3, 30, 41)).astype(np.uint16)
"""Two times of three slices."""
PALETTE = [(0, 0, 0), (255, 0, 0), (0, 128, 255)]
OME = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.3, "PhysicalSizeZ": 2, "PhysicalSizeZUnit": "µm"}
IMAGEJ = {"axes": "ZYX", "unit": "um", "spacing": 2.0}


def write(path: Path, kind: str, values: np.ndarray = DEEP, **how: Any) -> Path:
    how = {"photometric": "minisblack", **how}
    if kind == "ome":
        tifffile.imwrite(path, values, ome=True, **{"metadata": OME, **how})
    elif kind == "imagej":
        tifffile.imwrite(path, values, imagej=True, **{"metadata": IMAGEJ, "resolution": (5, 1 / 0.3), **how})
    else:
        tifffile.imwrite(path, values, **{"metadata": {"axes": "ZYX"}, **how})
    return path


@pytest.mark.parametrize("kind", ["ome", "imagej", "tifffile"])
@pytest.mark.parametrize("how", [{}, {"compression": "deflate", "tile": (16, 16)}, {"byteorder": ">"}], ids=str)
def test_slices_are_the_planes_of_the_file(tmp_path: Path, kind: str, how: dict[str, Any]) -> None:
    path = write(tmp_path / "a.tif", kind, **(how if kind != "imagej" or "byteorder" not in how else {}))
    files = list_slices(path, "auto")
    assert [file.part for file in files] == [f"axial={index}" for index in range(5)]
    for file, plane in zip(files, DEEP, strict=True):
        np.testing.assert_array_equal(read_raw(file), plane)
    np.testing.assert_array_equal(read_window(files[3], 7, 20, 9, 15)[..., 0], DEEP[3, 7:16, 20:35])


@pytest.mark.parametrize("how", [{}, {"compression": "deflate"}], ids=str)
def test_slices_across_another_axis(tmp_path: Path, how: dict[str, Any]) -> None:
    files = list_slices(write(tmp_path / "a.tif", "ome", **how), "coronal")
    assert len(files) == 30
    np.testing.assert_array_equal(read_raw(files[4])[::-1], DEEP[:, 4])  # rows from head to feet


@pytest.mark.parametrize(
    ("axes", "order"), [("ZCYX", (0, 1, 2, 3)), ("CZYX", (1, 0, 2, 3)), ("ZYXS", (0, 2, 3, 1)), ("TCYX", (0, 1, 2, 3))]
)
@pytest.mark.parametrize("how", [{}, {"compression": "deflate", "tile": (16, 16)}], ids=str)
def test_channels_are_those_of_each_plane(tmp_path: Path, axes: str, order: Any, how: dict[str, Any]) -> None:
    values = np.ascontiguousarray(COLOURED.transpose(order))
    planes = {"planarconfig": "contig"} if axes.endswith("S") else {}
    path = write(tmp_path / "a.tif", "", values, metadata={"axes": axes}, **planes, **how)
    files = list_slices(path, "auto")
    assert (len(files), read_header(files[0]).bands) == (5, 2)
    np.testing.assert_array_equal(read_raw(files[2]), COLOURED[2].transpose(1, 2, 0))


def test_a_large_compressed_stack_is_decoded_plane_by_plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.tif", "ome", compression="deflate", tile=(16, 16))
    monkeypatch.setattr(tiff, "HELD", 1000)
    monkeypatch.setattr(tiff_stack, "MAX_BYTES", 1000)
    np.testing.assert_array_equal(read_raw(list_slices(path, "axial")[1]), DEEP[1])
    with pytest.raises(SegappError, match="Save it without compression"):
        read_raw(list_slices(path, "coronal")[1])


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_distances_are_those_that_the_file_states(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.tif", kind)
    grid = read_grid(FilePart(path))
    assert grid is not None
    assert grid.spacing == pytest.approx((0.2e-3, 0.3e-3, 2e-3))
    assert read_header(list_slices(path, "axial")[0]).meta["pixel_size"] == pytest.approx((0.3, 0.2))


@pytest.mark.parametrize("kind", ["ome", "imagej", "tifffile"])
def test_masks_are_a_stack_of_the_same_kind(tmp_path: Path, kind: str) -> None:
    files = list_slices(write(tmp_path / "a.tif", kind), "auto")
    masks = RANDOM.integers(0, 3, (5, 30, 41)).astype(np.uint8)
    layout = MaskLayout({file.part: (30, 41) for file in files}, read_header(files[0]).meta, PALETTE)
    with open_mask(tmp_path / "mask.tif", layout) as rows:
        for file, mask in zip(files, masks, strict=True):
            rows.add(mask, file.part)
    with tifffile.TiffFile(tmp_path / "mask.tif") as written:
        assert (written.is_ome, written.is_imagej) == (kind == "ome", kind == "imagej")
        assert written.series[0].axes == "ZYX"
        np.testing.assert_array_equal(written.asarray(), masks)
    again = list_slices(tmp_path / "mask.tif", "auto")
    np.testing.assert_array_equal(read_raw(again[2]), masks[2])
    before, after = read_grid(files[0]), read_grid(again[0])
    assert before is not None and after is not None
    assert after.spacing == pytest.approx(before.spacing, rel=1e-4)


HOW = [{}, {"compression": "deflate", "tile": (16, 16)}]


def write_timed(path: Path, kind: str, axes: str = "TZYX", values: np.ndarray = TIMED, **how: Any) -> Path:
    metadata = {**{"ome": OME, "imagej": IMAGEJ}.get(kind, {}), "axes": axes}
    return write(path, kind, np.ascontiguousarray(values), metadata=metadata, **how)


@pytest.mark.parametrize(("kind", "how"), [("ome", HOW[0]), ("ome", HOW[1]), ("imagej", HOW[0]), ("tifffile", HOW[0])])
def test_slices_at_several_times_follow_one_another(tmp_path: Path, kind: str, how: dict[str, Any]) -> None:
    files = list_slices(write_timed(tmp_path / "a.tif", kind, **how), "auto")
    assert [file.part for file in files] == [f"axial={index}" for index in range(6)]
    for file, plane in zip(files, TIMED.reshape(6, 30, 41), strict=True):
        np.testing.assert_array_equal(read_raw(file), plane)


@pytest.mark.parametrize("axes", ["TZCYX", "TCZYX", "CTZYX", "ZTCYX", "ZCTYX"])
@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("held", [0, 2**28])
def test_times_come_before_z_in_any_order_of_the_file(
    tmp_path: Path, axes: str, how: dict[str, Any], held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiff, "HELD", held)
    values = RANDOM.integers(0, 255, (2, 3, 4, 30, 41)).astype(np.uint8)
    order = ["TZCYX".index(axis) for axis in axes]
    files = list_slices(write_timed(tmp_path / "a.tif", "", axes, values.transpose(order), **how), "auto")
    assert (len(files), read_header(files[0]).bands) == (6, 4)
    np.testing.assert_array_equal(read_raw(files[4]), values[1, 1].transpose(1, 2, 0))
    np.testing.assert_array_equal(read_window(files[2], 7, 20, 9, 15), values[0, 2, :, 7:16, 20:35].transpose(1, 2, 0))


@pytest.mark.parametrize("how", HOW, ids=str)
def test_slices_across_another_axis_are_of_one_time(tmp_path: Path, how: dict[str, Any]) -> None:
    path = write_timed(tmp_path / "a.tif", "ome", **how)
    coronal, sagittal = list_slices(path, "coronal"), list_slices(path, "sagittal")
    assert (len(coronal), len(sagittal)) == (2 * 30, 2 * 41)
    np.testing.assert_array_equal(read_raw(coronal[34])[::-1], TIMED[1, :, 4])  # rows from head to feet
    np.testing.assert_array_equal(read_raw(sagittal[40])[::-1], TIMED[0, :, :, 40])


def test_neighbours_are_slices_of_the_same_time(tmp_path: Path) -> None:
    values = TIMED.astype(np.uint8)
    files = list_slices(write_timed(tmp_path / "a.tif", "imagej", values=values), "auto")
    last, first = (open_image(files[index], neighbours=1).read() for index in (2, 3))
    np.testing.assert_array_equal(last, values[0, [1, 2, 2]].transpose(1, 2, 0))
    np.testing.assert_array_equal(first, values[1, [0, 0, 1]].transpose(1, 2, 0))


@pytest.mark.parametrize(("kind", "axes"), [("ome", "TZYX"), ("ome", "ZTYX"), ("imagej", "TZYX"), ("tifffile", "TZYX")])
@pytest.mark.parametrize("across", ["axial", "coronal"])
def test_masks_of_several_times_have_them_too(tmp_path: Path, kind: str, axes: str, across: Any) -> None:
    stored = TIMED if axes.startswith("T") else TIMED.swapaxes(0, 1)
    image = write_timed(tmp_path / "a.tif", kind, axes, stored)
    files, values = list_slices(image, across), (TIMED % 3).astype(np.uint8)
    header = read_header(files[0])
    layout = MaskLayout({file.part: header.upright for file in files}, header.meta, PALETTE)
    with open_mask(tmp_path / "mask.tif", layout) as rows:
        for file in files:
            rows.add((read_raw(file) % 3).astype(np.uint8), file.part)
    with tifffile.TiffFile(tmp_path / "mask.tif") as written:
        assert (written.is_ome, written.is_imagej) == (kind == "ome", kind == "imagej")
        assert written.series[0].axes == "TZYX"
        np.testing.assert_array_equal(written.asarray(), values)
    assert explain_unlike_volumes(image, tmp_path / "mask.tif") is None
    before, after = read_grid(files[0]), read_grid(FilePart(tmp_path / "mask.tif"))
    assert before is not None and after is not None
    assert after.spacing == pytest.approx(before.spacing, rel=1e-4)


@pytest.mark.parametrize(("shape", "axes"), [((3, 2), "TZYX"), ((6,), "ZYX"), ((6,), "TYX")])
def test_masks_of_other_times_are_refused(tmp_path: Path, shape: tuple[int, ...], axes: str) -> None:
    image = write_timed(tmp_path / "a.tif", "ome")
    mask = write_timed(tmp_path / "mask.tif", "", axes, np.zeros((*shape, 30, 41), np.uint8))
    sizes = " x ".join(map(str, (*shape, 30, 41)))
    assert f"have 2 x 3 x 30 x 41 and {sizes} voxels" in (explain_unlike_volumes(image, mask) or "")


def test_many_pages_without_a_name_are_slices_and_few_may_be_channels(tmp_path: Path) -> None:
    values = RANDOM.integers(0, 255, (20, 30, 41)).astype(np.uint8)
    many = write(tmp_path / "many.tif", "", values, metadata=None)
    assert len(list_slices(many, "auto")) == 20
    np.testing.assert_array_equal(read_raw(list_slices(many, "auto")[19]), values[19])
    nested = write(tmp_path / "nested.tif", "", values[None], metadata={})  # two axes of one letter
    np.testing.assert_array_equal(read_raw(list_slices(nested, "auto")[19]), values[19])
    few = write(tmp_path / "few.tif", "", values[:5], metadata=None)
    assert len(list_slices(few, "auto")) == 1
    assert "'ZYX' for slices" in (read_header(few).pages_advice or "")


@pytest.mark.parametrize(
    ("shape", "axes", "words"),
    [
        ((2, 3, 30, 41), "QZYX", "does not say which pages are slices of one time"),
        ((2, 3, 30, 41), "QQYX", "does not say which pages are slices of one time"),
        ((2, 20, 3, 30, 41), "TCZYX", "up to 16 channels"),
        ((3, 20, 30, 41), "ZCYX", "up to 16 channels"),
        ((3, 2, 30, 41, 3), "ZCYXS", "one axis of up to 16 channels"),
    ],
)
def test_other_stacks_are_refused_in_a_sentence(tmp_path: Path, shape: Any, axes: str, words: str) -> None:
    path = write(
        tmp_path / "a.tif",
        "",
        np.zeros(shape, np.uint8),
        metadata={"axes": axes},
        photometric="rgb" if axes.endswith("S") else "minisblack",
    )
    with pytest.raises(SegappError, match=words):
        list_slices(path, "auto")


def test_a_compressed_stack_with_a_page_for_each_row_is_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tif", "", np.zeros((5, 30, 41, 2), np.uint8), metadata={"axes": "ZYXS"}, compression="lzw"
    )
    with pytest.raises(SegappError, match="a page per row"):
        list_slices(path, "auto")


def test_a_stack_that_ends_early_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", "imagej")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SegappError, match="truncated TIFF"):
        for file in list_slices(path, "auto"):
            read_raw(file)
