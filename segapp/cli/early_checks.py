"""Find common mistakes before torch and Lightning are imported, which takes many seconds.

Only files and source text are read. What is not understood here is left to the parser.
"""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from segapp.checkpoints.merge import get_value
from segapp.cli.arguments import Arguments, name_option
from segapp.cli.merge_settings import has_key, merge_settings
from segapp.cli.parser_errors import CLASS_MODULES, describe_missing_file, describe_unknown_option
from segapp.cli.source_text import find_file, list_parameters, list_public_names
from segapp.cli.thresholds import Thresholds
from segapp.errors import MisuseError, suggest

SECTION_SOURCES = {
    "data": ("segapp.loading.datamodule", "SegmentationDataModule"),
    "model": ("segapp.training.module", "SegmentationModule"),
    "trainer": ("lightning.pytorch.trainer.trainer", "Trainer"),
}
"""Sections of a config, each with the module and the name of the class whose parameters it holds."""

TOP_LEVEL = (
    *("name", "seed_everything", "allow", "job", "init_from", "new_split", "dry_run"),
    *("calibrate", "fail_under", "tolerance", "cldice", "ckpt_path"),
)
"""Settings outside any section."""

FLAGS = ("-h", "--help", "--help_all", "--config", "--print_config")
HELP = ("-h", "--help", "--help_all")

_FILE = re.compile(r"[^\s{}\[\]]+\.(?:ya?ml|json)")
_SEGAPP_CLASS = re.compile(r"segapp(?:\.\w+)*\.[A-Z]\w*")
_FOLDER = "segapp.datasets.Folder"


def check_verb(arguments: Arguments) -> None:
    """Raise MisuseError for a mistake in the command line or the configs of `fit`, `validate` or `test`."""
    if {*HELP} & {*arguments.words}:
        return
    if arguments.command == "fit" and not arguments.words:
        raise MisuseError("segapp fit needs a config: segapp fit --config configs/unet.yaml")
    _check_options(arguments)
    configs = list(_list_configs(arguments))
    _refuse_overridden(arguments)
    for option in arguments.options:
        if option.value is not None and option.name in ("--config", *(f"--{section}" for section in SECTION_SOURCES)):
            _check_file(option.name, option.value)
    check_checkpoint(arguments.command, arguments.get("--ckpt_path"))
    Thresholds.parse(arguments.get_all("--fail_under"))
    _refuse_fragments(arguments)
    for where, section, config in configs:
        _check_keys(where, section, config)
        for path, settings in _walk_classes(config):
            _check_class(where, path, settings)
    for option in arguments.options:
        if option.value is not None and _SEGAPP_CLASS.fullmatch(option.value):
            _check_class(".".join(option.keys), option.value, {})
    _check_root(arguments)


def check_function(module: str, arguments: Arguments) -> None:
    """Raise MisuseError for a mistake in the command line of a command that is a function."""
    known = list_parameters(module, arguments.command)
    if {*HELP} & {*arguments.words} or known is None:
        return
    typed = [name_option(parameter) for parameter in known]
    for option in arguments.options:
        if option.name and option.name not in [*typed, *FLAGS]:
            raise MisuseError(describe_unknown_option(option.words[0], typed))
    for value in arguments.get_all("--config"):
        _check_file("--config", value)
    for value in arguments.get_all("--ckpt_path"):
        if not value.startswith(("-", "[")):
            check_checkpoint(arguments.command, value)


def check_checkpoint(command: str, path: str | None) -> None:
    """Raise MisuseError where a checkpoint is needed and none is named, or it does not exist."""
    if path is None:
        if command in ("validate", "test"):
            from segapp.training.run_folder import suggest_newest_best

            raise MisuseError(f"segapp {command} scores a checkpoint: add --ckpt_path FILE.{suggest_newest_best()}")
    elif "://" not in path and not os.path.lexists(path):
        from segapp.checkpoints.missing import describe_missing_checkpoint

        raise MisuseError(describe_missing_checkpoint(Path(path)))


def _check_options(arguments: Arguments) -> None:
    known = ["--config", *(f"--{name}" for name in TOP_LEVEL), *(f"--{section}" for section in SECTION_SOURCES)]
    for section, path in SECTION_SOURCES.items():
        known += [f"--{section}.{name}" for name in list_parameters(*path) or []]
    for option in arguments.options:
        inside = f"--{'.'.join(option.keys[:2])}"
        if option.name and inside not in [*known, *FLAGS] and not option.name.endswith(".help"):
            raise MisuseError(describe_unknown_option(option.words[0], known))


