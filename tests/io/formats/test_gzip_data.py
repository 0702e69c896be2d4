"""Gzip files: several streams, what follows them, and damage."""

import gzip
import zlib

import pytest

from segapp.io.formats import gzip_data
from segapp.io.formats.gzip_data import decompress_start


def write(folder, *streams, end=b""):
    path = folder / "a.gz"
    path.write_bytes(b"".join(map(gzip.compress, streams)) + end)
    return path


@pytest.mark.parametrize("end", [b"", bytes(3), bytes(2**17)])
def test_streams_are_joined_and_padding_is_left(tmp_path, end, monkeypatch):
    monkeypatch.setattr(gzip_data, "CHUNK", 7)
    path = write(tmp_path, b"ab" * 500, b"", b"cd", end=end)
    assert decompress_start(path, 2**20) == b"ab" * 500 + b"cd"
    assert decompress_start(path, 1001) == b"ab" * 500 + b"c"


def test_damage_is_found_as_far_as_is_read(tmp_path):
    path = write(tmp_path, b"abcd")
    complete = path.read_bytes()
    for content, error in ((complete[:-8] + bytes(8), zlib.error), (complete[:-4], EOFError)):
        path.write_bytes(content)
        assert decompress_start(path, 3) == b"abc"
        with pytest.raises(error):
            decompress_start(path, 4, trailing=1)


def test_more_streams_than_any_program_writes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(gzip_data, "MAX_MEMBERS", 3)
    assert decompress_start(write(tmp_path, b"", b"", b"x"), 9) == b"x"
    with pytest.raises(ValueError, match="3 gzip streams"):
        decompress_start(write(tmp_path, b"", b"", b"", b"x"), 9)
