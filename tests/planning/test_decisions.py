"""Decisions become a configuration."""

from segapp.planning.decisions import Decision, build_config, change_decisions, list_reasons

DECISIONS = [
    Decision("data.crop", [64, 64], "Large."),
    Decision("model.optimizer", {"class_path": "AdamW", "init_args": {"lr": 1, "weight_decay": 2}}, ""),
]


def test_a_later_decision_replaces_an_earlier_one():
    decisions = [Decision("data.crop", 1, "a"), Decision("data.crop", 2, "b"), Decision("name", "x", "")]
    assert build_config(decisions) == {"data": {"crop": 2}, "name": "x"}


def test_only_settings_with_a_reason_have_one():
    decisions = [Decision("data.crop", 1, "a"), Decision("data.window", None, ""), Decision("data.crop", 2, "b")]
    assert list_reasons(decisions) == {"data.crop": "b"}


def test_a_setting_inside_a_decision_is_replaced_alone():
    changed = change_decisions(DECISIONS, {"model.optimizer.init_args.lr": 3, "data.crop": None}, "Measured.")
    assert build_config(changed) == {
        "data": {"crop": None},
        "model": {"optimizer": {"class_path": "AdamW", "init_args": {"lr": 3, "weight_decay": 2}}},
    }
    assert [decision.reason for decision in changed] == ["Large. Measured.", "Measured."]
    assert build_config(DECISIONS)["model"]["optimizer"]["init_args"]["lr"] == 1  # not changed in place


def test_a_new_setting_is_a_decision_of_its_own():
    changed = change_decisions(DECISIONS, {"data.cropped": 1, "data.oversample": 0.5}, "Measured.")
    assert changed[:2] == DECISIONS
    assert [(one.setting, one.value) for one in changed[2:]] == [("data.cropped", 1), ("data.oversample", 0.5)]
