"""A plan as YAML with its reasons."""

import pytest
import yaml

from segapp.planning.decisions import Decision, build_config
from segapp.planning.write import format_plan, write_plan
from segapp.system.yaml_files import parse_yaml


def test_the_yaml_of_a_plan_loads_to_its_decisions_with_reasons_as_comments():
    decisions = [
        Decision("name", "mine: #1", ""),
        Decision("data.crop", [256, 256], "images are\n512: pixels " * 20),
        Decision("model.net", {"class_path": "segapp.models.UNet", "init_args": {"widths": [1, 2]}}, "small"),
    ]
    text = format_plan(decisions, "heading\nof two lines")
    assert yaml.safe_load(text) == build_config(decisions)
    assert "  # small" in text.splitlines()
    assert max(map(len, text.splitlines())) <= 110


def test_a_plan_that_cannot_be_written_leaves_the_former_one(tmp_path):
    path = tmp_path / "mine.yaml"
    write_plan(path, [Decision("name", "mine", "")], "heading")
    before = path.read_text()
    with pytest.raises(yaml.YAMLError):
        write_plan(path, [Decision("name", object(), "")], "heading")
    assert path.read_text() == before == "# heading\n\nname: mine\n"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_look_like_numbers_stay_names():
    decision = Decision("data.source.init_args.classes", ["1e3", "2.5", "yes", "0x10", "1_000"], "")
    assert parse_yaml(format_plan([decision], ""), "it") == build_config([decision])


def test_escape_sequences_of_names_do_not_reach_the_file():
    text = format_plan([Decision("name", "mine", "rare: \x1b]0;title\x07 and \u2028")], "heading \x1b[2J")
    assert text.isascii() and "\x1b" not in text and "\x07" not in text
    assert parse_yaml(text, "it") == {"name": "mine"}
