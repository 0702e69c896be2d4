"""How stored values are scaled and normalised."""

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import FilePart
from segapp.planning.intensity import choose_intensity, choose_normalisation
from tests.datasets.annotations.georeferenced import write_geotiff
from tests.planning.fingerprints import facts, fingerprint


@pytest.mark.parametrize(("minimum", "kind"), [(-1000, "range"), (0, "percentile")])
def test_values_of_ct_keep_their_meaning(tmp_path, minimum, kind):
    values = np.linspace(minimum, 3000, 64 * 64).reshape(64, 64)
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.int16))
    (decision,) = choose_intensity([tmp_path / "a.tif"])
    assert decision.value["kind"] == kind


def test_images_of_8_bits_need_nothing_and_16_bits_their_own_percentiles(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint8))
    assert choose_intensity([tmp_path / "a.tif"]) == []
    tifffile.imwrite(tmp_path / "b.tif", np.arange(64, dtype=np.uint16).reshape(8, 8))
    (decision,) = choose_intensity([tmp_path / "b.tif"], prefix="place")
    assert decision.setting == "place.intensity"
    assert decision.value == {"kind": "percentile", "low": 0.5, "high": 99.5}


def test_the_range_of_ct_is_that_of_all_images(tmp_path):
    for name, highest in (("a", 1000), ("b", 3000)):
        values = np.linspace(-1000, highest, 64 * 64).reshape(64, 64)
        tifffile.imwrite(tmp_path / f"{name}.tif", values.astype(np.float32))
    (decision,) = choose_intensity([tmp_path / "a.tif", tmp_path / "b.tif"])
    assert decision.value["low"] == pytest.approx(-1000 + 0.005 * 3000, abs=1)  # the mean of 2000 and 4000
    assert decision.value["high"] == pytest.approx(2000 - 0.005 * 3000, abs=1)


def test_an_unreadable_image_is_passed_over_unless_all_are(tmp_path):
    (tmp_path / "broken.tif").write_bytes(b"II*")
    tifffile.imwrite(tmp_path / "b.tif", np.ones((8, 8), np.uint16))
    assert len(choose_intensity([tmp_path / "broken.tif", tmp_path / "b.tif"])) == 1
    with pytest.raises(SegappError, match=r"broken\.tif"):
        choose_intensity([tmp_path / "broken.tif"])


def test_a_constant_channel_is_divided_by_a_small_number():
    mean, std = choose_normalisation(fingerprint(facts("a", mean=(0.25, 0.5)), facts("b", mean=(0.75, 0.5))))
    assert mean.value == [0.5, 0.5]
    assert std.value == [pytest.approx(np.sqrt(0.04 + 0.0625), abs=1e-4), 0.2]
    flat = facts("a")
    flat.variance[:] = 0
    assert choose_normalisation(fingerprint(flat))[1].value == [0.02]


def test_ct_has_the_range_of_its_labelled_pixels(tmp_path):
    image = np.full((60, 60), -1000, np.int16)
    image[:40, :40] = np.linspace(0, 100, 1600).reshape(40, 40)
    tifffile.imwrite(tmp_path / "a.tif", image)
    tifffile.imwrite(tmp_path / "m.tif", (image >= 0).astype(np.uint8))
    files, masks = [tmp_path / "a.tif"], [[FilePart(tmp_path / "m.tif")]]
    (decision,) = choose_intensity(files, (), masks)
    assert decision.value["kind"] == "range" and 0 <= decision.value["low"] < 5 and 95 < decision.value["high"] <= 100
    assert choose_intensity(files)[0].value["low"] == -1000
    assert choose_intensity(files, ("T1",), masks)[0].value["kind"] == "percentile"
    tifffile.imwrite(tmp_path / "a.tif", image + 1000)
    assert choose_intensity(files, ("CT",), masks)[0].value["kind"] == "range"
    assert choose_intensity(files, ("CT", "PET"), masks)[0].value["kind"] == "percentile"


