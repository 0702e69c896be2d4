"""jsonargparse with errors for people, and one rule closed.

jsonargparse prints a page of usage before an error, accepts abbreviated options, and keeps same-named
`init_args` when a later config or option changes a `class_path`. Here an error is one sentence with a suggestion,
and a changed `class_path` starts from that class's own defaults.
"""

import difflib
import inspect
import json
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, NoReturn

import jsonargparse
from jsonargparse import _typehints

from segapp.errors import MisuseError

_KEY = re.compile(r'Parser key "([^"]+)":\s*')
_CLASS_PATH = re.compile(r"class_path '([\w.]+)'")
_UNKNOWN = re.compile(r"Option '([^']+)' is not accepted|does not accept option '([^']+)'")
_EXPECTED = re.compile(r"Expected an? (?:<class '([^']+)'>|(\S.*?))\. Got value: (.*)", re.DOTALL)


def suggest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known word, or nothing."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""


class ClearErrors(jsonargparse.ArgumentParser):
    """A parser whose errors are one `MisuseError` sentence."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise instead of printing usage and exiting."""
        parser = getattr(ex, "subcommand_parser", None) or self
        raise MisuseError(_sentence(message, parser)) from None


class FunctionParser(ClearErrors):
    """Parses a typed function's arguments; a list option is given by repeating it."""

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """`--save mask --save overlay` is `--save '["mask", "overlay"]'`."""
        lists = {
            option
            for action in self._actions
            for option in action.option_strings
            if getattr(getattr(action, "_typehint", None), "__origin__", None) is list
        }
        return super().parse_args(_gather(list(args or []), lists), *rest, **kwargs)


def _gather(arguments: list[str], lists: set[str]) -> list[str]:
    """Join the values of every repeated list option into one JSON list."""
    values: dict[str, list[str]] = {}
    others: list[str] = []
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if option not in lists:
            others.append(word)
            continue
        value = value if equals else next(words, "")
        if value.startswith("["):
            others += [option, value]
        else:
            values.setdefault(option, []).append(value)
    return others + [word for option, given in values.items() for word in (option, json.dumps(given))]


def _sentence(message: str, parser: jsonargparse.ArgumentParser) -> str:
    """One readable sentence from a jsonargparse or argparse message."""
    options = [option for action in parser._actions for option in action.option_strings]
    if message.startswith("unrecognized arguments:"):
        word = message.split(":", 1)[1].split()[0]
        return f"unknown option {word}{suggest(word.partition('=')[0], options)}."
    where = ".".join(key for key in _KEY.findall(message)[:1])
    place = f"{where}: " if where else ""
    if found := _UNKNOWN.search(message):
        name = found.group(1) or found.group(2)
        return f"{place}there is no setting {name!r}{suggest(name.split('.')[-1], _names(message, options))}."
    text = _KEY.sub("", message)
    text = _EXPECTED.sub(lambda m: f"expected {m.group(1) or m.group(2)}, got {m.group(3).strip()}", text)
    return place + re.sub(r"\s*\n\s*", " ", text).strip().rstrip(".").replace("typing.", "") + "."


def _names(message: str, options: Sequence[str]) -> set[str]:
    """Settings the person may have meant: the parameters of the class the message names, else every option."""
    names: set[str] = set()
    for path in _CLASS_PATH.findall(message):
        module, _, name = path.rpartition(".")
        names |= set(inspect.signature(getattr(import_module(module), name)).parameters)
    return names or {part for option in options for part in option.lstrip("-").split(".")}


def start_afresh_when_a_class_changes() -> None:
    """Replace jsonargparse's rule by ours: with another `class_path`, no earlier `init_args` survive.

    jsonargparse 4.53 keeps those whose names and types the new class also accepts, so that `Cells` followed by
    `Folder` would keep `root: data/cells`. The rule is one function of a private module; pyproject.toml pins the
    minor version and tests/cli/test_parser.py fails should it move.
    """

    def discard(parser_or_action: Any, prev_val: Any, value: Any) -> None:
        if prev_val and "init_args" in prev_val and prev_val["class_path"] != value["class_path"]:
            previous = _typehints.subclass_spec_as_namespace(prev_val).init_args
            for key in list(previous.keys()):
                previous.pop(key)

    _typehints.discard_init_args_on_class_path_change = discard
