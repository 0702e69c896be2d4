"""Masks as OME-Zarr, opened by the zarr library."""

import numpy as np
import zarr

from segapp.io.formats.ngff import read_multiscale
from segapp.io.formats.ome_zarr_writer import write_labels
from segapp.io.formats.zarr_array import read_zarr_array
from tests.io.ome_zarrs import write_ome_zarr


def test_a_mask_replaces_what_is_in_its_folder(tmp_path):
    image = write_ome_zarr(tmp_path / "a.zarr", np.zeros((2, 3, 40, 50), np.float32), "czyx", [1, 3, 2, 2])
    described, array = read_multiscale(image, ""), read_zarr_array(image, "0")
    mask = np.random.default_rng(0).integers(0, 9, (3, 40, 50)).astype(np.uint8)
    out = tmp_path / "out.zarr"
    for values in (mask[::-1], mask):
        write_labels(out, values, described, array)
    np.testing.assert_array_equal(zarr.open_array(str(out / "0"), mode="r")[...], mask)
    assert (out / "0" / ".zarray").is_file() and (out / "0" / "0" / "0" / "0").is_file()
    written = read_multiscale(out, "")
    assert written.axes == "zyx" and written.scale == (3, 2, 2) and "image-label" not in zarr.open_group(str(out)).attrs
