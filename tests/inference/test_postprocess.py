"""Small objects and holes: what goes, what takes their place, and that bands decide as the whole image does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.inference.postprocess import clean, clean_bands, compute_margin
from tests.inference.checkpoints import make_spec

THREE = {"classes": ("a", "b", "c"), "palette": ((0, 0, 0),) * 3}


def rows(*lines):
    return np.array([[int(value) for value in line] for line in lines], np.uint8)


def test_a_small_object_goes_to_the_class_that_surrounds_it_most():
    image = rows("00000", "01022", "00022", "00022")
    spec = make_spec(**THREE, min_object=(0, 2, 0))
    assert (clean(image, spec) == rows("00000", "00022", "00022", "00022")).all()
    image = rows("2222", "2210", "2222")
    assert (clean(image, spec) == rows("2222", "2220", "2222")).all()


def test_objects_hang_together_across_corners_and_at_the_smallest_size_stay():
    image = rows("1000", "0100", "0010")
    assert (clean(image, make_spec(min_object=(0, 3))) == image).all()
    assert not clean(image, make_spec(min_object=(0, 4))).any()


def test_an_object_without_lasting_neighbours_stays():
    image = np.ones((3, 3), np.uint8)
    assert (clean(image, make_spec(min_object=(0, 100))) == image).all()


def test_an_enclosed_hole_is_filled_and_a_bay_at_the_border_is_not():
    image = rows("11111", "10111", "11110", "11112")
    expected = rows("11111", "11111", "11110", "11112")
    assert (clean(image, make_spec(**THREE, min_hole=(0, 2, 0))) == expected).all()
    assert (clean(image, make_spec(**THREE, min_hole=(0, 1, 0))) == image).all()


def test_a_hole_may_hold_several_classes():
    image = rows("1111", "1021", "1111")
    assert (clean(image, make_spec(**THREE, min_hole=(0, 3, 0))) == 1).all()


def test_nothing_chosen_is_the_very_same_array():
    image = np.eye(5, dtype=np.uint8)
    assert clean(image, make_spec()) is image


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 999),
    height=st.integers(1, 70),
    objects=st.tuples(*[st.integers(0, 6)] * 3),
    holes=st.tuples(*[st.integers(0, 6)] * 3),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
)
def test_bands_joined_are_the_whole_image(seed, height, objects, holes, sizes):
    image = np.random.default_rng(seed).choice(3, (height, 11), p=(0.5, 0.3, 0.2)).astype(np.uint8)
    spec = make_spec(**THREE, min_object=objects, min_hole=holes)
    cuts = np.cumsum(np.resize(sizes, height))
    bands = [band for band in np.split(image, cuts[cuts < height]) if len(band)]
    assert (np.concatenate(list(clean_bands(bands, spec))) == clean(image, spec)).all()


def test_bands_hold_no_more_than_their_context():
    spec = make_spec(min_object=(0, 5), min_hole=(0, 3))
    given, longest = 0, 0

    def bands():
        nonlocal given
        for _ in range(100):
            given += 4
            yield np.zeros((4, 8), np.uint8)

    done = 0
    for band in clean_bands(bands(), spec):
        done += len(band)
        longest = max(longest, given - done)
    assert done == 400
    assert longest <= 2 * compute_margin(spec) + 4


@pytest.mark.parametrize("bad", [{"min_object": (1,)}, {"min_hole": (0, -1)}])
def test_sizes_are_one_per_class(bad):
    with pytest.raises(Exception, match="pixels per class"):
        make_spec(**bad)
