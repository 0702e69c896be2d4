"""BMP: indices come back as stored."""

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps

from segapp.io import read_raw

RNG = np.random.default_rng(0)


INDICES = RNG.integers(0, 4, (37, 50), np.uint8)


def palette_image(indices: np.ndarray, palette: list[int]) -> PIL.Image.Image:
    image = PIL.Image.fromarray(indices)
    image.putpalette(palette)
    return image


def test_palette_bmp_keeps_its_indices(tmp_path: Path) -> None:
    palette_image(INDICES, [9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200]).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_raw(tmp_path / "a.bmp"), INDICES)