def _refuse_fragments(arguments: Arguments) -> None:
    """Raise MisuseError for a `--config` that holds only what belongs inside a section, or a study."""
    parts = {section: list_parameters(*path) or [] for section, path in SECTION_SOURCES.items() if section != "trainer"}
    for path in arguments.get_all("--config"):
        config = arguments.configs.get(path)
        if not config:
            continue
        for section, known in parts.items():
            if config.keys() <= {*known}:
                raise MisuseError(
                    f"{path} is a {section} fragment (it holds {', '.join(config)}), not a complete config: "
                    f"add it with --{section} {shlex.quote(path)}, after --config configs/unet.yaml."
                )
        if {"grid", "like"} & config.keys():
            raise MisuseError(f"{path} is a study: run it with segapp study --config {shlex.quote(path)}.")


def _refuse_overridden(arguments: Arguments) -> None:
    """Raise MisuseError for an option before a `--config` that sets the same value and would override it."""
    for index, option in enumerate(arguments.options):
        if not option.name or option.name == "--config":
            continue
        for other in arguments.options[index + 1 :]:
            config = arguments.configs.get(other.value or "")
            if other.name == "--config" and config is not None and has_key(config, option.keys):
                raise MisuseError(
                    f"{option.name.removesuffix('+')} is written before --config {other.value}, which overrides it: "
                    "write it after."
                )


def _check_file(name: str, value: str) -> None:
    """Check that the config file of an option exists; other values are a class or a config as text."""
    if _FILE.fullmatch(value) and not os.path.lexists(value) and (message := describe_missing_file(Path(value))):
        raise MisuseError(message if name == "--config" else f"{name.lstrip('-')}: {message}")


def _list_configs(arguments: Arguments) -> Iterator[tuple[str, str | None, dict[Any, Any]]]:
    """Yield each YAML file of the command line, in order, with the section it fills (None: all of them)."""
    for option in arguments.options:
        section = option.name.removeprefix("--").removesuffix("+")
        if option.value in arguments.configs and (section in SECTION_SOURCES or section == "config"):
            yield option.value, section if section in SECTION_SOURCES else None, arguments.configs[option.value]


def _check_keys(where: str, section: str | None, config: dict[Any, Any]) -> None:
    if section is None:
        _refuse_unknown(where, config, [*TOP_LEVEL, *SECTION_SOURCES])
        inside = {name: config[name] for name in SECTION_SOURCES if isinstance(config.get(name), dict)}
    else:
        inside = {section: config}
    for name, settings in inside.items():
        _refuse_unknown(f"{where}: {name}", settings, list_parameters(*SECTION_SOURCES[name]))


def _refuse_unknown(where: str, settings: dict[Any, Any], known: Sequence[str] | None) -> None:
    if known is None:
        return
    for key in settings:
        if str(key).split(".")[0].removesuffix("+") not in known:
            raise MisuseError(f"{where}: there is no setting {key!r}{suggest(str(key), known)}.")


def _walk_classes(config: Any) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yield every class path of a config with its arguments."""
    if isinstance(config, dict):
        if isinstance(config.get("class_path"), str):
            arguments = config.get("init_args")
            yield config["class_path"], arguments if isinstance(arguments, dict) else {}
        for value in config.values():
            yield from _walk_classes(value)
    elif isinstance(config, list):
        for value in config:
            yield from _walk_classes(value)


def _check_class(where: str, path: str, arguments: dict[Any, Any]) -> None:
    """Look up a class of segapp, and the names of its arguments, in its source text."""
    if not _SEGAPP_CLASS.fullmatch(path):
        return
    module, _, name = path.rpartition(".")
    if find_file(module) is None:
        raise MisuseError(f"{where}: there is no module {module!r}{suggest(module, CLASS_MODULES)}.")
    names = list_public_names(module)
    if names is not None and name not in names:
        raise MisuseError(f"{where}: there is no {name!r} in {module}{suggest(name, names)}.")
    _refuse_unknown(f"{where}: {path}", arguments, list_parameters(module, name))


def _check_root(arguments: Arguments) -> None:
    """Check that the folder of a `Folder` exists; the last config or option that names it counts."""
    settings, _ = merge_settings(arguments)
    root = get_value(settings, "data.source.init_args.root")
    root = arguments.get("--data.source.init_args.root") or arguments.get("--data.source.root") or root
    is_folder = get_value(settings, "data.source.class_path") == _FOLDER
    if is_folder and isinstance(root, str) and not Path(root).expanduser().is_dir():
        from segapp.datasets.file_search import require_folder

        require_folder(Path(root).expanduser())
