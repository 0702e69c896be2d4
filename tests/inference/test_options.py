"""Options on top of a saved spec."""

import pytest

from segapp.errors import MisuseError
from segapp.inference.options import apply_options, format_summary
from tests.inference.checkpoints import make_spec

SAVED = make_spec(symmetries=("horizontal",), scales=(1.0, 1.5), min_object=(0, 30), min_hole=(0, 4))
THREE = make_spec(classes=("background", "cell", "debris"), palette=((0, 0, 0),) * 3)


def test_without_options_the_spec_is_unchanged_and_each_can_be_switched_off():
    assert apply_options(SAVED) == SAVED
    assert apply_options(SAVED, augment=["none"]).symmetries == ()
    assert apply_options(SAVED, scales=[1]).scales == (1.0,)
    off = apply_options(SAVED, min_object=["0"], min_hole=["cell=0"])
    assert (off.min_object, off.min_hole) == ((0, 0), (0, 0))


def test_views_are_named_once_in_one_order():
    found = apply_options(make_spec(), augment=["rotations", "horizontal", "rotations"], scales=[1, 2, 1.0])
    assert (found.symmetries, found.scales) == (("horizontal", "rotations"), (1.0, 2.0))


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        (["30"], (0, 30, 30)),  # the background has no objects
        (["cell=5", "30"], (0, 5, 30)),  # the class prevails, whatever the order
        (["background=7", "debris=9"], (7, 0, 9)),
    ],
)
def test_sizes_are_of_a_class_or_of_all_but_the_background(given, sizes):
    assert apply_options(THREE, min_object=given).min_object == sizes
    assert apply_options(THREE, min_hole=given).min_hole == sizes


@pytest.mark.parametrize("word", ["cat=3", "cell=", "cell=-1", "cell=1.5", "many", "=3="])
def test_sizes_of_unknown_classes_and_no_numbers_are_refused_by_option(word):
    with pytest.raises(MisuseError, match="min_hole") as error:
        apply_options(THREE, min_hole=[word])
    assert repr(word) in str(error.value)


def test_none_beside_a_view_is_refused():
    with pytest.raises(MisuseError, match="none"):
        apply_options(THREE, augment=["none", "vertical"])


def test_the_summary_names_what_differs_from_one_network_seen_once():
    assert format_summary(make_spec()) == ""
    found = format_summary(SAVED, networks=2)
    for part in ("2 networks", "horizontal", "1, 1.5", SAVED.average, "cell 30", "cell 4"):
        assert part in found
