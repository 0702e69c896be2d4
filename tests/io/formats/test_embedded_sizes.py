"""The size of a stream is found where its decoder finds it."""

import imagecodecs
import numpy as np
import pytest

from segapp.io.formats.embedded_sizes import read_jpeg_size


def test_garbage_between_the_markers_of_a_jpeg_hides_no_frame():
    stream = imagecodecs.jpeg_encode(np.zeros((30, 50), np.uint8))
    for noise in (b"", b"noise", b"\xff\x00\xff\xff"):
        assert read_jpeg_size(stream[:2] + noise + stream[2:]) == (30, 50)
    for cut in (b"", stream[:12], b"\xff" * 9):
        with pytest.raises((ValueError, IndexError)):
            read_jpeg_size(cut)
