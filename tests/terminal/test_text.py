"""Hostile names as text, in every medium."""

import csv
import io
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from segapp.terminal.text import for_csv, for_html, for_plot, for_terminal, from_csv

NAMES = st.text(st.characters() | st.sampled_from("\x1b\r\n\t\\'=+-@<>&\"\u202e\udcff"), max_size=12)


@given(NAMES)
def test_a_line_stays_one_line_without_control_characters(name):
    shown = for_terminal(name)
    assert shown.splitlines() in ([], [shown])
    shown.encode()
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in shown)


@given(NAMES)
def test_a_cell_begins_no_formula_and_gives_the_text_back(name):
    file = io.StringIO()
    csv.writer(file).writerow([for_csv(name), 1])
    ((cell, _),) = csv.reader(file.getvalue().splitlines())
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert from_csv(cell) == name


@given(NAMES)
def test_a_page_holds_the_text_and_no_tag(name):
    seen = []
    parser = HTMLParser(convert_charrefs=True)
    parser.handle_data = seen.append
    parser.handle_starttag = lambda tag, attributes: pytest.fail(tag)
    parser.feed(for_html(name))
    parser.close()
    assert "".join(seen) == for_terminal(name)


@given(NAMES | st.text("$\\_{}a", max_size=8))
def test_a_figure_shows_the_text_and_no_formula(name):
    shown, is_formula = Text(text=for_plot(name))._preprocess_math(for_plot(name))
    assert not is_formula
    assert shown.lstrip("\u200a") == for_terminal(name).lstrip("\u200a")
    assert not shown.startswith("_")  # legends would leave it out


def test_plain_text_is_returned_unchanged():
    for name in ("cell wall", "Größe µm²", "نیم‌فاصله", "a.b-c_d (1).png", "👩‍🔬"):
        assert for_terminal(name) == for_csv(name) == for_html(name) == for_plot(name) == name


def test_what_each_medium_obeys_is_escaped():
    assert for_terminal("\x1b]0;x\x07") == "\\x1b]0;x\\x07"
    assert for_csv('=HYPERLINK("http://x")') == '\'=HYPERLINK("http://x")'
    assert for_html("<script>") == "&lt;script&gt;"
    assert [for_csv(value) for value in (-1, 0.5, None)] == [-1, 0.5, None]
