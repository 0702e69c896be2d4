"""Small text files that may come from elsewhere: regular ones of a bounded size, in UTF-8."""

import json
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.system.regular_files import MISSING, describe_irregular, read_regular

LARGEST = 2**28
"""Bytes of a table: some million rows."""

LARGEST_JSON = 2**24
"""Bytes of a file of settings or facts."""


def read_text(path: Path, most: int = LARGEST) -> str:
    """Return the text of a file; raises MisuseError for a pipe, a device, more than `most` bytes, or no UTF-8."""
    if (kind := describe_irregular(path)) is not None:
        raise MisuseError(f"{path}: {kind}{'' if kind == MISSING else ', not a text file'}.")
    try:
        return read_regular(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MisuseError(f"{path}: is not UTF-8 text{_describe_encoding(error.object)}; save it as UTF-8.") from error


def read_json(path: Path, most: int = LARGEST_JSON) -> dict[str, Any]:
    """Return the mapping that a small JSON file holds; raises MisuseError where it is something else."""
    text = read_text(path, most)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MisuseError(f"{path}: not JSON, or damaged ({error}).") from error
    if not isinstance(content, dict):
        raise MisuseError(f"{path}: damaged, it holds no settings.")
    return content


def _describe_encoding(content: bytes) -> str:
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    return " but UTF-16, as PowerShell's > writes" if utf16 else ""
