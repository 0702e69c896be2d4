"""Collects the settings of a run in plain types, for its config.yaml and its checkpoints."""

from enum import Enum
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace

from segapp.cli.arguments import Arguments
from segapp.io.yaml_comments import keep_comments
from segapp.system.text_files import read_text
from segapp.system.yaml_files import LARGEST

KEPT = ("name", "seed_everything", "init_from", "model", "data", "trainer")
"""The settings that are kept: not the output folder, nor options for one call."""


def collect_config(parser: ArgumentParser, settings: Namespace) -> dict[str, Any]:
    """Return the settings that describe a run, as the parser of its verb writes them."""
    text = parser.dump(_replace_enums(settings.clone()), skip_none=False, skip_validation=True, format="yaml")
    config: dict[str, Any] = yaml.safe_load(text)
    return {key: config[key] for key in KEPT}


def collect_comments(arguments: Arguments, config: dict[str, Any]) -> dict[str, str]:
    """Return the comments that the configs of a command line have above the settings of a run, by dotted key."""
    comments: dict[str, str] = {}
    for path in arguments.get_all("--config"):
        if path in arguments.configs:
            comments |= keep_comments(read_text(Path(path), LARGEST), arguments.configs[path], config)
    return comments


def _replace_enums(config: Any) -> Any:
    """Replace members of enumerations, such as Lightning's defaults, by their values: YAML has no such things."""
    if isinstance(config, list):
        return [_replace_enums(value) for value in config]
    if isinstance(config, dict | Namespace):
        for key, value in list(vars(config).items() if isinstance(config, Namespace) else config.items()):
            config[key] = _replace_enums(value)
    return config.value if isinstance(config, Enum) else config
