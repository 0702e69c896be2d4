"""The version and the spec of checkpoints and bundles: one constant, one reader."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.spec import Spec

VERSION = 2
"""The version that is written and read; it rises when the meaning of a setting changes."""


def require_version(path: str | Path, kind: str, content: Mapping[str, Any], advice: str) -> None:
    """Raise MisuseError unless settings that a file holds are of this version.

    Args:
        path: The file, for the error message.
        kind: "checkpoint" or "bundle".
        content: The settings.
        advice: What the user can do.
    """
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        raise MisuseError(
            f"{path}: a {kind} of version {version!r:.40}; this segapp reads version {VERSION}: {advice}."
        )


def read_spec(path: str | Path, content: Any) -> Spec:
    """Return the spec that a file holds; raise MisuseError, with the file, for a damaged one."""
    try:
        return Spec.from_dict(content)
    except (MisuseError, KeyError, TypeError, ValueError) as error:
        raise MisuseError(f"{path}: {error}") from error
