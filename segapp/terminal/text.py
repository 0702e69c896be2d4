r"""Names of files and classes as text, escaped for the medium that shows them.

Anyone may have named a file or a class, and a name may hold what a terminal, a spreadsheet or a browser obeys: an
escape sequence, a line end, a formula, a tag. Python's `json`, `yaml` and `csv` escape what would break their own
syntax; these functions do the rest, one for each medium.
"""

import html
import re
import unicodedata

_BIDIRECTIONAL = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
"""Controls that show the letters of a line in another order than they are stored in."""

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""How a cell begins that a spreadsheet computes, and one whose guard would be taken for ours."""

_HAIR_SPACE = "\u200a"
"""As good as invisible before a label."""

_ESCAPED = re.compile(r"\\(\\|n|r|t|x[0-9a-f]{2}|u[0-9a-f]{4})")
_SHORT = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


def for_terminal(text: str) -> str:
    r"""Return one line of text that only prints: control characters become `\n`, `\x1b`, `\u202e`.

    >>> for_terminal("a\x1b[2Jb\n.png")
    'a\\x1b[2Jb\\n.png'
    """
    if text.isprintable():  # no control is; this is faster for long texts
        return text
    return "".join(_escape(letter) if _is_control(letter) else letter for letter in text)


def for_csv(value: object) -> object:
    r"""Return a cell's value: text without control characters that no spreadsheet takes for a formula.

    A backslash is doubled and an apostrophe put before `=`, `+`, `-` and `@`, so that `from_csv` gives the text back.
    What is not text is returned unchanged.

    >>> for_csv("=1+1"), for_csv(-1)
    ("'=1+1", -1)
    """
    if not isinstance(value, str):
        return value
    guard = "'" if _FORMULA.match(value) else ""
    return guard + for_terminal(value.replace("\\", "\\\\"))


def from_csv(cell: str) -> str:
    """Return the text that `for_csv` wrote as this cell."""
    text = _ESCAPED.sub(lambda found: _unescape(found[1]), cell)
    return text[1:] if text.startswith("'") and _FORMULA.match(text[1:]) else text


def for_html(text: str) -> str:
    """Return markup that shows the text, in an element or in a quoted attribute."""
    return html.escape(for_terminal(text))


def for_plot(text: str) -> str:
    r"""Return text that matplotlib shows unchanged: `$` begins no formula, and a leading `_` hides no label.

    >>> for_plot("a$b$")
    'a\\$b\\$'
    """
    shown = for_terminal(text).replace("$", r"\$")
    return f"{_HAIR_SPACE}{shown}" if shown.startswith("_") else shown


def _is_control(letter: str) -> bool:
    """Tell whether a letter is a control character, half of a surrogate pair, or ends or reorders a line."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or ord(letter) in _BIDIRECTIONAL


def _escape(letter: str) -> str:
    short = {value: name for name, value in _SHORT.items()}
    if letter in short:
        return f"\\{short[letter]}"
    return f"\\x{ord(letter):02x}" if ord(letter) < 0x100 else f"\\u{ord(letter):04x}"


def _unescape(name: str) -> str:
    return _SHORT[name] if name in _SHORT else chr(int(name[1:], 16))
