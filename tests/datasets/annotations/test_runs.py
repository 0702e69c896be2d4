"""Run lengths: COCO's text, and the columns they stand for."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segapp.datasets.annotations.runs import decode_columns, decode_compressed, find_covered
from segapp.errors import MisuseError


@pytest.mark.parametrize("seed", range(20))
def test_compressed_runs_are_those_of_pycocotools(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 30, 2).tolist()
    mask = rng.random((height, width)) < rng.random() ** 2
    counts = decode_compressed(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"])
    assert np.array_equal(decode_columns(counts, height, 0, width), mask)
    middle = width // 2
    assert np.array_equal(decode_columns(counts, height, middle, width), mask[:, middle:])
    y, x, h, w = find_covered(counts, height, width)
    assert mask.sum() == mask[y : y + h, x : x + w].sum()
    assert not mask.any() or (mask[:, x].any() and mask[:, x + w - 1].any())


def test_long_runs() -> None:
    counts = [3, 100_000, 7, 2, 90_000, 1]
    text = coco_mask.frPyObjects({"counts": counts, "size": [sum(counts), 1]}, sum(counts), 1)["counts"]
    assert decode_compressed(text).tolist() == counts


@pytest.mark.parametrize("text", [b"", b"o", b"zz\x7f", b"\x01", b"oooooooo1"])
def test_damaged_text_is_refused(text: bytes) -> None:
    with pytest.raises(MisuseError):
        decode_compressed(text)


def test_runs_of_another_total_are_refused() -> None:
    for counts in ([5], [7], [3, -1, 4]):
        with pytest.raises(MisuseError, match="RLE"):
            find_covered(np.array(counts), 2, 3)
