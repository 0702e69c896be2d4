"""One value per pixel, in the image's own format where it can hold masks."""

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import Image, read_raw
from segapp.prediction import outputs, stored_image
from segapp.prediction.writers.plane import PlaneWriter
from segapp.prediction.writers.writer import ImageInfo
from tests.inference.checkpoints import make_spec
from tests.prediction.predicting import files, make_run, put, scene, table


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_a_large_tiff_is_streamed_to_the_same_files(run, tmp_path, monkeypatch):
    """Mask, uncertainty and probabilities never whole in memory; georeference and resolution of the image kept."""
    pixels, _ = scene(700, 530)
    path = tmp_path / "images" / "a.tif"
    geo = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 1000.0, 2000.0, 0.0), True)]
    geo.append((34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32632), True))
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(128, 128), compression="lzw", extratags=geo, metadata=None)
    kinds = ["mask", "uncertainty", "probability", "overlay", "contours"]
    assert run(kinds) == 0
    monkeypatch.setattr(stored_image, "PREFETCHED_PIXELS", 1)
    monkeypatch.setattr(outputs, "STREAMED_FROM", 1)
    assert run(kinds, output=str(tmp_path / "streamed")) == 0
    for kind in kinds:
        (whole,), (streamed,) = ((tmp_path / out / kind).iterdir() for out in ("out", "streamed"))
        if kind in ("mask", "uncertainty", "overlay"):
            assert (read_raw(whole) == read_raw(streamed)).all()
        else:
            assert whole.read_bytes() == streamed.read_bytes()
    assert (tmp_path / "out" / "per_image.csv").read_text() == (tmp_path / "streamed" / "per_image.csv").read_text()
    for out in ("out", "streamed"):
        meta = Image(tmp_path / out / "mask" / "a.tif").meta
        assert meta["affine"] == (1000.0, 0.5, 0.0, 2000.0, 0.0, -0.5) and meta["compression"] == "LZW"
    (row,) = table(tmp_path / "out")
    assert row["unit"] == "m²" and float(row["cell/area"]) == int(row["cell/pixels"]) * 0.25


def test_masks_of_formats_that_cannot_hold_them_are_png(run, tmp_path):
    pixels, truth = scene(40, 50)
    for name in ("a.webp", "b.jp2", "c.bmp"):
        put(tmp_path / "images", name, pixels)
    assert run() == 0
    assert files(tmp_path / "out") == ["mask/a.png", "mask/b.png", "mask/c.png"]
    for name in ("b", "c"):  # b is reversible, as Pillow writes it
        assert (read_raw(tmp_path / "out" / "mask" / f"{name}.png") == truth).all()


class Plane(PlaneWriter):
    """A plane whose streamed rows are one higher."""

    name = "plane"

    def transform_rows(self, rows):
        return (band + 1 for band in rows)


def test_blocks_become_rows_and_rows_a_file(tmp_path):
    values = np.arange(7 * 9, dtype=np.uint8).reshape(7, 9)
    with Plane(tmp_path / "a.tif", ImageInfo("a", (7, 9), make_spec(), streamed=True)) as writer:
        for y in range(0, 7, 3):
            for x in range(0, 9, 4):
                writer.stream(x, values[y : y + 3, x : x + 4])
    assert (read_raw(tmp_path / "a.tif").squeeze() == values + 1).all()
    Plane(tmp_path / "b.png", ImageInfo("b", (7, 9), make_spec())).write_plane(values)
    assert (read_raw(tmp_path / "b.png").squeeze() == values).all()


def test_rows_that_are_missing_leave_no_file(tmp_path):
    with (
        pytest.raises(SegappError),
        Plane(tmp_path / "a.tif", ImageInfo("a", (7, 9), make_spec(), streamed=True)) as writer,
    ):
        writer.stream(0, np.zeros((3, 9), np.uint8))
    assert list(tmp_path.iterdir()) == []
