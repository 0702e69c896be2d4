"""Path patterns with wildcards and placeholders: checked, filled, and turned into globs and regular expressions."""

import re
from collections.abc import Callable
from pathlib import Path

from segapp.datasets.masks.encoding import Encoding, PixelEncoding
from segapp.datasets.unsupported import ANNOTATIONS, UNREAD, explain_unread
from segapp.errors import MisuseError
from segapp.io import find_suffix

NAMED = re.compile(r"\{(name|stem|parent|file)\}")
"""What makes a pattern one file for each image."""
WILDCARDS = re.compile(r"[*?\[]")
PLACEHOLDERS = re.compile(r"\{(\w*)\}")


def check_pattern(setting: str, pattern: str, known: set[str], encoding: type[Encoding]) -> None:
    """Raise MisuseError unless a pattern is relative, with known placeholders and a format that the encoding reads."""
    unknown = sorted(set(PLACEHOLDERS.findall(pattern)) - known)
    if unknown:
        names = ", ".join(f"{{{name}}}" for name in sorted(known))
        raise MisuseError(f"{setting}={pattern!r}: {{{unknown[0]}}} is not one of the placeholders {names}.")
    parts = Path(pattern).parts
    if Path(pattern).is_absolute() or ".." in parts:
        raise MisuseError(f"{setting}={pattern!r}: write it relative to root, and inside it.")
    if mixed := [part for part in parts if "**" in part and part != "**"]:
        raise MisuseError(f"{setting}={pattern!r}: ** stands for folders; write * in {mixed[0]!r}.")
    suffix = Path(pattern).suffix.lower()
    if encoding.reads(Path(f"a{suffix}")):
        return
    if suffix in UNREAD or suffix in ANNOTATIONS:
        raise MisuseError(f"{setting}={pattern!r}: {explain_unread(suffix)}.")
    if encoding.shared and find_suffix(Path(pattern)):
        raise MisuseError(f"{setting}={pattern!r}: mask {encoding.__name__} reads no images; name its annotations.")


def get_fixed_start(pattern: str) -> str:
    """Return the folders before the first wildcard or placeholder."""
    parts = Path(pattern).parts
    moving = next((i for i, part in enumerate(parts) if WILDCARDS.search(part) or "{" in part), len(parts))
    return "/".join(parts[:moving])


def separate_parents(pattern: str) -> str:
    """Write `mask_{name}` as `{parent}/mask_{stem}`: a prefix of a name belongs to its last part."""
    parts = []
    for part in pattern.split("/"):
        inside = part.find("{name}") > 0
        parts += ["{parent}", part.replace("{name}", "{stem}")] if inside else [part]
    return "/".join(parts)


def to_glob(pattern: str) -> str:
    """Replace every placeholder by what it may stand for; `{name}` and `{parent}` may hold folders."""
    parts = []
    for part in separate_parents(pattern).split("/"):
        if part == "{parent}":
            parts.append("**")
            continue
        folders = ["**"] if "{name}" in part or "{parent}" in part else []
        parts += [*folders, PLACEHOLDERS.sub("*", part)]
    return re.sub(r"\*\*/(\*\*/)+", "**/", "/".join(parts))


def extend_to_files(pattern: str, encoding: type[Encoding] = PixelEncoding) -> list[str]:
    """Extend a pattern that ends in a folder by the image's name, or by all files where each image has a folder."""
    last = Path(pattern).name
    if WILDCARDS.search(last) or encoding.reads(Path(last)):
        return [pattern]
    pattern = pattern.rstrip("/")
    if "{name}" in last or "{stem}" in last:
        return [f"{pattern}.*", f"{pattern}/*"]
    own = any(f"{{{word}}}" in pattern for word in ("name", "stem", "parent"))
    return [f"{pattern}/*" if own else f"{pattern}/{encoding.file_name}"]


def fill_pattern(pattern: str, values: dict[str, str], escape: Callable[[str], str]) -> str:
    """Replace the placeholders that have a value by the escaped value; the others stay."""
    filled = PLACEHOLDERS.sub(
        lambda m: escape(values[m[1]]) if m[1] in values else m[0],
        pattern,
    )
    return re.sub(r"/+", "/", filled).strip("/")


PIECES = {  # of a pattern → regular expression
    "**/": "(?:.*/)?",
    "**": ".*",
    "*": "[^/]*",
    "?": "[^/]",
    "{parent}/": "(?P<parent>(?:.*/)?)",
    "{split}": "(?P<split>[^/]+)",
    "{stem}": "(?P<stem>[^/]+)",
    "{name}": "(?P<name>.+)",
}


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a regular expression whose groups are the values of the placeholders."""
    seen: set[str] = set()

    def replace_piece(match: re.Match[str]) -> str:
        word = match[0].strip("{}/")
        if match[0].startswith("{") and match[0] in PIECES:
            if word in seen:
                return f"(?P={word})"
            seen.add(word)
        return PIECES.get(match[0]) or re.escape(match[0])

    return re.compile(
        re.sub(r"\{parent\}/|\{\w+\}|\*\*/|\*\*|\*|\?|.", replace_piece, separate_parents(pattern.strip("/")))
    )
