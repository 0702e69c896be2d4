"""Regular expressions of a file: those that people write are taken, those that never end are not."""

import re
import time

import pytest

from segapp.checkpoints.regex_limits import PLANNED, require_simple
from segapp.checkpoints.roles import SOURCE
from segapp.checkpoints.trust import Review
from segapp.errors import MisuseError

FOLDER = {"class_path": "segapp.datasets.Folder", "init_args": {"root": "data", "classes": ["a", "b"]}}


@pytest.mark.parametrize(
    "pattern",
    [
        r"(patient\d+)",
        r"^([^_]+)_([^_]+)_",
        r"(\d{4}-\d{2}-\d{2})_(?:left|right)?",
        r"(?P<slide>[A-Z+*]+)\+\d+|^(.*)$",
        r"(.+?)_\d+(?=_)",
        r"([]*+?{]+)\)\*\(\+",
        r"(\(x\)*)",
        *sorted(PLANNED),
    ],
)
def test_usual_expressions_are_taken(pattern):
    require_simple(pattern, "data.source.group")


@pytest.mark.parametrize(
    "pattern",
    [
        r"((?:.+)+)+#",
        r"(a|aa)+$",
        r"(a?){30}b",
        r"(a{1,2}){1,30}b",
        "(a)" + "a?" * 30 + "a" * 30,
        "(" + "(?:a|a)" * 30 + ")b",
        "(" + ".*" * 5 + ")#",
        "(" + "a{0,}" * 5 + ")#",
        "(" + "x" * 300 + ")",
        r"[\]](.+)+#",
        r"[]a](.+)+#",
        "(\\\n.+)+#",
        r"(?x)((?: .+ ) +) +\#",
        "(?i-s:(?ix:(.+) # as above\n + ))#",
    ],
)
def test_expressions_that_take_very_long_are_refused(pattern):
    with pytest.raises(MisuseError, match=r"--data\.source\.init_args\.group"):
        require_simple(pattern, "data.source.group")


def test_the_longest_that_is_taken_ends_soon():
    pattern = "(" + ".+" * 4 + ")#"
    require_simple(pattern, "group")
    began = time.monotonic()
    assert re.search(pattern, "m" * 60) is None
    assert time.monotonic() - began < 30  # 60⁵ / 24 steps; seconds even on a slow machine


def test_a_group_of_a_checkpoint_is_checked():
    settings = {**FOLDER, "init_args": {**FOLDER["init_args"], "group": "((?:.+)+)+#"}}
    with pytest.raises(MisuseError, match="group"):
        Review().check_part(settings, [SOURCE], "data.source")
    settings["init_args"]["group"] = r"(patient\d+)"
    assert Review().check_part(settings, [SOURCE], "data.source")["init_args"]["group"] == r"(patient\d+)"


@pytest.mark.parametrize("pattern", sorted(PLANNED))
def test_planned_expressions_end_soon(pattern):
    for name in ("m" * 200, "1" * 200, "a1-" * 60, "1/" * 90 + "x", "_1" * 100 + "!"):
        began = time.monotonic()
        re.search(pattern, name)
        assert time.monotonic() - began < 20, name[:5]
