"""A TIFF is one image or a stack, by what it says of its pages."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import list_slices, read_raw


def test_a_stack_is_no_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30, 31), np.uint8), photometric="minisblack")
    with pytest.raises(SegappError, match="of 20 images"):
        read_raw(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((3, 30, 31), np.uint8), imagej=True, metadata={"axes": "ZYX"})
    with pytest.raises(SegappError, match="of 3 images"):
        read_raw(tmp_path / "b.tif")


@pytest.mark.parametrize(
    ("shape", "slices"), [((30, 31), 1), ((1, 30, 31), 1), ((20, 30, 31), 20), ((30, 31, 3), 1), ((20, 1, 30, 31), 20)]
)
@pytest.mark.parametrize("how", [{}, {"compression": "deflate"}, {"metadata": None}], ids=str)
def test_slices_are_listed(tmp_path: Path, shape: tuple[int, ...], slices: int, how: dict) -> None:
    photometric = "rgb" if shape[-1] == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), photometric=photometric, **how)
    assert len(list_slices(tmp_path / "a.tif", "auto")) == slices
