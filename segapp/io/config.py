"""YAML files that people wrote, read with their mistakes told."""

from pathlib import Path
from typing import Any

import yaml

from segapp.errors import MisuseError
from segapp.io.regular import describe_irregular


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds; MisuseError where it cannot be read as that."""
    if (kind := describe_irregular(path)) is not None:
        raise MisuseError(f"{path}: is {kind}; a YAML file is needed.")
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: no text, or a date that is none
        raise MisuseError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:200]}).") from error
