"""A typed function as a command: lists, flags and errors for people."""

from typing import Literal

import pytest

from segapp.cli.parser import FunctionParser
from segapp.errors import MisuseError, suggest


class Shape:
    """The base of the classes below."""

    def __init__(self, root: str = "shapes", sides: int = 4) -> None:
        self.root, self.sides = root, sides


Side = Literal["left", "right"]


def draw(
    name: str,
    colours: list[str] = ["red"],  # noqa: B006
    count: int = 1,
    shape: Shape | None = None,
    side: Side = "left",
    flag: bool = False,
    sides: Side | list[Side] = "left",
) -> int:
    """Draw it."""
    return count


def parser() -> FunctionParser:
    made = FunctionParser(allow_abbrev=False)
    made.add_function_arguments(draw)
    return made


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--name", "x", "--colour", "blue"], r"unknown option --colour \(did you mean '--colours'\?\)"),
        (["--name", "x", "--cou", "3"], "unknown option --cou"),
        (["--name", "x", "--count", "many"], "count: expected int, got many"),
        (["--name", "x", "--side", "up"], r"side: expected left \| right, got up"),
        (["--name", "x", "--sides", "up"], r"sides: expected left \| right or list, got up"),
        (["--name", "x", "--shape", "Trianle"], "shape: there is no class 'Trianle'"),
        ([], "name"),
    ],
)
def test_a_wrong_option_gets_one_sentence(arguments, expected):
    with pytest.raises(MisuseError, match=expected) as raised:
        parser().parse_args(arguments)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


def test_a_list_is_given_by_repeating_it():
    assert parser().parse_args(["--name", "x", "--colours", "blue", "--colours=green"]).colours == ["blue", "green"]


def test_a_list_keeps_its_default_when_not_given():
    assert parser().parse_args(["--name", "x"]).colours == ["red"]


@pytest.mark.parametrize("words", [["--flag"], ["--flag", "true"], ["--flag=true"], ["--flag", "--count", "2"]])
def test_a_flag_needs_no_value(words):
    assert parser().parse_args(["--name", "x", *words]).flag is True
    assert parser().parse_args(["--name", "x"]).flag is False


def test_suggestions_are_for_near_words_only():
    assert suggest("predct", ["predict", "fit"]) == " (did you mean 'predict'?)"
    assert suggest("xyz", ["predict", "fit"]) == ""
