"""Rewrites messages of jsonargparse and argparse as one sentence with a suggestion."""

import difflib
import inspect
import re
import shlex
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from segapp.errors import suggest

CLASS_MODULES = (
    "segapp.models",
    "segapp.losses",
    "segapp.datasets",
    "segapp.transforms",
    "segapp.callbacks",
    "segapp.schedules",
    "torch.optim",
    "torch.optim.lr_scheduler",
)
"""Modules of most classes in configs."""

_TYPED_AS = {"data.seed": "seed_everything"}
"""Settings that are filled from another one, which the user typed."""

_KEY = re.compile(r'Parser key "([^"]+)":\s*')
_CLASS_PATH = re.compile(r"class_path '([\w.]+)'")
_UNKNOWN = re.compile(r"Option '([^']+)' is not accepted|does not accept option '([^']+)'")
_ALREADY_CLEAR = re.compile(
    r"^\s*- ((?:[\w.]+: expected|expected|there is no|[\w., ]+ must be given).*\.)$", re.MULTILINE
)
_NO_ATTRIBUTE = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_FILE = re.compile(
    r"Unable to load config '([^'{\[:]+)'|File does not exist: '([^']+)'|a path but (.+\.(?:yaml|yml|json)) either not"
)
_NO_PATH = re.compile(r"Expected a dot import path string: (\S+)")
_NOT_A_KIND = re.compile(r"Import path (\S+) does not correspond to a subclass of (\w+)")
_NOT_CALLABLE = re.compile(r"Expected '([^']+)' to be a (?:function that returns|subclass of) (.+?)\.?$", re.MULTILINE)
_NUMBER = re.compile(r"Expected an? <class '(?:int|float)'>")
_EXPECTED = re.compile(
    r"(?:Expected an? (?!path but|dot import path)|Not a valid subclass of )(.+?)(?=\. Got value|\n|$)"
)
_GOT = re.compile(r"(?:Got|Given) value: (.*)", re.DOTALL)
_CLASS = re.compile(r"<class '(?:[\w.]+\.)?(\w+)'>")
_LITERAL = re.compile(r"(?:typing\.)?Literal\[([^\]]*)\]")


def rewrite_message(message: str, parser: ArgumentParser, bare_option: str | None = None) -> str:
    """Rewrite a jsonargparse or argparse message as one readable sentence.

    Args:
        message: The message.
        parser: The parser, whose options are suggested.
        bare_option: The option whose values may come first, without it.
    """
    options = [option for action in parser._actions for option in action.option_strings]
    if message.startswith("unrecognized arguments:"):
        word = message.split(":", 1)[1].split()[0]
        is_option = word.startswith("-")
        return describe_unknown_option(word, options) if is_option else _explain_stray_word(word, options, bare_option)
    if message.startswith("the following arguments are required:"):
        return _explain_missing(message.split(":", 1)[1].strip())
    keys = _KEY.findall(message)
    place = f"{_TYPED_AS.get(keys[0], keys[0])}: " if keys else ""
    text = _KEY.sub("", message)
    if keys == ["seed_everything"]:  # of Lightning's bool or int, the data takes an int
        text = text.replace("<class 'bool'>", "<class 'int'>")
    found = (
        _explain_unknown_setting(text, options)
        or _explain_missing_file(text)
        or _explain_wrong_class(text)
        or _explain_wrong_value(text)
    )
    return place + (found or _flatten(text))


def _explain_stray_word(word: str, options: Sequence[str], bare_option: str | None) -> str:
    if "--config" in options:
        form = f"a config is given as --config {shlex.quote(word)}, a setting as --name value"
    elif bare_option:
        form = f"the values of {bare_option} may come first, any other follows its option, as --name value"
    else:
        first = next(option for option in options if option not in ("-h", "--help"))
        form = f"a value follows its option, as {first} {shlex.quote(word)}"
    return f"{word!r} stands alone: {form}."


def describe_unknown_option(word: str, options: Sequence[str]) -> str:
    """Return the message for an option that is not among `options`."""
    return f"unknown option {word}{suggest(word.partition('=')[0], options)}."


def _explain_missing(names: str) -> str:
    """Explain missing settings, such as `fit.model.net, fit.data.source`, or bare arguments of a class."""
    names = re.sub(r"\b(?:fit|validate|test)\.", "", names)
    start = ": start from a complete config, as --config configs/unet.yaml" if "." in names else ""
    return f"{names} must be given{start}."


def _explain_unknown_setting(text: str, options: Sequence[str]) -> str | None:
    found = _UNKNOWN.search(text)
    if found is None:
        return None
    name = found.group(1) or found.group(2)
    return f"there is no setting {name!r}{suggest(name.split('.')[-1], _list_settings(text, options))}."


