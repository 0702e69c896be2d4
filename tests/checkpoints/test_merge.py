"""Settings on top of settings."""

import pytest

from segapp.checkpoints.merge import (
    flatten_settings,
    get_value,
    is_same_class,
    merge_arguments,
    merged,
    nest_value,
    override_values,
)

NET = {"class_path": "a.Net", "init_args": {"depth": 3, "norm": "batch"}}


def test_later_beats_earlier_key_by_key():
    below = {"a": {"class_path": "A", "init_args": {"x": 1, "y": 2}}, "b": [1, 2]}
    assert merged(below, {"a": {"init_args": {"y": 3}}, "b": [9]}) == {
        "a": {"class_path": "A", "init_args": {"x": 1, "y": 3}},
        "b": [9],
    }
    assert merged(below, {"a": {"class_path": "B", "init_args": {"y": 3}}})["a"] == {
        "class_path": "B",
        "init_args": {"y": 3},
    }
    assert get_value(below, "a.init_args.x") == 1
    assert get_value(below, "a.nothing.x") is None
    assert flatten_settings(below)["a.init_args.y"] == 2


def test_neither_side_is_changed():
    below, above = {"a": {"x": 1}}, {"a": {"y": {"z": 2}}}
    both = merged(below, above)
    assert both == {"a": {"x": 1, "y": {"z": 2}}}
    assert (below, above) == ({"a": {"x": 1}}, {"a": {"y": {"z": 2}}})


@pytest.mark.parametrize(("below", "above"), [({"a": 1}, None), ([1, 2], [3]), (None, {"a": 1}), ({"a": 1}, {})])
def test_what_is_no_mapping_is_one_value(below, above):
    assert merged({"x": below}, {"x": above})["x"] == (below if above == {} else above)


def test_settings_of_dotted_keys_prevail_in_their_order():
    config = {"a": {"class_path": "A", "init_args": {"x": 1}}, "b": 1}
    found = override_values(config, {"a.class_path": "B", "a.init_args.y": 2, "c.d": [3]})
    assert found == {"a": {"class_path": "B", "init_args": {"y": 2}}, "b": 1, "c": {"d": [3]}}
    assert config["a"]["class_path"] == "A"


def test_flat_settings_nest_to_the_same_config():
    config = {"a": {"b": {"c": 1}, "d": {}}, "e": [{"f": 2}], "g": None}
    flat = flatten_settings(config)
    assert flat == {"a.b.c": 1, "a.d": {}, "e": [{"f": 2}], "g": None}
    assert override_values({}, flat) == config
    assert nest_value("a.b.c", 1) == {"a": {"b": {"c": 1}}}


def test_another_class_starts_from_its_own_defaults():
    assert merged({"net": NET}, {"net": {"class_path": "a.Other"}}) == {"net": {"class_path": "a.Other"}}
    other = {"class_path": "a.Other", "init_args": {"depth": 1}}
    assert merged({"net": NET}, {"net": other}) == {"net": other}


@pytest.mark.parametrize("path", ["a.Net", "Net", "a.inner.Net"])
def test_the_same_class_keeps_what_was_set(path):
    result = merged(NET, {"class_path": path, "init_args": {"depth": 4}})
    assert result["init_args"] == {"depth": 4, "norm": "batch"}
    assert "." in result["class_path"]


def test_what_stands_beside_a_known_class_is_an_argument_of_it():
    assert merged(NET, {"depth": 4})["init_args"] == {"depth": 4, "norm": "batch"}


@pytest.mark.parametrize(
    ("path", "other", "same"),
    [
        ("torch.optim.AdamW", "AdamW", True),
        ("torch.optim.AdamW", "torch.optim.adamw.AdamW", True),
        ("torch.optim.AdamW", "torch.optim.Adam", False),
        ("torch.optim.AdamW", "torch.optimal.AdamW", False),
        ("mine.Net", "yours.Net", False),
        (None, "yours.Net", False),
    ],
)
def test_classes_are_compared_by_their_text(path, other, same):
    assert is_same_class(path, other) is is_same_class(other, path) is same


def test_a_mapping_that_is_a_value_is_replaced():
    """The colours of a former data set are not those of the next."""
    below = {"colours": {"a": 1, "b": 2}, "block": {"norm": "batch", "skip": "add"}}
    above = {"colours": {"a": 1, "c": 3}, "block": {"norm": "none"}}
    result = merge_arguments(below, above, "x.Y", lambda path, parameter: (path, parameter) == ("x.Y", "colours"))
    assert result == {"colours": {"a": 1, "c": 3}, "block": {"norm": "none", "skip": "add"}}
    inside = merged({"init_args": below}, {"class_path": "x.Y", "init_args": above}, lambda *_: True)
    assert inside["init_args"]["colours"] == {"a": 1, "c": 3}
