"""YAML files that people wrote, read with their mistakes told."""

from pathlib import Path
from typing import Any

import yaml

from segapp.errors import MisuseError


def read_yaml(path: Path) -> Any:
    """What a YAML file holds; MisuseError where it cannot be read as that."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: no text, or a date that is none
        raise MisuseError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:200]}).") from error
