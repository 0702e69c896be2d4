"""Rows go in, a whole TIFF comes out, with what its image knew of the world."""

import threading

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import Image, MaskLayout, open_mask, read_raw, write_mask

GEO = {33550: (0.5, 0.5, 0.0), 33922: (0.0, 0.0, 0.0, 1000.0, 2000.0, 0.0), 34735: (1, 1, 0, 1, 3072, 0, 1, 32616)}


@pytest.mark.parametrize("shape", [(1, 1), (256, 256), (300, 700), (1000, 3)])
@pytest.mark.parametrize("compression", ["NONE", "LZW", "ZSTD", "JPEG", "ADOBE_DEFLATE"])
def test_what_went_in_comes_out(tmp_path, shape, compression):
    pixels = np.random.default_rng(0).integers(0, 20, shape, np.uint8)
    with open_mask(tmp_path / "a.tif", MaskLayout({"": shape}, {"compression": compression})) as writer:
        for top in range(0, shape[0], 97):
            writer.add(pixels[top : top + 97])
    assert (read_raw(tmp_path / "a.tif") == pixels).all()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        kept = {"NONE": "NONE", "LZW": "LZW", "ZSTD": "ZSTD"}.get(compression, "ADOBE_DEFLATE")
        assert file.pages[0].compression.name == kept and file.pages[0].is_tiled


def test_georeference_and_resolution_survive(tmp_path):
    extra = [(33550, "d", 3, GEO[33550], True), (33922, "d", 6, GEO[33922], True), (34735, "H", 8, GEO[34735], True)]
    pixels = np.zeros((30, 40), np.uint8)
    options = {"resolution": (20, 10), "resolutionunit": "CENTIMETER", "extratags": extra, "metadata": None}
    tifffile.imwrite(tmp_path / "in.tif", pixels, **options)
    meta = Image(tmp_path / "in.tif").meta
    assert meta["crs"] == "EPSG:32616" and meta["resolution"] == (10, 20, "centimeter")
    with open_mask(tmp_path / "out.tif", MaskLayout({"": (30, 40)}, meta)) as writer:
        writer.add(pixels)
    found = Image(tmp_path / "out.tif").meta
    assert {**found, "compression": None} == {**meta, "compression": None}


def test_the_pixel_size_of_a_microscope_survives(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 3, (300, 270), np.uint8)
    palette = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
    write_mask(tmp_path / "a.tif", pixels, palette, {"pixel_size": (0.25, 0.5)})
    assert Image(tmp_path / "a.tif").meta["pixel_size"] == pytest.approx((0.25, 0.5))
    assert (read_raw(tmp_path / "a.tif") == pixels).all() and (tifffile.imread(tmp_path / "a.tif") == pixels).all()


@pytest.mark.parametrize("sizes", [{}, {"PhysicalSizeX": 0.5, "PhysicalSizeY": 250.0, "PhysicalSizeYUnit": "nm"}])
@pytest.mark.parametrize("shape", [(300, 270), (1, 1)])
def test_the_mask_of_an_ome_tiff_is_one(tmp_path, shape, sizes):
    about = {"axes": "YX", **sizes}
    tifffile.imwrite(tmp_path / "in.ome.tif", np.zeros(shape, np.uint16), metadata=about, photometric="minisblack")
    meta = Image(tmp_path / "in.ome.tif").meta
    mask = np.random.default_rng(0).integers(0, 2, shape, np.uint8)
    write_mask(tmp_path / "out.ome.tif", mask, ((0, 0, 0), (255, 0, 0)), meta)
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        assert file.is_ome and file.pages.first.photometric == tifffile.PHOTOMETRIC.PALETTE
        (series,) = file.series
        assert series.axes == "YX" and (series.asarray() == mask).all()
    assert (read_raw(tmp_path / "out.ome.tif") == mask).all()
    found = Image(tmp_path / "out.ome.tif").meta
    assert found.get("pixel_size") == meta.get("pixel_size") == ((0.25, 0.5) if sizes else None)


def test_rows_that_stop_half_way_leave_no_file_and_no_thread(tmp_path):
    before = threading.active_count()
    path, layout = tmp_path / "a.tif", MaskLayout({"": (3000, 40)})
    with pytest.raises(SegappError, match="10 of 3000 rows"), open_mask(path, layout) as writer:
        writer.add(np.zeros((10, 40), np.uint8))
    with pytest.raises(KeyboardInterrupt), open_mask(path, layout) as writer:
        writer.add(np.zeros((10, 40), np.uint8))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [] and threading.active_count() == before


def test_a_full_disk_is_a_sentence_and_blocks_no_other(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    sentence = pytest.raises(SegappError, match=r"a\.tif: the disk is full")
    with sentence, open_mask(tmp_path / "a.tif", MaskLayout({"": (3000, 40)})) as writer:
        for _ in range(300):
            writer.add(np.zeros((10, 40), np.uint8))
    assert list(tmp_path.iterdir()) == []
