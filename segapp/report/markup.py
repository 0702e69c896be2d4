"""Render the templates of pages: text is escaped wherever it stands, and only markup is not."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from segapp.terminal.text import for_terminal

TEMPLATES = Path(__file__).with_name("templates")


def render_page(**values: Any) -> str:
    """Render `page.html`."""
    return _make_environment().get_template("page.html").render(**values)


def render_part(name: str, *values: Any) -> Markup:
    """Render one part of a page, a macro of `parts.html`."""
    part: Markup = getattr(_make_environment().get_template("parts.html").module, name)(*values)
    return part


@cache
def _make_environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_escape_controls,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _escape_controls(value: Any) -> Any:
    """Return text on one line and without control characters, before its HTML is escaped; markup unchanged."""
    return for_terminal(value) if isinstance(value, str) and not isinstance(value, Markup) else value
