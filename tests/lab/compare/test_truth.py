"""The images and true masks on which predictions are scored."""

from pathlib import Path

import pytest

from segapp.datasets import Folder, Fraction
from segapp.errors import MisuseError
from segapp.lab.compare.truth import find_truth, read_section, read_target

WHERE = Path("data.yaml")


def test_the_images_are_those_of_runs_or_of_the_test_split_or_all(tools):
    source = read_section(WHERE)
    assert list(find_truth(WHERE, source, "test", []).items) == ["a", "b", "c"]  # it has no test images
    assert list(find_truth(WHERE, source, "test", ["b"]).items) == ["b"]
    split = Folder("data", source.classes, split=Fraction(val=0.3, test=0.3))
    (held,) = (item.name for item in split.items("test"))
    truth = find_truth(WHERE, split, "test", [])
    assert list(truth.items) == [held] and truth.groups == {held: held}


def test_what_cannot_be_scored_on_is_refused(tools):
    with pytest.raises(MisuseError, match=r"data\.yaml: 1 of 2 .*'x'.*--data"):
        find_truth(WHERE, read_section(WHERE), "test", ["a", "x"])
    WHERE.write_text("classes: [a, b]")
    with pytest.raises(MisuseError, match=r"data\.yaml: has no `source`"):
        read_section(WHERE)


def test_a_target_is_the_mask(tools):
    truth = find_truth(WHERE, read_section(WHERE), "test", [])
    assert read_target(truth.items["c"])[0].tolist() == [255] * 16
