"""What all formats of volumes have in common: names of slices, limits, and masks of their own images only."""

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import FilePart, Image, MaskLayout, list_parts, open_mask, read_header
from segapp.io.formats import volume
from segapp.io.formats.volume import check_affine, name_slices, parse_part, require_sizes, require_stored
from tests.io.volumes import make_voxels, write_nifti


def test_names_are_in_order_and_mean_one_slice():
    names = name_slices("axial", 101)
    assert names[0] == "axial=000" and names[-1] == "axial=100" and list(names) == sorted(names)
    assert parse_part(names[7]) == ("axial", 7) and parse_part("") == ("axial", 0)


@pytest.mark.parametrize("part", ["", "axial=00", "axial=3", "axial=-1", "z=1", "axial=1 ", "coronal=10"])
def test_other_names_are_no_slices(tmp_path, part):
    path = write_nifti(tmp_path / "a.nii", make_voxels((5, 4, 3)))
    with pytest.raises(SegappError, match=r"a\.nii: NIfTI of 3 images"):
        read_header(FilePart(path, part))


def test_a_mask_is_written_for_images_of_its_format_only(tmp_path):
    part = list_parts(write_nifti(tmp_path / "a.nii", make_voxels((5, 4, 3))))[0]
    for name, meta in (("b.nii", {}), ("b.npy", Image(part).meta)):
        layout = MaskLayout({"axial=0": (4, 5)}, meta)
        with pytest.raises(SegappError, match=name), open_mask(tmp_path / name, layout) as writer:
            writer.add(np.zeros((4, 5), np.uint8), "axial=0")
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


def test_limits(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "a.nii.gz", make_voxels((5, 4, 3)))
    found = read_header(list_parts(path)[0]).meta["volume"]
    require_stored(path, found, compressed=True)
    monkeypatch.setattr(volume, "MAX_BYTES", 100)
    with pytest.raises(SegappError, match="120 bytes"):
        require_stored(path, found, compressed=True)
    for sizes in ((), (0, 3), (2**30, 2**30)):
        with pytest.raises(SegappError, match="voxels"):
            require_sizes(path, "NIfTI", sizes)
    for affine in (np.zeros((4, 4)), np.full((4, 4), np.inf)):
        with pytest.raises(SegappError, match="affine"):
            check_affine(path, "NIfTI", affine)


def test_a_volume_of_endless_slices_is_refused(tmp_path, monkeypatch):
    path = write_nifti(tmp_path / "a.nii.gz", make_voxels((5, 4, 3)))
    monkeypatch.setattr(volume, "MAX_SLICES", 2)
    with pytest.raises(SegappError, match=r"a\.nii\.gz: 3 slices, and 2 at most"):
        list_parts(path)
