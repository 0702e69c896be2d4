"""Parsers of jsonargparse with readable errors.

jsonargparse prints a page of usage before an error, and accepts abbreviated options. Here an error is one message with
a suggestion.
"""

import inspect
import json
import re
from collections.abc import Callable, Collection, Sequence
from itertools import takewhile
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import jsonargparse

from segapp.checkpoints import stub_search  # noqa: F401 - before the first signature is resolved
from segapp.cli.arguments import name_option
from segapp.cli.parser_errors import rewrite_message
from segapp.errors import MisuseError


class ClearErrors(jsonargparse.ArgumentParser):
    """A parser that raises a `MisuseError` with one message."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise instead of printing usage and exiting."""
        parser = getattr(ex, "subcommand_parser", None) or self
        raise MisuseError(rewrite_message(message, parser, self.find_bare_option())) from None

    def find_bare_option(self) -> str | None:
        """Return the option whose values may come first, without it, or None."""
        return None


class FunctionParser(ClearErrors):
    """Parses a typed function's arguments; a list is given by repeating its option, a flag needs no value.

    Words before the first option are the values of the list that must be given, where the function has one.
    """

    _lists: frozenset[str] = frozenset()
    _flags: frozenset[str] = frozenset()
    _bare: str | None = None
    _renamed: tuple[str, ...] = ()

    def add_function_arguments(self, function: Callable[..., Any], *rest: Any, **kwargs: Any) -> list[str]:
        """Add an option for every parameter, and record which are lists and flags."""
        kinds, parameters = get_type_hints(function), inspect.signature(function).parameters
        self._lists = frozenset(f"--{name}" for name in parameters if _takes_a_list(kinds[name]))
        self._flags = frozenset(f"--{name}" for name in parameters if kinds[name] is bool)
        required = [f"--{name}" for name, parameter in parameters.items() if parameter.default is parameter.empty]
        self._bare = next((option for option in required if option in self._lists), None)
        added = super().add_function_arguments(function, *rest, **kwargs)
        self._renamed = tuple(name for name in parameters if name_option(name) != f"--{name}")
        for name in self._renamed:
            self._rename_option(f"--{name}", name_option(name))
        return added

    def _rename_option(self, old: str, new: str) -> None:
        action = self._option_string_actions.pop(old)
        action.option_strings = [new]
        self._option_string_actions[new] = action

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise a message that calls parameters as their options are called."""
        for name in self._renamed:
            message = re.sub(rf"\b{name}\b", name_option(name).lstrip("-"), message)
        super().error(message, ex)

    def find_bare_option(self) -> str | None:
        """Return the required list."""
        return self._bare

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Parse repeated options as lists.

        `--save mask --save overlay` is read as `--save '["mask", "overlay"]'`, and `--overwrite` as `--overwrite true`.
        """
        words = _gather(self._named(list(args or [])), self._lists)
        following = [*words[1:], "--"]
        full = [
            f"{word}=true" if word in self._flags and after.startswith("-") else word
            for word, after in zip(words, following, strict=False)
        ]
        return super().parse_args(full, *rest, **kwargs)

    def _named(self, words: list[str]) -> list[str]:
        """`RUN RUN --output here` is `--runs RUN --runs RUN --output here`."""
        bare = len(list(takewhile(lambda word: not word.startswith("-"), words)))
        if self._bare is None:
            return words
        return [part for word in words[:bare] for part in (self._bare, word)] + words[bare:]


def _takes_a_list(kind: Any) -> bool:
    """Return whether a type is `list[...]`, or a union that begins with one."""
    return list in (get_origin(kind), *map(get_origin, get_args(kind)[:1]))


def _gather(arguments: list[str], lists: Collection[str]) -> list[str]:
    """Join the values of every repeated list option into one JSON list; MisuseError where one has no value."""
    values: dict[str, list[str]] = {}
    others: list[str] = []
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        if option not in lists:
            others.append(word)
            continue
        value = value if equals else next(words, "--")
        if value.startswith("--"):
            raise MisuseError(f"{option} needs a value: {option} VALUE.")
        if value.startswith("["):
            others += [option, value]
        else:
            values.setdefault(option, []).append(value)
    return others + [word for option, given in values.items() for word in (option, json.dumps(given))]
