"""Write the configuration of a plan as YAML, every decision with its reason above it."""

from collections.abc import Sequence
from pathlib import Path

from segapp.io import write_atomically
from segapp.io.yaml_comments import format_comment, format_setting
from segapp.planning.decisions import Decision, build_config, list_reasons


def write_plan(path: Path, decisions: Sequence[Decision], heading: str) -> None:
    """Write the configuration; `heading` is the comment at the top. The file is complete or not there."""
    with write_atomically(path) as temporary:
        temporary.write_text(format_plan(decisions, heading), encoding="utf-8")


def format_plan(decisions: Sequence[Decision], heading: str) -> str:
    """Return the YAML text: it loads to exactly the configuration of the decisions."""
    lines = [line for text in heading.strip().split("\n") for line in format_comment(text) or ["#"]]
    config, reasons = build_config(decisions), list_reasons(decisions)
    for name, section in config.items():
        lines += ["", *format_setting(name, section, name, reasons)]
    return "\n".join(lines) + "\n"