def _list_settings(text: str, options: Sequence[str]) -> set[str]:
    """List settings that the user may have meant.

    The parameters of the class that the message names, else every option.
    """
    names: set[str] = set()
    for path in _CLASS_PATH.findall(text):
        module, _, name = path.rpartition(".")
        names |= set(inspect.signature(getattr(import_module(module), name)).parameters)
    return names or {part for option in options for part in option.lstrip("-").split(".")}


def _explain_missing_file(text: str) -> str | None:
    found = _NO_FILE.search(text)
    if found is None:
        return None
    return describe_missing_file(Path(next(filter(None, found.groups()))))


def describe_missing_file(path: Path) -> str | None:
    """Return the message for a file that is not there, with the nearest name beside it; None where it is there."""
    try:
        if path.exists():
            return None
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError:  # longer than a name may be, or in a folder that may not be read
        return None
    near = difflib.get_close_matches(path.name, beside, n=1)
    hint = f" (did you mean {path.parent / near[0]}?)" if near else ""
    return f"there is no file {path}{hint}."


def _explain_wrong_class(text: str) -> str | None:
    """Explain what is wrong with a class in the settings; of several readings of a value, the user's counts."""
    if clear := _ALREADY_CLEAR.search(text):
        return clear.group(1)
    if found := _NO_ATTRIBUTE.search(text):
        module, name = found.groups()
        return f"there is no {name!r} in {module}{suggest(name, _list_public_classes(module))}."
    if found := _NO_MODULE.search(text):
        named = _CLASS_PATH.search(text)  # Python names the first missing part, the user wrote the full path
        module = named.group(1).rpartition(".")[0] if named else found.group(1)
        return f"there is no module {module!r}{suggest(module, CLASS_MODULES)}."
    if (found := _NO_PATH.search(text)) and not _NUMBER.search(text):
        return _explain_bare_name(found.group(1))
    if found := _NOT_CALLABLE.search(text):
        return f"{found.group(1)} does not make a {_format_type(found.group(2))}."
    if refused := _NOT_A_KIND.findall(text):
        return f"{refused[0][0]} is no {' or '.join(dict.fromkeys(kind for _, kind in refused))}."
    return None


def _explain_bare_name(name: str) -> str:
    paths = {
        public: f"{module}.{public}" for module in reversed(CLASS_MODULES) for public in _list_public_classes(module)
    }
    nearest = difflib.get_close_matches(name, paths, n=1)
    hint = f" (did you mean {paths[nearest[0]]!r}?)" if nearest else "; write it with its module, package.module.Class"
    return f"there is no class {name!r}{hint}."


def _list_public_classes(module: str) -> list[str]:
    return [name for name, value in vars(import_module(module)).items() if inspect.isclass(value)]


def _explain_wrong_value(text: str) -> str | None:
    got, offered = _GOT.search(text), [_format_type(kind) for kind in _EXPECTED.findall(text)]
    if got is None or not offered:
        return None
    if missing := _explain_missing_class(got.group(1), offered):
        return missing
    return f"expected {' or '.join(dict.fromkeys(offered))}, got {_flatten(got.group(1))}"


def _explain_missing_class(got: str, offered: Sequence[str]) -> str | None:
    """Return the message for settings of an object without its class; None for other values."""
    if "class_path" in got or not got.startswith(("{", "Namespace(", "NestedArg(")):
        return None
    bases = {name for kind in offered for name in re.findall(r"(\w+)(?: is abstract)?$", kind)}
    public = {
        f"{module}.{name}": value for module in CLASS_MODULES for name, value in vars(import_module(module)).items()
    }
    kinds = [value for path, value in public.items() if path.rpartition(".")[2] in bases and inspect.isclass(value)]
    choices = sorted(path for path, value in public.items() if _is_one_of(value, kinds))
    if not choices:
        return None
    return (
        f"the class is missing: write class_path: and one of {', '.join(choices)}, then its settings under init_args "
        "(on the command line the class first, as --option CLASS)."
    )


def _is_one_of(value: object, kinds: Sequence[type]) -> bool:
    return inspect.isclass(value) and not inspect.isabstract(value) and any(issubclass(value, kind) for kind in kinds)


def _format_type(kind: str) -> str:
    """Format a type: `<class 'int'>` is `int`, `Literal['a', 'b']` is `a | b`, None is what YAML calls it."""
    kind = _CLASS.sub(r"\1", kind).replace("NoneType", "null")
    return _LITERAL.sub(lambda found: found.group(1).replace("'", "").replace(", ", " | "), kind)


def _flatten(text: str) -> str:
    return _format_type(" ".join(text.split()).lstrip("- ").rstrip(".")) + "."
