"""Checks of an untrusted file's settings: name listed classes, in their roles, and give them plain values."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import jsonargparse
from jsonargparse import _common
from jsonargparse._parameter_resolvers import get_signature_parameters
from jsonargparse._util import get_import_path

from segapp.checkpoints import parameter_types as types
from segapp.checkpoints import stub_search  # noqa: F401 - before the first signature is resolved
from segapp.checkpoints.number_limits import require_within_limit
from segapp.checkpoints.regex_limits import require_simple
from segapp.checkpoints.roles import (
    IMPORTABLE_MODULES,
    LOGGER,
    SOURCE,
    Role,
    find_class,
    find_roles,
    has_role,
    import_bases,
    is_below,
)
from segapp.errors import MisuseError
from segapp.system.user_modules import search_current_folder

CALLING_WORDS = ("class_path", "init_args", "dict_kwargs", "_instantiator", "__path__")
"""Words that make jsonargparse import and call something."""

WORD = re.compile(r"[\w ,=+-]{0,200}")
"""Text that names no module, no file and no address."""

LONGEST = 2000
"""Most values of a list: jsonargparse's time grows with their square."""

NAME_PATTERNS = ("group", "exclude")
"""Arguments of data sets that are only compared with names, never opened."""

PLAIN_FIELD = re.compile(r"\{(?![^{}]*__)[^{}\[\]:!]*(?::0?\d{0,2}(?:\.\d{1,2})?[dfeg]?)?\}")
"""A field of `str.format` that becomes a short number, or a value as it is."""


def check_class_paths(config: Any, allowed: Sequence[str] = ()) -> None:
    """Raise MisuseError unless every class that settings name may be imported; imports nothing.

    Allowed are `roles.IMPORTABLE_MODULES`, and the classes or packages that the user named. Settings that hide
    a class from this check (in a dotted key, in text that would be parsed, through `_instantiator`) are refused.
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
    elif isinstance(config, str) and any(word in config for word in CALLING_WORDS):
        raise MisuseError(f"a setting holds {_shorten(config)}, text that may name a class; it was refused.")


def find_classes(config: Any) -> list[str]:
    """Return the classes that a config names; the user trusts those in user-written configs."""
    if isinstance(config, dict):
        own = [str(config["class_path"])] if "class_path" in config else []
        return own + [path for value in config.values() for path in find_classes(value)]
    if isinstance(config, list):
        return [path for value in config for path in find_classes(value)]
    return []


def is_named_by_user(path: str, allowed: Sequence[str]) -> bool:
    """Return whether a class path is one of `allowed`, or lies in a package of it."""
    return is_below(path, tuple(allowed))


@cache
def resolve_parameters(function: Any) -> dict[str, Any]:
    """Return the parameters of a function or class by name, those that it passes to its ancestors included."""
    return {parameter.name: parameter for parameter in get_signature_parameters(function, None)}


RECORDS = (
    "segapp.models.blocks.BlockStyle",
    "segapp.models.BlockStyle",
    "segapp.spec.Intensity",
    "segapp.spec.Resolution",
)
"""Dataclasses that parameters of segapp's classes take: jsonargparse imports them for values without a class_path."""


def list_imports(found: type) -> set[str]:
    """List what jsonargparse imports to make an object of a class: it, and the defaults of its parameters."""
    defaults = [parameter.default for parameter in resolve_parameters(found).values()]
    objects = [found, *(one for one in defaults if inspect.isclass(one) and one is not inspect.Parameter.empty)]
    return {name for one in objects for name in (f"{one.__module__}.{one.__qualname__}", get_import_path(one)) if name}


