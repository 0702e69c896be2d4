"""Splits the command line into options, before their values are parsed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.system.yaml_files import parse_yaml, read_yaml

SECTIONS = ("data", "model", "trainer")
"""Sections of a config; each is also an option that takes a file or settings as text."""

SLOTS = (
    *("net", "encoder", "loss", "optimizer", "lr_scheduler", "source", "split", "mask", "augment"),
    *("callbacks", "logger", "strategy", "accelerator", "plugins", "profiler", "class_path"),
)
"""The last words of options that take a class."""

SUFFIXES = (".yaml", ".yml", ".json")
"""Ends of the names of config files. A word such as `cpu` is none, even if there is a file of that name."""

SWITCHES = ("--dry_run", "--new_split")
"""Options that need no value."""

ALIASES = {"-c": "--config"}
"""Short names that Lightning gives to options."""


@dataclass(frozen=True)
class Option:
    """One option of the command line.

    Attributes:
        name: Its full name with the dashes, as `--data.batch_size`; empty for a word that belongs to no option.
        value: Its value as text; None where it has none.
        words: The words it was typed in.
    """

    name: str
    value: str | None
    words: tuple[str, ...]

    @property
    def keys(self) -> list[str]:
        """The parts of its name: `data` and `batch_size`, without the sign that appends to a list."""
        return self.name.removeprefix("--").removesuffix("+").split(".")

    @property
    def appends(self) -> bool:
        """Whether it adds to a list: `--trainer.callbacks+`."""
        return self.name.endswith("+")

    @property
    def takes_config(self) -> bool:
        """Whether its value, if it is a file, is read as a config."""
        if self.name == "--config":
            return True
        is_named = self.value is not None and self.value.endswith(SUFFIXES)
        return is_named and self.keys[0] in SECTIONS and (len(self.keys) == 1 or self.keys[-1] in SLOTS)


@dataclass(frozen=True)
class Arguments:
    """The words of a command line after the command, and the options they make.

    Attributes:
        command: The command, as `fit`.
        words: What follows it.
    """

    command: str
    words: Sequence[str]
    options: tuple[Option, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(_split(self.words)))

    def get_all(self, name: str) -> list[str]:
        """Return every value of an option, in order."""
        return [option.value for option in self.options if option.name == name and option.value is not None]

    def get(self, name: str) -> str | None:
        """Return the last value of an option, None where it is not given."""
        return next(reversed(self.get_all(name)), None)

    @cached_property
    def configs(self) -> dict[str, dict[Any, Any]]:
        """The content of every config file that options name, by its path.

        Raises MisuseError for a file that is no config.
        """
        found: dict[str, dict[Any, Any]] = {}
        for option in self.options:
            path = option.value
            if path is not None and path not in found and option.takes_config and is_file(path):
                found[path] = _read_config(path, option.name)
        return found

    @cached_property
    def named_classes(self) -> tuple[str, ...]:
        """The class paths that the user vouches for: `--allow`, those in configs, and those typed for a class.

        A path of a file, a name or another value vouches for nothing, however much it looks like a class.
        """
        from segapp.checkpoints.trust import find_classes  # imports jsonargparse; the rest of this file is light

        named = [name for name in self.get_all("--allow") if name]
        for content in self.configs.values():
            named += find_classes(content)
        for option in self.options:
            value = option.value or ""
            if option.keys[-1] not in (*SLOTS, "config") or (option.takes_config and is_file(value)):
                continue
            if "class_path" in value:
                named += find_classes(parse_yaml(value, option.name))
            elif option.name != "--config" and is_class_path(value):
                named.append(value)
        return tuple(named)


def name_option(parameter: str) -> str:
    """Return the option of a function's parameter; `as_` is `--as`, since `as` is a word of Python."""
    return f"--{parameter.removesuffix('_')}"


def is_class_path(text: str) -> bool:
    """Return whether text may be the path of a class: names joined by dots, two at least."""
    return "." in text and all(part.isidentifier() for part in text.split("."))


def is_file(path: str) -> bool:
    """Return whether a value is the path of something that exists; a config may also be given as text."""
    try:
        return bool(path) and Path(path).exists()
    except (OSError, ValueError):  # too long a name, or one with a NUL: a config as text
        return False


def _split(words: Sequence[str]) -> Iterator[Option]:
    """Split words into options; a word after `--name` is its value unless it begins with two dashes."""
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        name = ALIASES.get(name, name)
        if not name.startswith("--"):
            yield Option("", None, (word,))
        elif equals:
            yield Option(name, value, (word,))
        elif name in SWITCHES and (not rest or rest[0].startswith("-")):
            yield Option(name, "true", (f"{word}=true",))
        elif rest and not rest[0].startswith("--"):
            value = rest.pop(0)
            yield Option(name, value, (word, value))
        else:
            yield Option(name, None, (word,))


def _read_config(path: str, option: str) -> dict[Any, Any]:
    content = read_yaml(Path(path))
    if not isinstance(content, dict):
        raise MisuseError(f"{path}: not a config, because it is not a mapping of settings; see configs/unet.yaml.")
    empty = [key for key in SECTIONS if key in content and content[key] is None]
    if option == "--config" and empty:
        raise MisuseError(f"{path}: its section {empty[0]} is empty; remove it, or add settings below it.")
    return content
