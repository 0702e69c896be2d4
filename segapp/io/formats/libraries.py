"""Libraries that only some formats need: imported when a file of such a format is met."""

from importlib import import_module
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError


def import_library(name: str, extra: str, path: Path | str, format_name: str) -> Any:
    """Return a module; raise MisuseError that says how to install it.

    Args:
        name: The module.
        extra: The extra of segapp that holds it.
        path: The file or the option that needs it.
        format_name: Its format, for the message.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MisuseError(
            f"{path}: {format_name} needs {name}, which cannot be imported ({error}); install it with "
            f"pip install 'segapp[{extra}]'."
        ) from error
