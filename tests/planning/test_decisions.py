"""Decisions become a configuration."""

from segapp.planning.decisions import Decision, build_config, list_reasons


def test_a_later_decision_replaces_an_earlier_one():
    decisions = [Decision("data.crop", 1, "a"), Decision("data.crop", 2, "b"), Decision("name", "x", "")]
    assert build_config(decisions) == {"data": {"crop": 2}, "name": "x"}


def test_only_settings_with_a_reason_have_one():
    decisions = [Decision("data.crop", 1, "a"), Decision("data.window", None, ""), Decision("data.crop", 2, "b")]
    assert list_reasons(decisions) == {"data.crop": "b"}
