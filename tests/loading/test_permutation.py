"""Mirrored and turned pixels: each lands where the matrix says, whatever the channels and the numbers."""

import itertools

import numpy as np
import pytest

from segapp.loading.permutation import is_permutation, permute

DIAGONALS = [np.diag(signs) for signs in itertools.product((1.0, -1.0), repeat=2)]
PERMUTATIONS = [mirror @ turn for mirror in DIAGONALS for turn in (np.eye(2), np.array([[0.0, 1], [1, 0]]))]


@pytest.mark.parametrize("matrix", PERMUTATIONS, ids=str)
@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,), (7,)], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_pixel_lands_where_the_matrix_says(
    matrix: np.ndarray, channels: tuple[int, ...], dtype: type[np.generic]
) -> None:
    whole = np.random.default_rng(0).integers(0, 256, (9, 9, *channels)).astype(dtype)
    pixels = whole[1:6, 2:9]  # 5 rows of 7, not contiguous
    permuted = permute(pixels, matrix)
    assert (permuted.shape, permuted.dtype) == ((*((5, 7) if matrix[0, 0] else (7, 5)), *channels), dtype)
    middle, stored_middle = (np.array(array.shape[1::-1]) / 2 - 0.5 for array in (permuted, pixels))
    for y, x in np.ndindex(permuted.shape[:2]):
        column, row = (matrix @ (np.array([x, y]) - middle) + stored_middle).astype(int)
        np.testing.assert_array_equal(permuted[y, x], pixels[row, column])


def test_only_mirrorings_and_quarter_turns_are_permutations() -> None:
    assert all(is_permutation(matrix) for matrix in PERMUTATIONS)
    assert not is_permutation(np.eye(2) * 0.5)
