"""Gathers the settings of a run: those of its checkpoint or bundle, the configs and the options, as one config."""

from dataclasses import dataclass
from typing import Any

from segapp.checkpoints.bundle import Bundle
from segapp.checkpoints.checkpoint import read_checkpoint
from segapp.checkpoints.merge import merged, nest_value
from segapp.cli.arguments import Arguments, Option
from segapp.cli.checkpoint_settings import read_checkpoint_settings
from segapp.cli.class_defaults import takes_mapping, write_out_defaults
from segapp.cli.merge_settings import SECTION_CLASSES, merge_settings
from segapp.errors import MisuseError
from segapp.loading.source_building import list_source_arguments
from segapp.system.yaml_files import format_yaml
from segapp.training.bundle_module import list_settings
from segapp.training.console import print_message

NO_PATH = "#" * 5000 + "\n"
"""Begins the text of a config: jsonargparse first looks for a file of that name, and no name is so long."""


@dataclass(frozen=True)
class RunSettings:
    """The settings of a run, for the parser.

    Attributes:
        words: The command line for jsonargparse: one config, and the options whose types only it knows.
        checkpoint: The checkpoint that the run resumes or scores, None without one.
        restored: The settings that came from the checkpoint, None without one.
    """

    words: list[str]
    checkpoint: dict[str, Any] | None = None
    restored: dict[str, Any] | None = None


def gather_settings(arguments: Arguments, bundle: Bundle | None) -> RunSettings:
    """Merge the settings of a checkpoint or bundle, the configs and the options; later beats earlier.

    Raises:
        MisuseError: The checkpoint lacks needed settings, or an option cannot be applied to a bundle.
    """
    path = arguments.get("--ckpt_path")
    checkpoint = restored = None
    if bundle is not None:
        settings, options = _keep_network(bundle, arguments)
    elif path is not None:
        checkpoint = read_checkpoint(path)
        restored = read_checkpoint_settings(
            path, checkpoint, arguments.command, arguments.named_classes, _list_given(arguments)
        )
        settings, options = merge_settings(arguments, restored, takes_mapping)
    else:
        settings, options = merge_settings(arguments, None, takes_mapping)
    if settings.get("ckpt_path"):
        raise MisuseError("ckpt_path belongs on the command line (--ckpt_path FILE), not in a config.")
    settings = {name: _write_out_section(name, section) for name, section in settings.items()}
    config = ["--config", NO_PATH + format_yaml(settings)] if settings else []
    words = [arguments.command, *config, *(word for option in options for word in option.words)]
    return RunSettings(words, checkpoint, restored)


def _list_given(arguments: Arguments) -> dict[str, Any]:
    """List what configs and options set, as one config; the values of options that only the parser knows are text."""
    given, options = merge_settings(arguments, None, takes_mapping)
    for option in options:
        if option.name and option.value is not None and not option.appends:
            given = merged(given, nest_value(".".join(option.keys), option.value))
    return given


def list_given_roots(arguments: Arguments) -> set[str]:
    """List the folders that configs and options set as the root of the data, or of a data set that is joined."""
    data = _list_given(arguments).get("data")
    source = data.get("source") if isinstance(data, dict) else None
    if not isinstance(source, dict):
        return set()
    inside = list_source_arguments(source) if isinstance(source.get("init_args"), dict) else []
    parts = [source, *(settings for _, settings in inside)]  # --data.source.root is short for its init_args
    return {str(part["root"]) for part in parts if part.get("root") is not None}


def _keep_network(bundle: Bundle, arguments: Arguments) -> tuple[dict[str, Any], list[Option]]:
    """Return the settings with which a bundle is scored, and the options that are left; no config replaces its network.

    Raises MisuseError where an option sets something of the model.
    """
    below = list_settings(bundle, arguments.named_classes)
    settings, options = merge_settings(arguments, below, takes_mapping)
    for option in arguments.options:
        if option.name and option.keys[0] == "model":
            raise MisuseError(f"{option.name}: the bundle {bundle.folder} has its own network; leave the option out.")
    if settings["model"] != below["model"]:
        print_message(f"{bundle.folder} brings its network: the model section of the configs is not used.")
    return settings | {"model": below["model"]}, [option for option in options if option.name != "--ckpt_path"]


def _write_out_section(name: str, section: Any) -> Any:
    path = SECTION_CLASSES.get(name)
    return section if path is None or not isinstance(section, dict) else write_out_defaults(section, path)
