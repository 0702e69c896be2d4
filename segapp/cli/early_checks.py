"""Find common mistakes before torch and Lightning are imported, which takes many seconds.

Only files and source text are looked at. What is not understood here is left to the parser.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from segapp.cli.options import get_option, get_values, read_configs, refuse_fragments, refuse_overridden
from segapp.cli.parser_errors import ROOMS, describe_missing_file, describe_unknown_option
from segapp.cli.source_text import file_of, parameters_of, public_names
from segapp.errors import MisuseError, suggest

SECTIONS = {
    "data": ("segapp.loading.datamodule", "SegmentationDataModule"),
    "model": ("segapp.training.module", "SegmentationModule"),
    "trainer": ("lightning.pytorch.trainer.trainer", "Trainer"),
}
"""Sections of a config, and the classes whose parameters they hold."""

PLAIN = ("name", "seed_everything", "allow", "job", "init_from", "new_split", "dry_run", "ckpt_path")
"""Settings outside any section."""

FLAGS = ("-h", "--help", "--help_all", "--config", "--print_config")
HELP = ("-h", "--help", "--help_all")

_FILE = re.compile(r"[^\s{}\[\]]+\.(?:ya?ml|json)")
_OURS = re.compile(r"segapp(?:\.\w+)*\.[A-Z]\w*")
_FOLDER = "segapp.datasets.Folder"


def check_verb(verb: str, options: Sequence[str]) -> None:
    """Raise MisuseError for a mistake in the command line or the configs of `fit`, `validate` or `test`."""
    words = list(options)
    if {*HELP} & {*words}:
        return
    if verb == "fit" and not words:
        raise MisuseError("segapp fit needs a config: segapp fit --config configs/unet.yaml")
    _check_options(words)
    configs = list(_configs(words))
    refuse_overridden(words)
    for name in ("--config", *(f"--{section}" for section in SECTIONS)):
        for value in get_values(words, name):
            _check_file(name, value)
    check_checkpoint(verb, get_option(words, "--ckpt_path"))
    parts = {section: parameters_of(*path) or [] for section, path in SECTIONS.items() if section != "trainer"}
    refuse_fragments(words, parts)
    for where, section, config in configs:
        _check_keys(where, section, config)
        for path, settings in _classes(config):
            _check_class(where, path, settings)
    for word, value in _pairs(words):
        if _OURS.fullmatch(value):
            _check_class(word.lstrip("-"), value, {})
    _check_root(words, configs)


def check_function(module: str, name: str, options: Sequence[str]) -> None:
    """Raise MisuseError for a mistake in the command line of a command that is a function."""
    words, known = list(options), parameters_of(module, name)
    if {*HELP} & {*words} or known is None:
        return
    typed = [f"--{parameter}" for parameter in known]
    for word in words:
        if word.startswith("--") and word.partition("=")[0] not in [*typed, *FLAGS]:
            raise MisuseError(describe_unknown_option(word, typed))
    for value in get_values(words, "--config"):
        _check_file("--config", value)
    for value in get_values(words, "--ckpt_path"):
        if not value.startswith(("-", "[")):
            check_checkpoint(name, value)


def check_checkpoint(command: str, path: str | None) -> None:
    """Raise MisuseError where a checkpoint is needed and none is named, or it does not exist."""
    if path is None:
        if command in ("validate", "test"):
            from segapp.training.run_folder import suggest_newest_best

            raise MisuseError(f"segapp {command} scores a checkpoint: give --ckpt_path FILE.{suggest_newest_best()}")
    elif "://" not in path and not os.path.lexists(path):
        from segapp.checkpoints.missing import describe_missing_checkpoint

        raise MisuseError(describe_missing_checkpoint(Path(path)))


def _check_options(words: list[str]) -> None:
    known = ["--config", *(f"--{name}" for name in PLAIN), *(f"--{section}" for section in SECTIONS)]
    for section, path in SECTIONS.items():
        known += [f"--{section}.{name}" for name in parameters_of(*path) or []]
    for word in words:
        name = word.partition("=")[0].removesuffix("+")
        inside = ".".join(name.split(".")[:2])
        if word.startswith("--") and inside not in [*known, *FLAGS] and not name.endswith(".help"):
            raise MisuseError(describe_unknown_option(word, known))


def _check_file(name: str, value: str) -> None:
    """Check that a `--config` is a file, or a config as text; the value of a section may also be a class or text."""
    if _FILE.fullmatch(value) and not os.path.lexists(value) and (message := describe_missing_file(Path(value))):
        raise MisuseError(message if name == "--config" else f"{name.lstrip('-')}: {message}")


def _configs(words: list[str]) -> Iterator[tuple[str, str | None, dict[Any, Any]]]:
    """Yield each YAML file that is named, in order, with the section it fills (None: all of them)."""
    contents = read_configs(words)
    for name, value in _pairs(words):
        section = name.lstrip("-")
        if (section in SECTIONS or name == "--config") and value in contents:
            yield value, section if section in SECTIONS else None, contents[value]


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the options that have a value, with it."""
    for word, following in zip(words, [*words[1:], "--"], strict=False):
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            value = value if equals else following
            if not value.startswith("--"):
                yield name.removesuffix("+"), value


