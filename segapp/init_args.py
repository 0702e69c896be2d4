"""Record the arguments that objects were made with, so that a checkpoint says how to make them again.

A description is what a config holds: `{"class_path": …, "init_args": {…}}`, of plain types.
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import partial, wraps
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from segapp.errors import MisuseError

T = TypeVar("T")

_RECORD = "_made_with"


class Recorded:
    """Base of classes whose objects remember the arguments they were made with, defaults included."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _recording(cls.__init__)  # type: ignore[method-assign]


def construct(kind: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Return `kind(*args, **kwargs)` with its arguments recorded, for classes that are not `Recorded`."""
    made = kind(*args, **kwargs)
    object.__setattr__(made, _RECORD, _description(kind, inspect.signature(kind).bind(*args, **kwargs)))
    return made


def describe(value: Any) -> Any:
    """Return the description of a value in plain types; MisuseError says which part has none."""
    if isinstance(value, Enum):
        return describe(value.value)
    if isinstance(value, bool | None):
        return value
    for plain, kinds in {int: Integral, float: Real, str: str | Path}.items():  # numpy's numbers too
        if isinstance(value, kinds):
            return plain(value)
    if isinstance(value, Mapping):
        return {describe(key): describe(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [describe(item) for item in value]
    if isinstance(value, type):
        return {"class_path": _path_of(value)}
    if isinstance(value, partial) and isinstance(value.func, type) and not value.args:
        return {"class_path": _path_of(value.func), "init_args": describe(value.keywords)}
    record = getattr(value, "__dict__", {}).get(_RECORD)
    if isinstance(record, str):
        raise MisuseError(record)
    if record is not None:
        return record
    if isinstance(value, Recorded):  # without a constructor of its own
        return {"class_path": _path_of(type(value)), "init_args": {}}
    if is_dataclass(value):
        return {field.name: describe(getattr(value, field.name)) for field in fields(value)}
    raise MisuseError(
        f"{_name_of(value)} does not record its arguments: derive its class from segapp.init_args.Recorded, or build "
        "it by segapp.init_args.construct(Class, ...)."
    )


def _recording(init: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(init)

    @wraps(init)
    def recording(self: Any, *args: Any, **kwargs: Any) -> None:
        if _RECORD not in self.__dict__:  # the constructor of a derived class has come first
            try:
                bound = signature.bind(self, *args, **kwargs)
            except TypeError:
                pass  # the constructor says it better
            else:
                object.__setattr__(self, _RECORD, _description(type(self), bound))
        init(self, *args, **kwargs)

    return recording


def _description(kind: Callable[..., Any], bound: inspect.BoundArguments) -> dict[str, Any] | str:
    """Describe at once, not when a checkpoint is written: arguments may change, and need not be picklable.

    Where an argument has no description, the text that says so.
    """
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= arguments.pop(name)
        elif parameter.kind is parameter.VAR_POSITIONAL and arguments.pop(name):
            return f"{_name_of(kind)} takes arguments without names, which no config can hold."
    arguments.pop("self", None)
    try:
        return {"class_path": _path_of(kind), "init_args": describe(arguments)}
    except MisuseError as error:
        return str(error)


def _path_of(kind: Any) -> str:
    """Return the shortest path under which a class can be imported."""
    module, name = kind.__module__, kind.__qualname__
    if module == "__main__" or "<" in name:
        raise MisuseError(f"{name} is defined in a notebook, a script or a function: move it to a module.")
    parts = module.split(".")
    first = 2 if parts[0] == "segapp" else 1  # `segapp.UNet` is for scripts; configs say `segapp.models.UNet`
    packages = (".".join(parts[:count]) for count in range(first, len(parts)))
    public = (package for package in packages if getattr(sys.modules.get(package), name, None) is kind)
    return f"{next(public, module)}.{name}"


def _name_of(value: Any) -> str:
    kind = value if hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"
