"""Images whose channels are in several files."""

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import FilePart, Image, list_slices, open_image
from segapp.spec import Intensity
from tests.io.volumes import make_voxels, write_nifti

RANGE = Intensity("range", 0, 1000)
VOXELS = make_voxels()


@pytest.fixture
def volume(tmp_path):
    """Two volumes of the same voxels, stored in other orientations; the second has 500 more."""
    files = [
        write_nifti(tmp_path / f"case_000{n}.nii.gz", VOXELS + 500 * n, codes) for n, codes in enumerate(("LPS", "RAS"))
    ]
    return FilePart(files[0], "", (files[1],))


def test_slices_of_several_volumes_are_one_image(volume):
    files = list_slices(volume, "axial")
    assert [file.part for file in files] == ["axial=0", "axial=1", "axial=2"]
    image = Image(files[1], None, RANGE)
    assert image.shape == (4, 5, 2) and image.has_windows
    np.testing.assert_allclose(image.read()[..., 0], VOXELS[:, :, 1].T / 1000, atol=1e-6)
    np.testing.assert_allclose(image.read()[..., 1], VOXELS[:, :, 1].T / 1000 + 0.5, atol=1e-6)
    np.testing.assert_array_equal(image.read_window(1, 2, 2, 3), image.read()[1:3, 2:5])


def test_neighbours_have_all_channels(volume):
    image = open_image(list_slices(volume, "axial")[0], 6, RANGE, 1)
    np.testing.assert_allclose(image.read()[0, 0], [0, 0.5, 0, 0.5, 0.001, 0.501], atol=1e-6)


def test_percentiles_are_those_of_each_channel_of_the_volume(volume):
    pixels = np.stack(
        [Image(file, None, Intensity("percentile", 0, 100)).read() for file in list_slices(volume, "axial")]
    )
    assert pixels.min((0, 1, 2)).tolist() == [0, 0] and pixels.max((0, 1, 2)).tolist() == [1, 1]


def test_a_crop_of_flat_files_is_read_of_each(tmp_path):
    random = np.random.default_rng(0)
    colour = random.integers(0, 255, (6, 7, 3), np.uint8)
    depth = random.integers(0, 60000, (6, 7), np.uint16)
    PIL.Image.fromarray(colour).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a_depth.tif", depth)
    image = Image(FilePart(tmp_path / "a.png", "", (tmp_path / "a_depth.tif",)), None, Intensity("range", 0, 60000))
    assert image.shape == (6, 7, 4) and image.stored_dtype == np.uint16
    expected = np.dstack([colour, depth])[1:4, 2:5] / 60000
    np.testing.assert_allclose(image.read_window(1, 2, 3, 3), expected, atol=1e-6)


def test_a_missing_channel_is_named(tmp_path):
    PIL.Image.new("L", (4, 4)).save(tmp_path / "a_0000.png")
    with pytest.raises(SegappError, match=r"a_0001\.png"):
        Image(FilePart(tmp_path / "a_0000.png", "", (tmp_path / "a_0001.png",))).read()


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (PIL.Image.new("L", (4, 5)), "4 x 4 and 5 x 4 pixels"),
        (PIL.Image.new("P", (4, 4)), "palette"),
        (PIL.Image.new("RGBA", (4, 4)), "alpha"),
        (PIL.Image.new("1", (4, 4)), "8 bits"),
    ],
    ids=["size", "palette", "alpha", "bits"],
)
def test_what_is_no_channel_is_refused(tmp_path, second, expected):
    PIL.Image.new("L", (4, 4)).save(tmp_path / "a_0000.png")
    second.save(tmp_path / "a_0001.png")
    with pytest.raises(SegappError, match=expected) as caught:
        Image(FilePart(tmp_path / "a_0000.png", "", (tmp_path / "a_0001.png",))).read()
    assert "a_0001.png" in str(caught.value)


def test_volumes_of_other_grids_are_refused(volume, tmp_path):
    write_nifti(tmp_path / "case_0001.nii.gz", VOXELS[:, :, :2])
    with pytest.raises(SegappError, match="5 x 4 x 3 and 5 x 4 x 2"):
        Image(list_slices(volume, "axial")[0], None, RANGE).read()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_pixel_is_missing_where_a_file_of_any_channel_lacks_it(tmp_path, order):
    files = [tmp_path / f"{n}.tif" for n in range(2)]
    for n, file in enumerate(files):
        pixels = np.full((4, 5), 10 + n, np.uint16)
        pixels[0, 0] = 7 * (n == 0)  # the second file has no such pixel
        tifffile.imwrite(file, pixels, extratags=[(42113, "s", 2, "7", True)])  # GDAL's nodata
    first, second = (files[n] for n in order)
    pixels = Image(FilePart(first, "", (second,)), None, Intensity("range", 0, 20)).read()
    assert (pixels[0, 0] == 0).all() and (pixels.reshape(-1, 2)[1:] > 0).all()
