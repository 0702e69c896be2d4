"""Of a TIFF only the tiles under a window are decoded."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import read_raw, read_window

DEEP = np.random.default_rng(0).integers(0, 65536, (37, 50), np.uint16)


def test_tiff_window_decodes_only_what_it_needs(tmp_path: Path) -> None:
    """With all other tiles broken, the window under a sound one can still be read."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, DEEP, tile=(16, 16), compression="deflate")
    with tifffile.TiffFile(path) as file:
        offsets, counts = file.pages[0].dataoffsets, file.pages[0].databytecounts
    content = bytearray(path.read_bytes())
    for offset, count in list(zip(offsets, counts, strict=True))[1:]:
        content[offset : offset + count] = b"\0" * count
    path.write_bytes(bytes(content))
    np.testing.assert_array_equal(read_window(path, 2, 3, 10, 10)[..., 0], DEEP[2:12, 3:13])
    with pytest.raises(SegappError, match=r"a\.tif: a broken or truncated TIFF"):
        read_raw(path)
