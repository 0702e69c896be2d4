"""Pairs of two folders of masks."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from segapp.datasets.mask_pairs import MaskPair, pair_masks
from segapp.errors import MisuseError
from segapp.io import write_mask


def write(*paths: Path) -> None:
    for path in paths:
        write_mask(path, np.zeros((2, 3), np.uint8), ((0, 0, 0), (9, 9, 9)))


def write_volume(path: Path, shape: tuple[int, int, int]) -> Path:
    nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4)), path)
    return path


def test_names_without_suffix_pair_files(tmp_path: Path) -> None:
    write(tmp_path / "a/deep/1.png", tmp_path / "b/deep/1.tif", tmp_path / "a/2.png", tmp_path / "b/2.png")
    (tmp_path / "a/notes.json").write_text("{}")
    first, second = pair_masks(tmp_path / "a", tmp_path / "b")
    assert (first.name, second.name) == ("2", "deep/1") and second.target == tmp_path / "b/deep/1.tif"
    assert [name for name, _, _ in second.list_slices()] == ["deep/1"]


def test_files_that_cannot_be_paired_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a/1.png", tmp_path / "b/1.png", tmp_path / "b/2.png")
    with pytest.raises(MisuseError, match=r"a: has no file 2 for .*b/2\.png \(1 files"):
        pair_masks(tmp_path / "a", tmp_path / "b")
    write(tmp_path / "a/1.tif")
    with pytest.raises(MisuseError, match=r"1\.tif and .*1\.png have the same name"):
        pair_masks(tmp_path / "a", tmp_path / "b")
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        with pytest.raises(MisuseError, match=folder):
            pair_masks(tmp_path / folder, tmp_path / "b")


def test_volumes_are_paired_slice_by_slice(tmp_path: Path) -> None:
    one, other, longer = (
        write_volume(tmp_path / f"{n}.nii", (4, 3, depth)) for n, depth in zip("abc", (2, 2, 3), strict=True)
    )
    slices = MaskPair("v", one, other).list_slices()
    assert len(slices) == 2 and all(prediction.part == target.part for _, prediction, target in slices)
    assert [name for name, _, _ in slices] == [f"v/{target.part}" for _, _, target in slices]
    with pytest.raises(MisuseError, match=r"c\.nii: has 3 slices, but .*a\.nii has 2"):
        MaskPair("v", longer, one).list_slices()


def test_stacks_of_other_times_are_not_paired(tmp_path: Path) -> None:
    for name, shape in (("a", (2, 3, 4, 5)), ("b", (3, 2, 4, 5))):
        path, values = tmp_path / f"{name}.tif", np.zeros(shape, np.uint8)
        tifffile.imwrite(path, values, metadata={"axes": "TZYX"}, photometric="minisblack")
    with pytest.raises(MisuseError, match=r"has 6 slices at 3 times, but .* has 6 slices at 2 times"):
        MaskPair("v", tmp_path / "b.tif", tmp_path / "a.tif").list_slices()
