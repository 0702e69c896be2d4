"""What a checkpoint may name: a file from elsewhere must not choose which code runs."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import jsonargparse
from jsonargparse import _common
from torch import nn

from segapp.errors import MisuseError

TRUSTED = ("segapp", "torch", "segmentation_models_pytorch", "albumentations", "lightning")
"""Packages whose classes a checkpoint may name; all others only when the person names them."""

STEERING = ("class_path", "init_args", "dict_kwargs", "_instantiator", "__path__")
"""Words that make jsonargparse import and call something."""


def check_class_paths(config: Any, allowed: Sequence[str] = ()) -> None:
    """Raise MisuseError unless every class that a checkpoint's settings name may be imported; imports nothing.

    Allowed are the packages of `TRUSTED`, and the classes or packages that the person named. Settings that smuggle
    a class past this look (in a dotted key, in text that would be parsed, through `_instantiator`) are refused.
    """
    if isinstance(config, list | tuple):
        for value in config:
            check_class_paths(value, allowed)
    elif isinstance(config, dict):
        _check_keys(config)
        if "class_path" in config:
            _check_path(config["class_path"], allowed)
        for value in config.values():
            check_class_paths(value, allowed)
    elif isinstance(config, str) and any(word in config for word in STEERING):
        raise MisuseError(f"a setting holds {config[:80]!r}, text that names a class; it was refused.")


def classes_named(config: Any) -> list[str]:
    """The classes that a config names: in one of the person's own, theirs to trust."""
    if isinstance(config, dict):
        own = [str(config["class_path"])] if "class_path" in config else []
        return own + [path for value in config.values() for path in classes_named(value)]
    if isinstance(config, list):
        return [path for value in config for path in classes_named(value)]
    return []


def named_network(path: str, allowed: Sequence[str] = ()) -> set[str]:
    """Import a checked class path; returns its arguments' names. Raises MisuseError unless it is an nn.Module class."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        raise MisuseError(f"{path} cannot be imported ({error}).") from error
    if not (inspect.isclass(found) and issubclass(found, nn.Module)):
        raise MisuseError(f"{path} is not a network (a class derived from torch.nn.Module); it was refused.")
    if not named_by_person(path, allowed):
        _check_path(f"{found.__module__}.{found.__qualname__}", allowed)
    return set(inspect.signature(found).parameters)


@contextmanager
def limited_imports(allowed: Sequence[str] = ()) -> Iterator[None]:
    """While it lasts, jsonargparse imports only `TRUSTED` packages and `allowed`, whatever a setting's text says.

    Its policy also looks at where an object really comes from, so `torch.os.system` stays `os.system`.
    """
    before = dict(_common.parsing_settings)  # jsonargparse can set its policy, but not put it back
    jsonargparse.set_parsing_settings(
        import_path_denylist=["*", "torch.hub", "torch.load", "torch.serialization", "torch.jit", "torch.package"],
        import_path_allowlist=[*TRUSTED, *allowed],
        instantiate_subclass_spec_in_any=False,
    )
    try:
        yield
    finally:
        _common.parsing_settings.update(before)


def _check_keys(config: dict[Any, Any]) -> None:
    for key in map(str, config):
        if any(word in key for word in STEERING) and key not in ("class_path", "init_args"):
            raise MisuseError(f"the setting {key!r} would choose what is called; it was refused.")
    if "class_path" in config and not config.keys() <= {"class_path", "init_args"}:
        extra = ", ".join(sorted(map(str, config.keys() - {"class_path", "init_args"})))
        raise MisuseError(f"{config['class_path']!r} stands beside {extra}, only init_args may; it was refused.")


def _check_path(path: Any, allowed: Sequence[str]) -> None:
    parts = path.split(".") if isinstance(path, str) else []
    if len(parts) < 2 or not all(part.isidentifier() and not part.startswith("__") for part in parts):
        raise MisuseError(f"{path!r} is not the path of a class (package.module.Class); it was refused.")
    if not (parts[0] in TRUSTED or named_by_person(path, allowed)):
        raise MisuseError(
            f"names {path}, code from outside segapp; it was not imported. "
            f"If you trust it, say so: --allow {path} (or name it in a config of yours)."
        )


def named_by_person(path: str, allowed: Sequence[str]) -> bool:
    """Whether a class path is one of `allowed`, or lies in a package of it."""
    return any(path == name or path.startswith(f"{name}.") for name in allowed)
