"""Probability files are filled block by block, and are complete or absent."""

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.prediction.writers.probability import open_probability_file


@pytest.mark.parametrize(("dtype", "stored"), [("float16", np.float16), ("uint8", np.uint8)])
def test_a_file_filled_in_blocks_is_the_array(tmp_path, dtype, stored):
    whole = np.random.default_rng(0).random((3, 10, 7), np.float32)
    with open_probability_file(tmp_path / "deep" / "p.npy", whole.shape, dtype) as file:
        for y in (0, 4, 8):
            for x in (0, 3) if y else (0,):
                right = 7 if x or not y else 3
                file.add(y, x, whole[:, y : y + 4, x:right])
        assert not (tmp_path / "deep" / "p.npy").exists()
    found = np.load(tmp_path / "deep" / "p.npy", allow_pickle=False)
    assert found.dtype == stored
    assert (found == (whole.astype(np.float16) if dtype == "float16" else np.rint(whole * 255))).all()


def test_a_broken_off_file_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_probability_file(tmp_path / "p.npy", (3, 10, 7)):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path):
    def fail():
        raise OSError(28, "No space left on device")

    with (
        pytest.raises(SegappError, match=r"p\.npy: the disk is full"),
        open_probability_file(tmp_path / "p.npy", (3, 10, 7)),
    ):
        fail()
