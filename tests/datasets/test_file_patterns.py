"""Patterns of images and masks as text."""

import glob

import pytest

from segapp.datasets.file_patterns import compile_pattern, extend_to_files, fill_pattern, get_fixed_start, to_glob


@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        ("images", "images"),
        ("a/b/*.png", "a/b"),
        ("a/{split}/b", "a"),
        ("*/a", ""),
        ("a/x{name}.png", "a"),
        ("a/b[12]", "a"),
    ],
)
def test_the_fixed_start_of_a_pattern_is_its_folders_before_anything_that_varies(pattern: str, start: str) -> None:
    assert get_fixed_start(pattern) == start


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("images", ["images/{name}.*"]),
        ("gt/{name}_manual", ["gt/{name}_manual.*", "gt/{name}_manual/*"]),
        ("{parent}/masks", ["{parent}/masks/*"]),
        ("gt/{name}.png", ["gt/{name}.png"]),
    ],
)
def test_a_pattern_that_ends_in_a_folder_is_extended_to_files(pattern: str, expected: list[str]) -> None:
    assert extend_to_files(pattern) == expected


def test_values_are_filled_in_and_unknown_placeholders_stay() -> None:
    assert fill_pattern("{parent}/gt/{stem}_{class}.png", {"parent": "", "stem": "a[1]"}, glob.escape) == (
        "gt/a[[]1]_{class}.png"
    )


def test_a_pattern_finds_what_stands_for_its_placeholders() -> None:
    assert to_glob("{split}/x_{name}.png") == "*/**/x_*.png"
    match = compile_pattern("{split}/{stem}/{stem}.png").fullmatch("val/a/a.png")
    assert match is not None and match.groupdict() == {"split": "val", "stem": "a"}
    assert compile_pattern("{split}/{stem}/{stem}.png").fullmatch("val/a/b.png") is None
