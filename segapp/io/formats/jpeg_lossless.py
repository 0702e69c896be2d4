"""JPEG Lossless, as scanners compress DICOM: what of it is read, and a decoder for pydicom.

pydicom loads this module by its name (`add_decoder`), and asks for `is_available` and `DECODER_DEPENDENCIES`.
"""

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from segapp.errors import SegappError
from segapp.io.formats.embedded_sizes import walk_jpeg

JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
DECODER_DEPENDENCIES = dict.fromkeys(JPEG_LOSSLESS, ("imagecodecs",))

NAME, LABEL = "JPEG Lossless", "segapp"

FRAME, FRAMES = 0xC3, frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The marker of a lossless frame coded by Huffman, and those of all frames."""

RESTART = 0xDD
"""The marker of a restart interval."""

SCAN = b"\xff\xda"

ONE_TO_ONE = 0x11
"""Sampling of a component that has a value for each pixel."""

_adding = Lock()  # a decoder may be added once, and files are read in threads


def add_decoder(pydicom: Any) -> None:
    """Let pydicom decode JPEG Lossless, where nothing else does."""
    with _adding:
        for syntax in JPEG_LOSSLESS:
            decoder = pydicom.pixels.get_decoder(syntax)
            if not decoder.is_available:
                decoder.add_plugin(LABEL, (__name__, "decode_frame"))


def is_available(syntax: str) -> bool:
    """Return whether streams of a transfer syntax are decoded."""
    return syntax in JPEG_LOSSLESS


def decode_frame(stream: bytes, runner: Any) -> bytes:
    """Return the stored values of a frame that `require_readable` accepted, in as many bytes as the header says."""
    import imagecodecs

    runner.set_option("planar_configuration", 0)
    return np.asarray(imagecodecs.ljpeg_decode(stream)).astype(f"u{runner.bits_allocated // 8}").tobytes()


def require_readable(path: Path, stream: bytes, samples: int, bits: int) -> None:
    """Raise SegappError for a stream that is of another kind than the file says, or that is not decoded.

    Args:
        path: The file, for messages.
        stream: One frame.
        samples: Values of a pixel.
        bits: Bits of a stored value.
    """
    frames, restarts, end = [], 0, 2
    for marker, place in walk_jpeg(stream):
        end = place + int.from_bytes(stream[place : place + 2])
        if marker in FRAMES:
            frames.append((marker, stream[place + 2 : end]))
        elif marker == RESTART:
            restarts = int.from_bytes(stream[place + 2 : place + 4])
    if len(frames) != 1 or frames[0][0] != FRAME or stream[end : end + 2] != SCAN:
        raise SegappError(f"{path}: a broken or truncated stream of {NAME}.")
    content = frames[0][1]
    components = [content[6 + 3 * index : 9 + 3 * index] for index in range(samples)]
    if len(content) != 6 + 3 * samples or content[5] != samples or content[0] > bits:
        raise SegappError(f"{path}: {NAME} with other values than its header says, {samples} of {bits} bits a pixel.")
    if restarts or any(one[1] != ONE_TO_ONE for one in components) or stream[end + 7 + 2 * samples] & 15:
        raise SegappError(
            f"{path}: {NAME} with restart markers, subsampling or a point transform is not read; convert it, as with "
            "gdcmconv --raw."
        )