@dataclass
class Review:
    """Settings of a file, checked value by value against the types of the parameters that they reach.

    Attributes:
        allowed: Classes or packages that the user named.
        classes: Every class that was found, by the given name and where it is defined: only these may be imported.
        dropped: The places of settings that a file must not choose and that were left out, each with the reason.
        roots: Folders that data sets are read from.
    """

    allowed: Sequence[str] = ()
    classes: set[str] = field(default_factory=set)
    dropped: dict[str, str] = field(default_factory=dict)
    roots: list[str] = field(default_factory=list)

    def check_arguments(self, config: Mapping[str, Any], expected: Mapping[str, Any], place: str) -> dict[str, Any]:
        """Return a section's settings, checked against a type, a role or a tuple of them each; others must be plain."""
        return {key: self.check_value(value, expected.get(key, Any), f"{place}.{key}") for key, value in config.items()}

    def check_part(self, config: Any, roles: Sequence[Role], place: str) -> dict[str, Any]:
        """Return the class_path and init_args of a part that has one of these roles; raises MisuseError."""
        if not isinstance(config, dict) or "class_path" not in config:
            raise MisuseError(f"{place}: expected the class_path of a {_join_names(roles)}, got {_shorten(config)}.")
        path, settings = config["class_path"], config.get("init_args") or {}
        _check_path(path, self.allowed)
        if not isinstance(settings, dict):
            raise MisuseError(f"{place}: the init_args of {path} are no settings but {_shorten(settings)}.")
        found = find_class(path)
        role = self._find_role(found, path, roles, place)
        known = resolve_parameters(found)
        self.classes |= {path, *list_imports(found)}
        kept = {}
        for key, value in settings.items():
            parameter = known.get(key)
            if parameter is None:
                kept[key] = self.check_value(value, Any, f"{place}.{key}", role)
            elif not _is_default(value, parameter.default) and not self._is_left_out(value, parameter, role, place):
                kept[key] = self.check_value(value, parameter.annotation, f"{place}.{key}", role)
        return {"class_path": path, **({"init_args": kept} if "init_args" in config else {})}

    def check_value(self, value: Any, kind: Any, place: str, role: Role | None = None) -> Any:
        """Return a value that a parameter of this type may have, the parts in it checked; raises MisuseError.

        `role` is that of the part whose parameter it is: None for a class that the user named, and for a section.
        """
        inner: Any
        if value is None:
            return None
        if isinstance(value, dict | list | tuple) and len(value) > LONGEST:
            raise MisuseError(f"{place}: {len(value):,} values; a file's settings list {LONGEST:,} at most.")
        if isinstance(value, dict) and "class_path" in value:
            roles = [one for member in types.list_made_classes(kind) for one in find_roles(member)]
            return self.check_part(value, [role] if role is not None and role in roles else roles, place)
        if isinstance(value, dict) and (inner := types.find_value_types(kind, value)) is not None:
            return {key: self.check_value(one, inner[key], f"{place}.{key}", role) for key, one in value.items()}
        if isinstance(value, list | tuple) and (inner := types.list_element_types(kind)) is not None:
            return [self.check_value(one, inner, place, role) for one in value]
        if isinstance(value, bool | int | float) and types.takes_number(kind, value):
            require_within_limit(value, role, place)
            return value
        if isinstance(value, str) and self._is_harmless(value, kind, place, role):
            return value
        raise MisuseError(f"{place}: {_shorten(value)} is not a value for it; it was refused.")

    def _find_role(self, found: type, path: str, roles: Sequence[Role], place: str) -> Role | None:
        """Return the role of a class in its place; None for one that the user allows."""
        if not roles:
            raise MisuseError(f"{place}: names the class {path}, but the parameter's type names none; it was refused.")
        for role in roles:
            if has_role(found, role):
                return role
        if not is_named_by_user(path, self.allowed):
            raise MisuseError(
                f"{place}: {path} is not a {_join_names(roles)} that a file may name.{_suggest_allow(path)}"
            )
        if not any(issubclass(found, import_bases(role)) for role in roles):
            raise MisuseError(f"{place}: {path} is not a {_join_names(roles)}; it was refused.")
        return None

    def _is_left_out(self, value: Any, parameter: Any, role: Role | None, place: str) -> bool:
        """Return whether no file may choose a setting, such as a path; the root of the data is recorded and kept."""
        name = f"{place}.{parameter.name}"
        if value is None or role is None:
            return False
        if parameter.name in role.refused_parameters:
            raise MisuseError(f"{name}: would open a file or call a function; it was refused.")
        if parameter.name in role.user_only_parameters:
            self.dropped[name] = "the look of the terminal is set in your own config"
            return True
        if not types.is_path(parameter.annotation):
            return False
        if role is SOURCE and parameter.name == "root":
            if not isinstance(value, str) or "://" in value or "\0" in value:
                raise MisuseError(f"{name}: expected a folder of this machine, got {_shorten(value)}.")
            self.roots.append(value)
            return False
        if parameter.default is inspect.Parameter.empty and role is not LOGGER:
            raise MisuseError(f"{name}: a folder to write to, which no file chooses; it was refused.")
        self.dropped[name] = "everything is written to the run's folder"
        return True

    def _is_harmless(self, text: str, kind: Any, place: str, role: Role | None) -> bool:
        """Return whether text is never imported, opened or parsed into something else."""
        key = place.rpartition(".")[2]
        if key == "group" and role is SOURCE:
            require_simple(text, place)
        if types.is_choice(kind, text):
            return True
        if types.is_called(kind) or any(True for member in types.list_members(kind) for _ in find_roles(member)):
            return types.takes_any_text(kind) and bool(WORD.fullmatch(text))
        if not types.takes_any_text(kind):
            return any(member is Any for member in types.list_members(kind)) and (
                role is None or bool(WORD.fullmatch(text))
            )
        free = role is None or key in NAME_PATTERNS or (role is SOURCE and key == "root")
        return free or not (is_outside_path(text) or _is_computed(text, role))


