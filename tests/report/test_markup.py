"""Text of pages is escaped, and markup is not."""

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from segapp.report.markup import render_page, render_part


def test_text_is_escaped_and_markup_is_not():
    assert render_part("text", "<script>", False) == Markup("<p>&lt;script&gt;</p>")
    assert "<b>x</b>" in render_part("text", Markup("<b>x</b>"), False)
    assert "\x1b" not in render_part("text", "a\x1b[31mb", False)


def test_a_missing_value_is_an_error():
    with pytest.raises(UndefinedError):
        render_page(title="a")
