"""What jsonargparse and argparse complain about, said in one sentence with a suggestion."""

import difflib
import inspect
import re
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from importlib import import_module

ROOMS = (
    "segapp.models",
    "segapp.losses",
    "segapp.datasets",
    "segapp.transforms",
    "segapp.callbacks",
    "segapp.schedules",
    "torch.optim",
    "torch.optim.lr_scheduler",
)
"""Where the classes that configs name mostly live."""

_KEY = re.compile(r'Parser key "([^"]+)":\s*')
_CLASS_PATH = re.compile(r"class_path '([\w.]+)'")
_UNKNOWN = re.compile(r"Option '([^']+)' is not accepted|does not accept option '([^']+)'")
_ALREADY_SAID = re.compile(
    r"^\s*- ((?:[\w.]+: expected|expected|there is no|[\w., ]+ must be given).*\.)$", re.MULTILINE
)
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_PATH = re.compile(r"Expected a dot import path string: (\S+)")
_NOT_A_KIND = re.compile(r"Import path (\S+) does not correspond to a subclass of (\w+)")
_NOT_CALLABLE = re.compile(r"Expected '([^']+)' to be a (?:function that returns|subclass of) (.+?)\.?$", re.MULTILINE)
_EXPECTED = re.compile(r"(?:Expected an?|Not a valid subclass of) (.+?)(?=\. Got value|\n|$)")
_GOT = re.compile(r"(?:Got|Given) value: (.*)", re.DOTALL)
_CLASS = re.compile(r"<class '(?:[\w.]+\.)?(\w+)'>")
_LITERAL = re.compile(r"(?:typing\.)?Literal\[([^\]]*)\]")


def suggest(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the nearest known word, or nothing."""
    nearest = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""


def sentence(message: str, parser: ArgumentParser) -> str:
    """One readable sentence from a jsonargparse or argparse message."""
    options = [option for action in parser._actions for option in action.option_strings]
    if message.startswith("unrecognized arguments:"):
        return _unknown_option(message.split(":", 1)[1].split()[0], options)
    if message.startswith("the following arguments are required:"):
        return _missing(message.split(":", 1)[1].strip())
    keys = _KEY.findall(message)
    place = f"{keys[0]}: " if keys else ""
    text = _KEY.sub("", message)
    return place + (_unknown_setting(text, options) or _wrong_class(text) or _wrong_value(text) or _flat(text))


def _unknown_option(word: str, options: Sequence[str]) -> str:
    if not word.startswith("-"):
        return f"{word!r} stands alone: a config is given as --config {word}, a setting as --name value."
    return f"unknown option {word}{suggest(word.partition('=')[0], options)}."


def _missing(names: str) -> str:
    """`fit.model.net, fit.data.source` when there was no config; bare arguments of a class otherwise."""
    names = re.sub(r"\b(?:fit|validate|test)\.", "", names)
    start = ": start from a complete config, as --config configs/unet.yaml" if "." in names else ""
    return f"{names} must be given{start}."


def _unknown_setting(text: str, options: Sequence[str]) -> str | None:
    found = _UNKNOWN.search(text)
    if found is None:
        return None
    name = found.group(1) or found.group(2)
    return f"there is no setting {name!r}{suggest(name.split('.')[-1], _settings(text, options))}."


def _settings(text: str, options: Sequence[str]) -> set[str]:
    """Settings the person may have meant: the parameters of the class the message names, else every option."""
    names: set[str] = set()
    for path in _CLASS_PATH.findall(text):
        module, _, name = path.rpartition(".")
        names |= set(inspect.signature(getattr(import_module(module), name)).parameters)
    return names or {part for option in options for part in option.lstrip("-").split(".")}


def _wrong_class(text: str) -> str | None:
    """What is wrong with a class that was named; of several ways to read a value, that of the person."""
    if said := _ALREADY_SAID.search(text):
        return said.group(1)
    if found := _NO_ATTRIBUTE.search(text):
        module, name = found.groups()
        return f"there is no {name!r} in {module}{suggest(name, _public(module))}."
    if found := _NO_MODULE.search(text):
        named = _CLASS_PATH.search(text)  # Python names the first part that is missing, the person wrote all of it
        module = named.group(1).rpartition(".")[0] if named else found.group(1)
        return f"there is no module {module!r}{suggest(module, ROOMS)}."
    if found := _NO_PATH.search(text):
        return _short_name(found.group(1))
    if found := _NOT_CALLABLE.search(text):
        return f"{found.group(1)} does not make a {_kind(found.group(2))}."
    if refused := _NOT_A_KIND.findall(text):
        return f"{refused[0][0]} is no {' or '.join(dict.fromkeys(kind for _, kind in refused))}."
    return None


def _short_name(name: str) -> str:
    paths = {public: f"{room}.{public}" for room in reversed(ROOMS) for public in _public(room)}
    nearest = difflib.get_close_matches(name, paths, n=1)
    hint = f" (did you mean {paths[nearest[0]]!r}?)" if nearest else "; write it with its module, package.module.Class"
    return f"there is no class {name!r}{hint}."


def _public(module: str) -> list[str]:
    return [name for name, value in vars(import_module(module)).items() if inspect.isclass(value)]


def _wrong_value(text: str) -> str | None:
    got, offered = _GOT.search(text), [_kind(kind) for kind in _EXPECTED.findall(text)]
    if got is None or not offered:
        return None
    return f"expected {' or '.join(dict.fromkeys(offered))}, got {_flat(got.group(1))}"


def _kind(kind: str) -> str:
    """`<class 'int'>` is `int`, `Literal['a', 'b']` is `a | b`, None is what YAML calls it."""
    kind = _CLASS.sub(r"\1", kind).replace("NoneType", "null")
    return _LITERAL.sub(lambda found: found.group(1).replace("'", "").replace(", ", " | "), kind)


def _flat(text: str) -> str:
    return _kind(" ".join(text.split()).lstrip("- ").rstrip(".")) + "."
