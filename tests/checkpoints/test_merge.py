"""Settings on top of settings."""

import pytest

from segapp.checkpoints.merge import changed, flatten_settings, get_value, merged, nest_value


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
    found = changed(config, {"a.class_path": "B", "a.init_args.y": 2, "c.d": [3]})
    assert found == {"a": {"class_path": "B", "init_args": {"y": 2}}, "b": 1, "c": {"d": [3]}}
    assert config["a"]["class_path"] == "A"


def test_flat_settings_nest_to_the_same_config():
    config = {"a": {"b": {"c": 1}, "d": {}}, "e": [{"f": 2}], "g": None}
    flat = flatten_settings(config)
    assert flat == {"a.b.c": 1, "a.d": {}, "e": [{"f": 2}], "g": None}
    assert changed({}, flat) == config
    assert nest_value("a.b.c", 1) == {"a": {"b": {"c": 1}}}