def _check_keys(where: str, section: str | None, config: dict[Any, Any]) -> None:
    if section is None:
        _refuse_unknown(where, config, [*PLAIN, *SECTIONS])
        inside = {name: config[name] for name in SECTIONS if isinstance(config.get(name), dict)}
    else:
        inside = {section: config}
    for name, settings in inside.items():
        _refuse_unknown(f"{where}: {name}", settings, parameters_of(*SECTIONS[name]))


def _refuse_unknown(where: str, settings: dict[Any, Any], known: Sequence[str] | None) -> None:
    if known is None:
        return
    for key in settings:
        if str(key).split(".")[0].removesuffix("+") not in known:
            raise MisuseError(f"{where}: there is no setting {key!r}{suggest(str(key), known)}.")


def _classes(config: Any) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yield every class path of a config with its arguments."""
    if isinstance(config, dict):
        if isinstance(config.get("class_path"), str):
            arguments = config.get("init_args")
            yield config["class_path"], arguments if isinstance(arguments, dict) else {}
        for value in config.values():
            yield from _classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _classes(value)


def _check_class(where: str, path: str, arguments: dict[Any, Any]) -> None:
    """Look up a class of segapp's own, and the names of its arguments, in its source text."""
    if not _OURS.fullmatch(path):
        return
    module, _, name = path.rpartition(".")
    if file_of(module) is None:
        raise MisuseError(f"{where}: there is no module {module!r}{suggest(module, ROOMS)}.")
    names = public_names(module)
    if names is not None and name not in names:
        raise MisuseError(f"{where}: there is no {name!r} in {module}{suggest(name, names)}.")
    _refuse_unknown(f"{where}: {path}", arguments, parameters_of(module, name))


def _check_root(words: list[str], configs: Sequence[tuple[str, str | None, dict[Any, Any]]]) -> None:
    """Look for the folder of a `Folder`, whichever config or option names it last."""
    path, root = None, None
    sources = [
        config.get("source") if section == "data" else (config.get("data") or {}).get("source")
        for _, section, config in configs
        if section in (None, "data") and isinstance(config.get("data") or {}, dict)
    ]
    for source in sources:
        if isinstance(source, dict):
            root = root if source.get("class_path", path) == path else None
            path = source.get("class_path", path)
            arguments = source.get("init_args")
            root = arguments.get("root", root) if isinstance(arguments, dict) else root
    typed = get_option(words, "--data.source")
    if typed is not None:
        root, path = (root if typed == path else None), typed
    root = get_option(words, "--data.source.init_args.root") or get_option(words, "--data.source.root") or root
    if path == _FOLDER and isinstance(root, str) and not Path(root).expanduser().is_dir():
        from segapp.datasets.layout import require_folder

        require_folder(Path(root).expanduser())
