"""BMP: indices come back as stored."""

from pathlib import Path

import numpy as np

from segapp.io import read_raw
from tests.io.sample_files import palette_image

RNG = np.random.default_rng(0)


INDICES = RNG.integers(0, 4, (37, 50), np.uint8)


def test_palette_bmp_keeps_its_indices(tmp_path: Path) -> None:
    palette_image(INDICES, [9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200]).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_raw(tmp_path / "a.bmp"), INDICES)
