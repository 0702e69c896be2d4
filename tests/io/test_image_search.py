"""The images of a folder; several files may be one, and files without a suffix are known by their content."""

import numpy as np

from segapp.io import list_images, name_image, write_image
from tests.io.dicoms import write_series

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
