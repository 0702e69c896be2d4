"""Brush masks of Label Studio: run lengths of the bytes of an RGBA image."""

import numpy as np

from segapp.errors import MisuseError

CHANNELS = 4


class _Bits:
    """Reads numbers of any width from a row of bits."""

    def __init__(self, content: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(content, np.uint8))
        self.place = 0

    def read(self, width: int) -> int:
        """Return the next number."""
        end = self.place + width
        if end > len(self._bits):
            raise MisuseError("a brush mask is cut off")
        number = 0
        for bit in self._bits[self.place : end].tolist():
            number = number << 1 | bit
        self.place = end
        return number

    def read_bytes(self, count: int, width: int) -> np.ndarray:
        """Return (count,) uint8: the next numbers of `width` bits, 8 at most."""
        end = self.place + count * width
        if end > len(self._bits):
            raise MisuseError("a brush mask is cut off")
        rows = self._bits[self.place : end].reshape(count, width)
        self.place = end
        return np.packbits(np.pad(rows, ((0, 0), (8 - width, 0))), axis=1)[:, 0]


def decode_brush(content: bytes, height: int, width: int) -> np.ndarray:
    """Return (height, width) bool: where a brush mask is not transparent; MisuseError for damage or another size.

    The bits hold the count of bytes (32 bits), the bits of each byte less one (5), four widths of run lengths less one
    (4 each), and runs: 1 bit (1: one byte for all of it, 0: each byte), 2 bits for the width, the length less one.
    """
    bits = _Bits(content)
    total = bits.read(32)
    if total != CHANNELS * height * width:
        raise MisuseError(f"a brush mask holds {total:,} bytes, not 4 for each of {height} x {width} pixels")
    depth = bits.read(5) + 1
    widths = [bits.read(4) + 1 for _ in range(4)]
    if depth > 8:
        raise MisuseError(f"a brush mask has {depth} bits for each byte; 8 are expected")
    values = np.zeros(total, np.uint8)
    place = 0
    while place < total:
        is_run = bits.read(1)
        length = bits.read(widths[bits.read(2)]) + 1
        if length > total - place:
            raise MisuseError("a brush mask has more pixels than it says")
        values[place : place + length] = bits.read(depth) if is_run else bits.read_bytes(length, depth)
        place += length
    return values[CHANNELS - 1 :: CHANNELS].reshape(height, width) > 0
