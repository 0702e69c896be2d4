"""Comments above the settings of a config: read, kept by the next config, and written."""

import re
import textwrap
from collections.abc import Mapping
from itertools import dropwhile
from typing import Any

import yaml

from segapp.system.yaml_files import ExactDumper
from segapp.terminal.text import for_terminal

WIDTH = 110
"""Longest line of a comment."""
_LONGEST_VALUE = 40
"""Letters of a former value in a comment."""
_SETTING = re.compile(r"( *)(- +)?([A-Za-z_][\w.]*):(?: |$)")
_ABSENT = object()


class BlockDumper(ExactDumper):
    """Writes mappings as blocks, lists of numbers or words on one line, and no references to repeated values."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True: no value is written as a reference to another."""
        return True


def _represent_list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    """Return a sequence, on one line if it holds no list or mapping."""
    is_flat = not any(isinstance(value, list | dict) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=is_flat)


BlockDumper.add_representer(list, _represent_list)


def read_comments(text: str) -> dict[str, str]:
    """Return the comment above each setting of a YAML text, by the dotted key.

    The comment at the top belongs to the file, and those inside lists to no setting.
    """
    comments: dict[str, str] = {}
    above: list[str] = []
    open_keys: list[tuple[int, str | None]] = []
    for line in dropwhile(lambda line: line.startswith("#"), text.splitlines()):
        if line.lstrip().startswith("#"):
            above.append(line.strip().lstrip("#").strip())
            continue
        if found := _SETTING.match(line):
            while open_keys and open_keys[-1][0] >= len(found[1]):
                open_keys.pop()
            open_keys.append((len(found[1]), None if found[2] else found[3]))
            keys = [key for _, key in open_keys if key is not None]
            if above and len(keys) == len(open_keys):
                comments[".".join(keys)] = " ".join(above)
        above = []
    return comments


def keep_comments(text: str, former: Any, config: Mapping[str, Any]) -> dict[str, str]:
    """Return the comments of a YAML text that concern a config; they say where its value is another.

    Args:
        text: The YAML text.
        former: What the text holds.
        config: The config that gets the comments.
    """
    kept: dict[str, str] = {}
    for key, comment in read_comments(text).items():
        before, now = _find_value(former, key), _find_value(config, key)
        if now is _ABSENT:
            continue
        shown = str(before)
        value = f" from {shown}" if not isinstance(before, dict) and len(shown) <= _LONGEST_VALUE else ""
        kept[key] = comment if _is_kept(before, now) else f"Changed{value}. {comment}"
    return kept


def format_setting(name: str, value: Any, path: str, comments: Mapping[str, str], depth: int = 0) -> list[str]:
    """Return the lines of a setting, with the comments above it and the settings inside it.

    Args:
        name: Its key.
        value: Plain types.
        path: Its dotted key in the config.
        comments: Comments by dotted key.
        depth: The number of mappings around it.
    """
    indent = "  " * depth
    lines = format_comment(comments[path], indent) if path in comments else []
    if isinstance(value, dict) and any(other.startswith(f"{path}.") for other in comments):
        lines.append(f"{indent}{name}:")
        for key, inner in value.items():
            lines += format_setting(key, inner, f"{path}.{key}", comments, depth + 1)
        return lines
    text = yaml.dump({name: value}, Dumper=BlockDumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    return lines + [f"{indent}{line}" for line in text.rstrip().split("\n")]


def format_comment(text: str, indent: str = "") -> list[str]:
    """Wrap a comment; control characters are written as escapes, for the names of files in it may hold any."""
    words = for_terminal(" ".join(text.split()))
    return textwrap.wrap(words, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")


def _find_value(config: Any, key: str) -> Any:
    if isinstance(config, Mapping) and key in config:
        return config[key]
    for part in key.split("."):
        config = config.get(part, _ABSENT) if isinstance(config, Mapping) else _ABSENT
    return config


def _is_kept(before: Any, now: Any) -> bool:
    """Tell whether a value is what it was; a class may have got further arguments, its defaults."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(key in now and _is_kept(value, now[key]) for key, value in before.items())
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return all(map(_is_kept, before, now))
    return bool(before == now)
