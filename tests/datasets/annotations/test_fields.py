"""Values of annotation files, and what is said where they are missing or of another kind."""

from collections.abc import Callable
from pathlib import Path

import pytest

from segapp.datasets.annotations.fields import Fields, check_number, make_points, make_ring, make_window, read_json
from segapp.errors import MisuseError


@pytest.mark.parametrize(
    ("take", "found"),
    [
        (lambda fields: fields.text("none"), "'none' should be text; it is missing"),
        (lambda fields: fields.text("list"), "found a list"),
        (lambda fields: fields.integer("text"), 'found "a"'),
        (lambda fields: fields.integer("yes"), "found true"),
        (lambda fields: fields.integer("huge"), "whole number"),
        (lambda fields: fields.list("text"), "'text' should be a list"),
        (lambda fields: fields.fields("list"), "an object is expected, found a list"),
        (lambda fields: list(fields.objects("list")), "'list' 1: an object is expected"),
        (lambda fields: fields.number("nan"), "'nan' should be a number"),
        (lambda fields: fields.size("list", "none"), "'list' should be a whole number"),
    ],
)
def test_a_value_of_another_kind_is_named(take: Callable[[Fields], object], found: str) -> None:
    fields = Fields({"list": [1], "text": "a", "yes": True, "huge": 10**30, "nan": float("nan")}, "a.json")
    with pytest.raises(MisuseError, match=r"a\.json") as error:
        take(fields)
    assert found in str(error.value)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 10**9, "x", None, [1]])
def test_numbers_are_finite_and_plausible(value: object) -> None:
    with pytest.raises(MisuseError):
        check_number(value, "a")
    with pytest.raises(MisuseError):
        make_points([[0, 0], [1, value], [2, 2]], "a")


@pytest.mark.parametrize("value", [None, [], [1, 2], [[1]], [[1, 2], [3]], [[1, "b"]], "ab", [[10**400, 1]], {}])
def test_points_are_pairs(value: object) -> None:
    with pytest.raises(MisuseError, match="points"):
        make_points(value, "a")


def test_windows_are_of_whole_pixels() -> None:
    assert make_window(1.0, 2, 3, 4, "a") == (1, 2, 3, 4)
    for values in ((0.5, 0, 1, 1), (0, 0, 0, 1)):
        with pytest.raises(MisuseError, match="whole pixels"):
            make_window(*values, "a")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"a": [1', "cut off"),
        (b"<xml/>", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe{\x00", "UTF-8"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(MisuseError, match=found) as error:
        read_json(path)
    assert str(path) in str(error.value)


def test_rings_are_flat_lists() -> None:
    assert make_ring([0, 1, 2, 3, 4, 5], "a").tolist() == [[0, 1], [2, 3], [4, 5]]
    for values in (None, [], [0, 1, 2, 3], [0] * 7, [[0, 1]] * 3, ["a"] * 6):
        with pytest.raises(MisuseError, match="three points"):
            make_ring(values, "a")
    for worst in (float("nan"), -1e9):
        with pytest.raises(MisuseError, match="coordinate"):
            make_ring([0, 1, 2, worst, 4, 5], "a")