def test_pixels_without_a_number_do_not_hide_those_of_ct(tmp_path):
    values = np.linspace(-1000, 3000, 64 * 64, dtype=np.float32).reshape(64, 64)
    values[0, :9] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", values)
    tifffile.imwrite(tmp_path / "mask.tif", (values > 0).astype(np.uint8))
    (decision,) = choose_intensity([tmp_path / "a.tif"], masks=[[FilePart(tmp_path / "mask.tif")]])
    assert decision.value["kind"] == "range" and 0 < decision.value["low"] < decision.value["high"]
    assert "nan" not in decision.reason
    tifffile.imwrite(tmp_path / "empty.tif", np.full((4, 4), np.nan, np.float32))
    with pytest.raises(SegappError, match=r"empty\.tif: holds nothing but NaN"):
        choose_intensity([tmp_path / "empty.tif"])


GDAL_NODATA = 42113


@pytest.mark.parametrize(
    ("low", "high", "nodata", "dtype"),
    [
        (200, 800, -9999, np.float32),
        (0, 10000, -9999, np.int16),
        (-500, 3000, -32768, np.int16),
        (0, 1, float(np.finfo(np.float32).min), np.float32),
    ],
    ids=["heights", "reflectances", "16 bits", "lowest float"],
)
def test_nodata_that_is_not_declared_is_no_value_of_ct(tmp_path, low, high, nodata, dtype):
    values = np.linspace(low, high, 64 * 64).reshape(64, 64).astype(dtype)
    values[:9] = nodata
    tifffile.imwrite(tmp_path / "a.tif", values)
    (decision,) = choose_intensity([tmp_path / "a.tif"])
    assert decision.value["kind"] == "percentile"
    text = f"{nodata:.17g}"
    assert f"{text}, far below all other values" in decision.reason and f"-a_nodata {text} FILE" in decision.reason
    assert f"to {high:.4g}" in decision.reason and dtype(float(text)) == nodata


def test_depths_on_a_map_are_no_ct(tmp_path):
    depths = np.linspace(-4000, 200, 64 * 64, dtype=np.float32).reshape(64, 64)
    (tmp_path / "a.tif").write_bytes(b"II*")
    write_geotiff(tmp_path / "b.tif", pixels=depths)
    (decision,) = choose_intensity([tmp_path / "a.tif", tmp_path / "b.tif"])
    assert decision.value["kind"] == "percentile"
    tifffile.imwrite(tmp_path / "b.tif", depths)
    (decision,) = choose_intensity([tmp_path / "a.tif", tmp_path / "b.tif"])
    assert decision.value["kind"] == "range"


def test_nodata_that_is_declared_is_no_value(tmp_path):
    values = np.linspace(200, 800, 64 * 64, dtype=np.float32).reshape(64, 64)
    values[:9] = -9999
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(GDAL_NODATA, "s", 0, "-9999", True)])
    (decision,) = choose_intensity([tmp_path / "a.tif"])
    assert decision.value["kind"] == "percentile"
    assert "-9999" not in decision.reason and "from 284" in decision.reason


def test_several_values_of_nodata_and_tiles_of_nothing_else_are_left_out(tmp_path):
    values = np.linspace(200, 800, 64 * 64, dtype=np.float32).reshape(64, 64)
    for name, nodata in (("a", -9999), ("b", -32768)):
        values[:9] = nodata
        tifffile.imwrite(tmp_path / f"{name}.tif", values)
    for name in "cde":
        tifffile.imwrite(tmp_path / f"{name}.tif", np.full((64, 64), -9999, np.float32))
    (decision,) = choose_intensity([tmp_path / f"{name}.tif" for name in "abcde"])
    assert decision.value["kind"] == "percentile"
    assert "-32768 and -9999, far below" in decision.reason and "reach from 284" in decision.reason


@pytest.mark.parametrize("padding", [-2000, -3024, -32768])
def test_padding_does_not_hide_those_of_ct(tmp_path, padding):
    values = np.linspace(-1024, 2000, 64 * 64).reshape(64, 64)
    values[:2] = padding
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.int16))
    (decision,) = choose_intensity([tmp_path / "a.tif"])
    assert decision.value["kind"] == "range"
    assert -2000 <= decision.value["low"] < -900
