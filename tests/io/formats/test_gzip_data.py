"""Gzip files: several streams, what follows them, and damage."""

import gzip
import zlib

import numpy as np
import pytest

from segapp.io.formats import gzip_data
from segapp.io.formats.gzip_data import GzipBlocks, decompress_start


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


@pytest.mark.parametrize("streams", [1, 5], ids=["one stream", "several"])
def test_blocks_are_what_lies_there(tmp_path, streams, monkeypatch):
    monkeypatch.setattr(gzip_data, "CHUNK", 11)
    monkeypatch.setattr(gzip_data, "LEAST_BLOCK", 100)
    content = np.random.default_rng(0).integers(0, 9, 1000, np.uint8).tobytes()
    length = len(content) // streams
    path = write(tmp_path, *(content[start : start + length] for start in range(0, 1000, length)), end=bytes(40))
    blocks = GzipBlocks()
    assert not blocks.find_blocks(0, 1)  # nothing is known before the file was decompressed
    assert blocks.decompress_all(path, 950, trailing=2**10) == content[:950]
    for number in reversed(range(10)):
        assert blocks.get_position(number) == 100 * number
        assert blocks.read_block(path, number) == content[100 * number : min(950, 100 * number + 100)]
    assert (blocks.find_blocks(0, 100), blocks.find_blocks(199, 301)) == (range(1), range(1, 4))
    assert not blocks.find_blocks(940, 951)  # beyond what was asked for


def test_a_file_has_few_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(gzip_data, "LEAST_BLOCK", 1)
    blocks = GzipBlocks()
    blocks.decompress_all(write(tmp_path, bytes(1000)), 1000)
    assert blocks.find_blocks(0, 1000) == range(32)


def test_damage_anywhere_is_found_before_blocks_are_read(tmp_path):
    path = write(tmp_path, b"abcd" * 99)
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    blocks = GzipBlocks()
    with pytest.raises(zlib.error):
        blocks.decompress_all(path, 396, trailing=1)
    assert not blocks.find_blocks(0, 1)
