"""Write the configuration of a plan as YAML, every decision with its reason above it."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from segapp.io import write_atomically
from segapp.planning.decisions import Decision, build_config, list_reasons
from segapp.system.yaml_files import ExactDumper
from segapp.terminal.text import for_terminal

WIDTH = 110
"""Longest line of a comment."""


class _Dumper(ExactDumper):
    """Writes mappings as blocks, lists of numbers or words on one line, and no references to repeated values."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True: no value is written as a reference to another."""
        return True


def _represent_list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    """Return a sequence, on one line if it holds no list or mapping."""
    is_flat = not any(isinstance(value, list | dict) for value in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=is_flat)


_Dumper.add_representer(list, _represent_list)


def write_plan(path: Path, decisions: Sequence[Decision], heading: str) -> None:
    """Write the configuration; `heading` is the comment at the top. The file is complete or not there."""
    with write_atomically(path) as temporary:
        temporary.write_text(format_plan(decisions, heading), encoding="utf-8")


def format_plan(decisions: Sequence[Decision], heading: str) -> str:
    """Return the YAML text: it loads to exactly the configuration of the decisions."""
    lines = [line for text in heading.strip().split("\n") for line in _format_comment(text, "") or ["#"]]
    config, reasons = build_config(decisions), list_reasons(decisions)
    for name, section in config.items():
        lines += ["", *_format_setting(name, section, name, reasons, 0)]
    return "\n".join(lines) + "\n"


def _format_setting(name: str, value: Any, path: str, reasons: Mapping[str, str], depth: int) -> list[str]:
    indent = "  " * depth
    lines = _format_comment(reasons[path], indent) if path in reasons else []
    if isinstance(value, dict) and any(other.startswith(f"{path}.") for other in reasons):
        lines.append(f"{indent}{name}:")
        for key, inner in value.items():
            lines += _format_setting(key, inner, f"{path}.{key}", reasons, depth + 1)
        return lines
    text = yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True)
    return lines + [f"{indent}{line}" for line in text.rstrip().split("\n")]


def _format_comment(reason: str, indent: str) -> list[str]:
    """Wrap a reason; control characters are written as escapes, for the names of files in it may hold any."""
    words = for_terminal(" ".join(reason.split()))
    return textwrap.wrap(words, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
