"""Text and JSON from elsewhere: small regular files, or a message."""

import os

import pytest

from segapp.errors import MisuseError
from segapp.system.text_files import read_json, read_text


def test_text_is_read_with_or_without_a_mark(tmp_path):
    for content in ("ä\n".encode(), "\ufeffä\n".encode()):
        (tmp_path / "a.txt").write_bytes(content)
        assert read_text(tmp_path / "a.txt") == "ä\n"


def test_what_is_no_small_regular_file_is_refused_at_once(tmp_path):
    (tmp_path / "large").write_bytes(bytes(11))
    (tmp_path / "wide").write_text("a", encoding="utf-16")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    for name, words in {
        "large": "11 bytes",
        "wide": "UTF-16",
        "loop": "back to itself",
        "pipe": "named pipe",
        ".": "a folder",
        "none": r"there is no such file\.",
    }.items():
        with pytest.raises(MisuseError, match=words):
            read_text(tmp_path / name, most=10)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "1", '{"a": ', "", "1" * 5000], ids=lambda text: text[:5])
def test_what_holds_no_settings_is_one_message(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(MisuseError, match=r"a\.json: (not JSON|damaged)"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_json(tmp_path / "a.json") == {"a": 1}
