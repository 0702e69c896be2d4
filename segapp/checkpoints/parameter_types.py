"""Finds which plain values a parameter takes, by its type. An unknown type is `Any`."""

import inspect
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import Enum
from pathlib import PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

LISTS = (list, tuple, set, frozenset, Sequence, MutableSequence, Collection, Iterable)


def list_members(kind: Any) -> Iterator[Any]:
    """Yield the types of which a value may have one: those of a union, or of a tuple of types."""
    if isinstance(kind, tuple):
        for member in kind:
            yield from list_members(member)
    elif get_origin(kind) in (Union, types.UnionType):
        yield from list_members(get_args(kind))
    elif get_origin(kind) is Annotated:
        yield from list_members(get_args(kind)[0])
    elif kind is inspect.Parameter.empty or kind is object or isinstance(kind, str):
        yield Any
    elif kind is not type(None):
        yield kind


def list_element_types(kind: Any) -> tuple[Any, ...] | None:
    """Return the types of a list's elements, None where no list is taken."""
    found: list[Any] = []
    for member in list_members(kind):
        if member is Any:
            found.append(Any)
        elif (get_origin(member) or member) in LISTS:
            found += [inner for inner in get_args(member) if inner is not Ellipsis] or [Any]
    return tuple(found) if found else None


def find_value_types(kind: Any, value: Mapping[Any, Any]) -> dict[Any, Any] | None:
    """Return the type of each of a mapping's values, None where no such mapping is taken."""
    for member in list_members(kind):
        origin = get_origin(member) or member
        if inspect.isclass(member) and is_dataclass(member):
            hints = _read_hints(member)
            known = {one.name: hints[one.name] for one in fields(member)}
            return known if value.keys() <= known.keys() else None
        if member is Any or (inspect.isclass(origin) and issubclass(origin, Mapping)):
            inner = get_args(member)[1] if len(get_args(member)) == 2 else Any
            return dict.fromkeys(value, inner)
    return None


def _read_hints(member: type) -> dict[str, Any]:
    """Read the types of a class's fields; a name that its module imports for type checkers only is `Any`."""
    unknown: dict[str, Any] = {}
    while True:
        try:
            return get_type_hints(member, localns=unknown)
        except NameError as error:
            if error.name is None or error.name in unknown:
                raise
            unknown[error.name] = Any


def takes_number(kind: Any, value: float) -> bool:
    """Return whether a bool, an int or a float is a value of the type."""
    wider = {bool: (bool,), int: (int, float, complex), float: (float, complex)}[type(value)]
    return any(
        member is Any
        or member in wider
        or (get_origin(member) is Literal and value in get_args(member))
        or (inspect.isclass(member) and issubclass(member, timedelta | Enum))
        for member in list_members(kind)
    )


def takes_any_text(kind: Any) -> bool:
    """Return whether every text is a value of the type, and none is read as something else."""
    return any(
        member is str or (inspect.isclass(member) and issubclass(member, PurePath | timedelta | Enum))
        for member in list_members(kind)
    )


def is_choice(kind: Any, value: str) -> bool:
    """Return whether text is one of the choices that the type lists."""
    return any(get_origin(member) is Literal and value in get_args(member) for member in list_members(kind))


def is_path(kind: Any) -> bool:
    """Return whether a value is opened as a path."""
    return any(inspect.isclass(member) and issubclass(member, PurePath) for member in list_members(kind))


def list_made_classes(kind: Any) -> Iterator[Any]:
    """Yield the classes of which a value may be an object, and those that a callable makes."""
    for member in list_members(kind):
        if get_origin(member) is Callable and get_args(member):
            yield from list_members(get_args(member)[1])
        elif get_origin(member) is None:
            yield member


def is_called(kind: Any) -> bool:
    """Return whether text could be taken for a function or a class to import."""
    return any(
        member is Callable or get_origin(member) in (Callable, type) or member is type for member in list_members(kind)
    )
