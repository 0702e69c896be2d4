"""What a parameter's type says about the plain values it takes."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import pytest
from torch import nn

from segapp.checkpoints import parameter_types as types


@dataclass
class Size:
    """A dataclass whose annotations are text or types."""

    height: int
    name: "str" = ""


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (int, [int]),
        (int | str | None, [int, str]),
        (Union[int, Annotated[str, "note"]], [int, str]),  # noqa: UP007
        ((nn.Module, int | None), [nn.Module, int]),
        (inspect.Parameter.empty, [Any]),
        (object, [Any]),
        ("Forward", [Any]),  # a name that nobody resolved
        (type(None), []),
    ],
)
def test_members_are_those_of_unions(kind, expected):
    assert list(types.list_members(kind)) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (list[int], (int,)),
        (tuple[int, ...], (int,)),
        (tuple[int, str], (int, str)),
        (Sequence[int | str] | int, (int | str,)),
        (list, (Any,)),
        (Any, (Any,)),
        (int, None),
        (Mapping[str, int], None),
        (str, None),
    ],
)
def test_elements_are_those_of_lists(kind, expected):
    assert types.list_element_types(kind) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (dict[str, float], {"a": 1}, {"a": float}),
        (Mapping[str, int] | None, {"a": 1, "b": 2}, {"a": int, "b": int}),
        (dict, {"a": 1}, {"a": Any}),
        (Size, {"height": 1}, {"height": int, "name": str}),
        (Size, {"width": 1}, None),
        (Any, {"a": 1}, {"a": Any}),
        (list[int], {"a": 1}, None),
    ],
)
def test_a_mapping_has_the_types_of_its_values(kind, value, expected):
    assert types.find_value_types(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "takes"),
    [
        (int, 1, True),
        (int, 1.0, False),
        (int, True, False),
        (float, 1, True),
        (float, True, False),
        (bool, True, True),
        (bool, 1, False),
        (Literal[1, 2], 2, True),
        (Literal[1, 2], 3, False),
        (timedelta, 1, True),
        (str, 1, False),
        (list[int], 1, False),
        (str | float, 0.5, True),
        (Any, 1, True),
    ],
)
def test_numbers_are_values_of_their_own_types_and_of_wider_ones(kind, value, takes):
    assert types.takes_number(kind, value) is takes


def test_texts_are_choices_paths_or_free():
    assert types.takes_any_text(str) and types.takes_any_text(Path | None) and types.takes_any_text(timedelta)
    assert not types.takes_any_text(int) and not types.takes_any_text(Any) and not types.takes_any_text(Literal["a"])
    assert types.is_choice(Literal["a", "b"] | None, "b") and not types.is_choice(Literal["a"], "c")
    assert not types.is_choice(str, "a")
    assert types.is_path(str | Path) and not types.is_path(str)


def test_objects_are_of_a_class_or_of_what_a_callable_makes():
    assert list(types.list_made_classes(nn.Module | None)) == [nn.Module]
    assert list(types.list_made_classes(Callable[[int], nn.Module] | nn.ReLU)) == [nn.Module, nn.ReLU]
    assert list(types.list_made_classes(list[nn.Module])) == []


@pytest.mark.parametrize(
    ("kind", "called"),
    [
        (Callable, True),
        (Callable[[], int], True),
        (type[nn.Module], True),
        (type, True),
        (nn.Module, False),
        (str, False),
    ],
)
def test_text_may_name_code_only_where_a_callable_or_a_class_is_taken(kind, called):
    assert types.is_called(kind) is called
