"""The images of a folder; several files may be one, and files without a suffix are known by their content."""

import numpy as np

from segapp.io import list_folder_patterns, list_image_files, list_images, name_image, split_array, write_image
from tests.io.dicoms import write_series
from tests.io.ome_zarrs import write_ome_zarr

VOXELS = np.zeros((5, 4, 3), np.int16)


def search(folder, start):
    names = sorted(path.name for path in folder.iterdir())
    return [(image.path.name, name_image(image, start)) for image in list_images(folder, names)]


def test_a_series_is_called_as_its_folder_and_others_as_their_files(tmp_path):
    folder = tmp_path / "p1"
    write_series(folder, VOXELS, name="IM_000{}")
    write_image(folder / "b.png", np.zeros((3, 3), np.uint8))
    (folder / "README").write_text("no image")
    (folder / ".hidden.png").touch()
    assert search(folder, tmp_path) == [("IM_0001", "p1"), ("b.png", "p1/b")]
    assert search(folder, folder) == [("IM_0001", "p1"), ("b.png", "b")]


def test_several_series_are_called_apart_and_uids_are_names(tmp_path):
    for series in ("1", "2"):
        write_series(tmp_path / "p" / series, VOXELS, name="1.2.840." + series + "{}", SeriesDescription=f"T{series}")
        for path in (tmp_path / "p" / series).iterdir():
            path.rename(tmp_path / "p" / path.name)
        (tmp_path / "p" / series).rmdir()
    assert search(tmp_path / "p", tmp_path) == [("1.2.840.11", "p/3-T1"), ("1.2.840.21", "p/3-T2")]


def test_a_folder_may_be_an_image_and_a_path_into_it_is_of_an_array(tmp_path):
    path = write_ome_zarr(tmp_path / "images" / "a.ome.zarr", np.zeros((4, 5), np.uint8), "yx")
    assert search(tmp_path / "images", tmp_path) == [("a.ome.zarr", "images/a")]
    assert list_image_files(path) == (path / ".zattrs", path / "0" / ".zarray")
    (path / ".zattrs").unlink()
    assert list_image_files(path) == (path,)
    assert split_array(f"{path}/labels/nuclei") == (str(path), "/labels/nuclei")
    assert split_array("a/*.zarr:/labels/nuclei") == ("a/*.zarr", "/labels/nuclei")
    assert list_folder_patterns("a/{name}.ome.zarr") == ("a/{name}.ome.zarr", "a/{name}.zarr")
    assert list_folder_patterns("a/*.zarr") == ("a/*.zarr",) and list_folder_patterns("a/{name}") == ("a/{name}",)
    assert split_array("a/{name}.zarr") == ("a/{name}.zarr", "")