def _is_computed(text: str, role: Role | None) -> bool:
    """Return whether libraries expand the text to something else.

    `{x[y]}` reads any attribute, `{x:>4000}` fills memory, and `{step:c}` is a dot at step 46, so that a path goes
    upwards. Loggers and callbacks expand `$NAME` too; in data sets it is a part of names.
    """
    rest = PLAIN_FIELD.sub("", text)
    return "{" in rest or "}" in rest or (role is not SOURCE and "$" in text)


def is_outside_path(text: str) -> bool:
    """Return whether text, read as a path, is absolute, goes upwards or is an address."""
    paths = PurePosixPath(text), PureWindowsPath(text)
    upwards = any(".." in path.parts or path.anchor for path in paths)
    return upwards or "://" in text or text.startswith("~") or "\0" in text


@contextmanager
def limited_imports(allowed: Sequence[str]) -> Iterator[None]:
    """Limit jsonargparse's imports in the body to `allowed`, classes or packages, and `RECORDS`, whatever is set.

    Its policy also checks where an object is defined, so `torch.os.system` is `os.system`; and the value of an
    argument of any type stays plain data.
    """
    search_current_folder(allowed)
    before = dict(_common.parsing_settings)  # jsonargparse can set its policy, but not put it back
    jsonargparse.set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[
            *RECORDS,
            *(name for name in allowed if all(part.isidentifier() for part in name.split("."))),
        ],
        instantiate_subclass_spec_in_any=False,
    )
    try:
        yield
    finally:
        _common.parsing_settings.update(before)


def _check_keys(config: dict[Any, Any]) -> None:
    for key in map(str, config):
        if any(word in key for word in CALLING_WORDS) and key not in ("class_path", "init_args"):
            raise MisuseError(f"the setting {key!r} would choose what is called; it was refused.")
    if "class_path" in config and not config.keys() <= {"class_path", "init_args"}:
        extra = ", ".join(sorted(map(str, config.keys() - {"class_path", "init_args"})))
        raise MisuseError(f"{config['class_path']!r} stands beside {extra}, only init_args may; it was refused.")


def _check_path(path: Any, allowed: Sequence[str]) -> None:
    parts = path.split(".") if isinstance(path, str) else []
    if len(parts) < 2 or not all(part.isidentifier() and not part.startswith("__") for part in parts):
        raise MisuseError(f"{_shorten(path)} is not the path of a class (package.module.Class); it was refused.")
    if not (is_below(path, IMPORTABLE_MODULES) or is_named_by_user(path, allowed)):
        raise MisuseError(f"names {path}, code from outside segapp; it was not imported.{_suggest_allow(path)}")


def _is_default(value: Any, default: Any) -> bool:
    """Return whether a setting is the path of the function or class that its parameter has anyway."""
    if not isinstance(value, str) or not (inspect.isclass(default) or inspect.isroutine(default)):
        return False
    return value.rpartition(".")[2] == default.__qualname__ and is_below(default.__module__, (value.split(".")[0],))


def _join_names(roles: Sequence[Role]) -> str:
    return " or ".join(dict.fromkeys(role.name for role in roles)) or "part"


def _suggest_allow(path: str) -> str:
    return f" If you trust it, add --allow {path}, or name it in your own config."


def _shorten(value: Any) -> str:
    return repr(value)[:80]
