"""A user's YAML is read within bounds, and its mistakes are told without its content."""

import os
import time

import pytest

from segapp.errors import MisuseError
from segapp.system.yaml_files import read_yaml


def refusal(path):
    with pytest.raises(MisuseError) as caught:
        read_yaml(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def written(folder, text):
    path = folder / "a.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_what_yaml_says(tmp_path):
    text = "a: &x {b: [1, 2.5, yes, null, text]}\nc: *x\nd: {<<: *x, e: 1}\nname: 2026-01-31\nother: 2024-13-45\n"
    b = [1, 2.5, True, None, "text"]
    plain = {"a": {"b": b}, "c": {"b": b}, "d": {"b": b, "e": 1}, "name": "2026-01-31", "other": "2024-13-45"}
    assert read_yaml(written(tmp_path, text)) == plain
    assert read_yaml(written(tmp_path, b"\xef\xbb\xbfa: 1\n")) == {"a": 1}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1"),
        ("x: {b: 2, b: 3}\n", "'b' occurs twice"),
        ("a: &x [1, *x]\n", "part of"),
        ("a: " + "[" * 5000 + "]" * 5000, "deep"),
        (BOMB, "values"),
        ("a: [1\n", "line"),
        ("a: 'secret\n", "line"),
        ("a: \x07\n", "characters"),
        (b"\xff\xfea\x00:\x00 \x001\x00", "UTF-16"),
        (b"a: \xe9\n", "UTF-8"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1"),
        ("a: " + "1" * 5000, "YAML"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_mistakes_are_reported_in_one_sentence(tmp_path, text, told):
    began = time.monotonic()
    message = refusal(written(tmp_path, text))
    assert told in message
    assert "secret" not in message
    assert time.monotonic() - began < 5


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "pipe" in refusal(tmp_path / "pipe")
    assert "folder" in refusal(tmp_path)
    refusal(tmp_path / "missing.yaml")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(2**40)
    assert "bytes" in refusal(path)
