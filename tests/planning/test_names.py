"""Class names from tables beside the data."""

import json

import pytest

from segapp.planning.names import find_names, read_channel_names


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("classes.csv", "value,name\n0,sky\n7,road\n", {0: "sky", 7: "road"}),
        ("class_names.txt", "_background_\ncrack\n", {0: "_background_", 1: "crack"}),
        ("labels.txt", "__ignore__\n_background_\ntv/monitor\n", {0: "_background_", 1: "tv/monitor"}),
        ("dataset.json", '{"labels": {"1": "front", "0": "background"}}', {0: "background", 1: "front"}),
        ("classes.txt", "0 background\n7: person\n", {0: "background", 7: "person"}),
        ("classes.txt", "2 wheels\n4 wheels\n", {0: "2 wheels", 1: "4 wheels"}),
        ("_classes.csv", "Pixel Value, Class\n0, background\n2, crack\n", {0: "background", 2: "crack"}),
        ("objectInfo2.txt", f"Idx\tName\n1\twall\n2\t{'tv, ' * 30}\n", {1: "wall", 2: "tv"}),
        ("sceneCategories.txt", "photo one\nphoto two\n", None),
        ("labels.csv", "name,label\nphoto 1,0\nphoto 2,1\nphoto 3,0\n", None),
        ("classes.txt", "images/a.png\nimages/b.png\n", None),
    ],
)
def test_class_names_are_read_from_tables(tmp_path, file, text, expected):
    (tmp_path / file).write_text(text)
    found = find_names([tmp_path / "missing", tmp_path])
    assert (found.by_value if found else None) == expected


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.csv", "value,name\nnought,sky\n7,road\n"),
        ("classes.csv", "name,r,g,b\nsky,0,0\nroad,1,1,x\n"),
        ("classes.txt", "one\none\n"),
        ("classes.txt", "single\n"),
        ("dataset.json", '{"labels": ["background", "front"]}'),
        ("dataset.json", "{"),
        ("dataset.json", '{"labels": {"a": 1e999, "b": 2}}'),
    ],
)
def test_what_is_no_table_of_classes_is_passed_over(tmp_path, file, text):
    (tmp_path / file).write_text(text)
    assert find_names([tmp_path]) is None


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("label_colors.txt", "128 0 0\tcar\n0 0 0\t\tVoid\n"),
        ("labelmap.txt", "# label:color_rgb:parts:actions\ncar:128,0,0::\nVoid:0,0,0::\n"),
        ("class_dict_seg.csv", "name, r, g, b\ncar, 128, 0, 0\nVoid, 0, 0, 0\n"),
    ],
)
def test_colours_of_classes_are_read_from_tables_of_other_names(tmp_path, file, text):
    (tmp_path / "class_names.txt").write_text("cat\ndog\n")
    (tmp_path / file).write_text(text)
    found = find_names([tmp_path], colours=[(128, 0, 0)])
    assert (found.by_colour, found.by_value) == ({(128, 0, 0): "car", (0, 0, 0): "Void"}, {})
    assert find_names([tmp_path], colours=[(1, 2, 3)]).names == ("cat", "dog")


def test_the_first_table_counts_and_one_of_megabytes_does_not(tmp_path):
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    (tmp_path / "labels.csv").write_text("name,r,g,b\nsky,1,2,3\nroad,4,5,6\n")
    found = find_names([tmp_path])
    assert found.by_colour == {(1, 2, 3): "sky", (4, 5, 6): "road"}
    (tmp_path / "labels.csv").write_text("name\nsky\nroad\n" + " " * 2**22)
    assert find_names([tmp_path]).names == ("cat", "dog")


def test_json_that_is_nested_without_end_names_nothing(tmp_path):
    (tmp_path / "dataset.json").write_text("[" * 200_000)
    assert find_names([tmp_path]) is None


def test_a_link_is_no_table(tmp_path):
    """Lines of a file that lies elsewhere would become names of classes."""
    (tmp_path / "credentials").write_text("secret one\nsecret two\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/classes.txt").symlink_to("../credentials")
    assert find_names([tmp_path / "data"]) is None


REGIONS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": [3], "ignore": 4}


def test_values_of_regions_are_classes_named_by_the_smallest_region(tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": REGIONS}))
    table = find_names([tmp_path])
    assert table.by_value == {0: "background", 1: "whole_1", 2: "core_2", 3: "enhancing", 4: "ignore"}
    assert "core = 2 + 3" in table.note


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"channel_names": {"0": "CT"}}, ("CT",)),
        ({"modality": {"0": "FLAIR", "1": "T1w"}}, ("FLAIR", "T1w")),
        ({"labels": {}}, ()),
        ([], ()),
    ],
    ids=["nnunet", "decathlon", "none", "list"],
)
def test_channel_names_are_read(tmp_path, content, expected):
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    assert read_channel_names([tmp_path / "missing", tmp_path]) == expected
