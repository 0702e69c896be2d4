"""Limits the regular expressions in a file's settings: some take almost endless time."""

import re

from segapp.checkpoints.number_limits import suggest_option
from segapp.errors import MisuseError

LONGEST = 200
"""Most characters."""
REPEATS = 4
"""Parts of it that match any number of characters: each multiplies the time by the length of the text."""
CHOICES = 8
"""Parts that are optional, or have alternatives: each may double the time."""

PARENT = r"^(.*)/[^/]*$"
BEFORE_NUMBER = r"^(.*\d.*?)[^0-9A-Za-z]+[A-Za-z]*\d+[^0-9]*$"
"""Everything before the last number, if it contains a number: patient12_slice034, 0001TP_006690."""
BEFORE_TWO_NUMBERS = r"^(.+?)[^0-9A-Za-z]+[A-Za-z]*\d+[^0-9A-Za-z]+[A-Za-z]*\d+[^0-9]*$"
"""Everything before the last two numbers: scene3_512_1024."""
UP_TO_NUMBER = r"^(.*\d)[^0-9]*$"
"""Everything up to the last number: patient12_left, img7_flipped."""

PLANNED = {
    end for start in (PARENT, BEFORE_NUMBER, BEFORE_TWO_NUMBERS, UP_TO_NUMBER) for end in (start, f"{start}|^(.*)$")
}
"""Expressions that `segapp plan` writes; they begin and end with a name, and are soon done."""

VERBOSE = re.compile(r"\(\?[a-zA-Z]*x")
"""The flag by which blanks and comments stand for nothing, also between a group and its repeat."""

TOKEN = re.compile(r"(?s)\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[:=!P<#]*|\)?[*+]|\)?\{\d*,?\d*\}|\?|\|")


def require_simple(pattern: str, place: str) -> None:
    """Raise MisuseError for a regular expression whose time could grow exponentially; `place` names the setting.

    Python's `re` tries every way to divide a text among the repeats of an expression. Where none repeats a group, and
    there are few repeats, that is fast for a file's name.
    """
    if pattern in PLANNED:
        return
    tokens = [token for token in TOKEN.findall(pattern) if token[0] not in "\\[("]
    groups = [token for token in tokens if token[0] == ")"]
    repeats = [token for token in tokens if token[-1] in "*+" or "," in token]
    choices = [token for token in tokens if token in "?|"]
    if groups or VERBOSE.search(pattern) or len(pattern) > LONGEST or len(repeats) > REPEATS or len(choices) > CHOICES:
        raise MisuseError(
            f"{place}: {pattern[:80]!r} could take very long to match; a file's settings may repeat no group, use no "
            f"verbose flag, and have {REPEATS} repeats and {CHOICES} choices.{suggest_option(place)}"
        )
