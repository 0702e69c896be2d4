"""Errors for people, and a changed class starts afresh."""

from pathlib import Path
from typing import Literal

import jsonargparse
import pytest

from segapp.cli.parser import ClearErrors, FunctionParser, start_afresh_when_a_class_changes
from segapp.errors import MisuseError, suggest


class Shape:
    """The base of the classes below."""

    def __init__(self, root: str = "shapes", sides: int = 4) -> None:
        self.root, self.sides = root, sides


class Circle(Shape):
    """Shares `root` with the base, and has its own default of it."""

    def __init__(self, root: str = "circles", radius: float = 1.0) -> None:
        super().__init__(root)
        self.radius = radius


class Holder:
    """Holds one shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


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


def path(name: str) -> str:
    return f"{__name__}.{name}"


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


@pytest.fixture
def holder_parser(monkeypatch) -> jsonargparse.ArgumentParser:
    start_afresh_when_a_class_changes()
    made = ClearErrors(allow_abbrev=False)
    made.add_argument("--config", action="config")
    made.add_class_arguments(Holder, "holder")
    return made


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def base(folder: Path) -> str:
    shape = f"{{class_path: {path('Shape')}, init_args: {{root: data/shapes, sides: 5}}}}"
    return written(folder, "base.yaml", f"holder:\n  shape: {shape}\n")


def test_a_config_that_changes_the_class_drops_every_former_argument(holder_parser, tmp_path):
    other = written(tmp_path, "other.yaml", f"holder:\n  shape:\n    class_path: {path('Circle')}\n")
    shape = holder_parser.parse_args(["--config", base(tmp_path), "--config", other]).holder.shape
    assert shape.class_path.endswith("Circle")
    assert vars(shape.init_args) == {"root": "circles", "radius": 1.0}


def test_a_section_fragment_that_changes_the_class_drops_every_former_argument(holder_parser, tmp_path):
    other = written(tmp_path, "fragment.yaml", f"shape:\n  class_path: {path('Circle')}\n")
    shape = holder_parser.parse_args(["--config", base(tmp_path), "--holder", other]).holder.shape
    assert vars(shape.init_args) == {"root": "circles", "radius": 1.0}


def test_an_option_that_changes_the_class_drops_every_former_argument(holder_parser, tmp_path):
    shape = holder_parser.parse_args(["--config", base(tmp_path), "--holder.shape", path("Circle")]).holder.shape
    assert vars(shape.init_args) == {"root": "circles", "radius": 1.0}


def test_the_same_class_keeps_what_was_set(holder_parser, tmp_path):
    text = f"holder:\n  shape: {{class_path: {path('Shape')}, init_args: {{sides: 6}}}}\n"
    other = written(tmp_path, "same.yaml", text)
    shape = holder_parser.parse_args(["--config", base(tmp_path), "--config", other]).holder.shape
    assert vars(shape.init_args) == {"root": "data/shapes", "sides": 6}
