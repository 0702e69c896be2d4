"""Brush masks of Label Studio."""

import numpy as np
import pytest

from segapp.datasets.annotations.brush import decode_brush
from segapp.errors import MisuseError


def encode_brush(mask: np.ndarray, literal: bool = False, total: int | None = None) -> bytes:
    """Write a mask as its alpha in runs or, if `literal`, byte by byte; lengths have 3, 4, 8 or 16 bits."""
    values = np.repeat(mask.ravel().astype(int) * 255, 4)
    bits = f"{len(values) if total is None else total:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    place = 0
    while place < len(values):
        if literal:
            length = min(8, len(values) - place)
            bits += f"000{length - 1:03b}" + "".join(f"{value:08b}" for value in values[place : place + length])
        else:
            same = np.flatnonzero(values[place:] != values[place])
            length = int(same[0]) if len(same) else len(values) - place
            bits += f"111{length - 1:016b}{values[place]:08b}"
        place += length
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize("literal", [False, True])
def test_runs_and_single_bytes(literal: bool) -> None:
    mask = np.random.default_rng(0).random((5, 7)) < 0.4
    assert np.array_equal(decode_brush(encode_brush(mask, literal), 5, 7), mask)


def test_damage_is_refused() -> None:
    content = encode_brush(np.eye(4, dtype=bool))
    for broken in (content[: len(content) // 2], content[:3], b"", encode_brush(np.eye(4, dtype=bool), total=2**31)):
        with pytest.raises(MisuseError, match="brush mask"):
            decode_brush(broken, 4, 4)
    with pytest.raises(MisuseError, match="not 4 for each of 4 x 5"):
        decode_brush(content, 4, 5)
