"""jsonargparse with errors for people, and one rule closed.

jsonargparse prints a page of usage before an error, accepts abbreviated options, and keeps same-named
`init_args` when a later config or option changes a `class_path`. Here an error is one sentence with a suggestion,
and a changed `class_path` starts from that class's own defaults.
"""

import json
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, NoReturn, get_args, get_origin

import jsonargparse
from jsonargparse import _typehints
from jsonargparse._typehints import ActionTypeHint

from segapp.checkpoints import stub_search  # noqa: F401 - before the first signature is resolved
from segapp.cli.parser_errors import rewrite_message
from segapp.errors import MisuseError


class ClearErrors(jsonargparse.ArgumentParser):
    """A parser whose errors are one `MisuseError` sentence."""

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

    def parse_args(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Parse repeated options as lists.

        `--save mask --save overlay` is read as `--save '["mask", "overlay"]'`, and `--overwrite` as `--overwrite true`.
        """
        lists = self._select_options(_takes_a_list)
        words = _gather(self._named(list(args or [])), lists)
        flags = self._select_options(lambda kind: kind is bool)
        following = [*words[1:], "--"]
        full = [
            f"{word}=true" if word in flags and after.startswith("-") else word
            for word, after in zip(words, following, strict=False)
        ]
        return super().parse_args(full, *rest, **kwargs)

    def _named(self, words: list[str]) -> list[str]:
        """`RUN RUN --output here` is `--runs RUN --runs RUN --output here`."""
        option = self.find_bare_option()
        bare = len(list(takewhile(lambda word: not word.startswith("-"), words)))
        if option is None:
            return words
        return [part for word in words[:bare] for part in (option, word)] + words[bare:]

    def find_bare_option(self) -> str | None:
        """Return the required list."""
        required = [option for action in self._actions if action.required for option in action.option_strings]
        lists = self._select_options(_takes_a_list)
        return next((option for option in required if option in lists), None)

    def _select_options(self, wanted: Callable[[Any], bool]) -> set[str]:
        """Select the options whose type is as wanted."""
        return {
            option
            for action in self._actions
            if isinstance(action, ActionTypeHint) and wanted(action._typehint)
            for option in action.option_strings
        }


def _takes_a_list(kind: Any) -> bool:
    """Return whether a type is `list[...]`, or a union that begins with one."""
    return list in (get_origin(kind), *map(get_origin, get_args(kind)[:1]))


def _gather(arguments: list[str], lists: set[str]) -> list[str]:
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
            raise MisuseError(f"{option} needs a value, as {option} VALUE.")
        if value.startswith("["):
            others += [option, value]
        else:
            values.setdefault(option, []).append(value)
    return others + [word for option, given in values.items() for word in (option, json.dumps(given))]


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
