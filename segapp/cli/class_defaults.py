"""Reads from the signatures of classes which settings are mappings, and which defaults a class has.

Where a parameter has a class as its default, as `SegmentationModule(optimizer=AdamW)`, and a config names another one,
jsonargparse keeps the default class's arguments that the other class has too: SGD would decay weights as AdamW does.
So the defaults of the named class are written out before jsonargparse sees the settings.
"""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, get_origin

from segapp.checkpoints.parameter_types import list_members
from segapp.checkpoints.roles import find_class
from segapp.checkpoints.trust import resolve_parameters
from segapp.cli.parser_errors import CLASS_MODULES

PLAIN = (bool, int, float, str, type(None))


def takes_mapping(path: str, parameter: str) -> bool:
    """Return whether a parameter of a class takes a mapping as one value; the class is imported."""
    known = _find_parameters(path)
    kinds = (
        [get_origin(kind) or kind for kind in list_members(known[parameter].annotation)] if parameter in known else []
    )
    return any(inspect.isclass(kind) and issubclass(kind, Mapping) for kind in kinds)


def write_out_defaults(arguments: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the arguments of the class `path`, with defaults written out where those of another class would be kept.

    That is the case where a part has another class than the default of its parameter.
    """
    defaults = {name: parameter.default for name, parameter in _find_parameters(path).items()}
    classes = {
        name: one for name, one in defaults.items() if inspect.isclass(one) and one is not inspect.Parameter.empty
    }
    return {name: _write_out(value, classes.get(name)) for name, value in arguments.items()}


def _write_out(value: Any, default: type | None) -> Any:
    if isinstance(value, list):
        return [_write_out(one, None) for one in value]
    if isinstance(value, str) and default is not None:
        value = {"class_path": value}
    if not isinstance(value, dict) or not isinstance(value.get("class_path"), str):
        return value
    path, arguments = _find_path(value["class_path"]), value.get("init_args") or {}
    if not isinstance(arguments, dict):
        return value
    arguments = write_out_defaults(arguments, path)
    own = _find_parameters(path) if default is not None else {}
    if default is not None and own and find_class(path) is not default:
        lent = [name for name in resolve_parameters(default) if name in own and name not in arguments]
        arguments |= {name: own[name].default for name in lent if isinstance(own[name].default, PLAIN)}
    return value | {"class_path": path} | ({"init_args": arguments} if arguments else {})


def _find_path(name: str) -> str:
    """Return the path of a class, also of one that is named without its module."""
    if "." in name:
        return name
    found = [module for module in CLASS_MODULES if inspect.isclass(vars(import_module(module)).get(name))]
    return f"{found[0]}.{name}" if found else name


def _find_parameters(path: str) -> dict[str, Any]:
    try:
        return resolve_parameters(find_class(path))
    except Exception:  # the parser imports it again, and says what is wrong with it
        return {}
