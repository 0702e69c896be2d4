"""Groups and splits from names and thumbnails."""

import re
from dataclasses import replace

import numpy as np
import pytest

from segapp.planning.splitting import choose_split, find_groups, measure_likeness
from tests.planning.fingerprints import facts, fingerprint


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([f"patient{p}_slice{s:03}" for p in range(5) for s in range(4)], 5),
        ([f"p{p}/{s}" for p in range(4) for s in range(3)], 4),
        ([f"0001TP_{s}" for s in range(20)], None),
        ([f"cat_{s}" for s in range(9)] + [f"dog_{s}" for s in range(9)] + [f"cow_{s}" for s in range(9)], None),
        ([str(s) for s in range(20)], None),
        ([f"scene{s}_{y}_{x}" for s in range(4) for y in (0, 256, 512) for x in (0, 256)], 4),
        ([f"{s}_x{y}_y{x}" for s in ("rome", "oslo", "kyiv") for y in (0, 256) for x in (0, 256)], 3),
        ([f"site_{p // 4}_patient_{p}_slice_{s}" for p in range(12) for s in range(4)], 12),
        ([f"p{p}_{s}" for p in range(30) for s in range(1 + p // 25)], 30),
        ([f"{p}_{side}" for p in range(9) for side in ("left", "right")], 9),
    ],
)
def test_groups_are_what_names_share_before_a_number(names, groups):
    found = find_groups(names)
    assert (found.groups if found else None) == groups


def test_neighbours_that_are_alike_are_divided_by_ranges():
    rng = np.random.default_rng(0)
    slices = [rng.random((4, 4)) for _ in range(24)]
    stack = [facts(f"{i}", thumbnail=np.mean(slices[i : i + 4], axis=0)) for i in range(20)]
    assert measure_likeness(stack) > 0.5
    (split,) = choose_split(fingerprint(*stack))
    assert split.value["class_path"] == "segapp.datasets.Contiguous"
    independent = [facts(f"{i}", thumbnail=image) for i, image in enumerate(slices)]
    assert choose_split(fingerprint(*independent))[0].value["class_path"] == "segapp.datasets.Fraction"


def test_a_rare_class_is_stratified_and_a_group_is_named():
    images = [facts(f"p{i // 5}_{i}", counts=(90, 10 * (i < 5))) for i in range(40)]
    group, split = choose_split(fingerprint(*images))
    assert re.search(group.value, "p3_17")[1] == "p3"
    assert split.value["init_args"] == {"val": 0.2, "test": 0.2, "seed": 0, "stratify": True}


def test_few_images_have_no_test_and_very_many_a_bounded_validation():
    few = fingerprint(*(facts(f"{i}") for i in range(10)))
    (split,) = choose_split(few)
    assert split.value["init_args"] == {"val": 0.2, "test": 0.0, "seed": 0}
    (split,) = choose_split(replace(few, total=10_000), "place")
    assert (split.setting, split.value["init_args"]["val"]) == ("place.split", 0.05)


def test_frames_stay_in_their_order_where_a_few_share_a_name():
    rng = np.random.default_rng(0)
    slices = [rng.random((4, 4)) for _ in range(24)]
    names = [f"{i}" for i in range(18)] + ["17_a", "17_b"]
    stack = [facts(name, thumbnail=np.mean(slices[i : i + 4], axis=0)) for i, name in enumerate(names)]
    group, split = choose_split(fingerprint(*stack))
    assert group.setting.endswith(".group") and "20 names make 18 groups" in group.reason
    assert split.value["class_path"] == "segapp.datasets.Contiguous"


def test_names_beyond_the_measured_ones_may_have_no_group():
    images = [facts(f"p{i // 5}_{i}") for i in range(40)]
    group, _ = choose_split(replace(fingerprint(*images), total=100))
    assert re.search(group.value, "another")[2] == "another"


def test_likeness_of_fewer_than_six_images_is_not_measured():
    assert measure_likeness([facts(f"{i}") for i in range(5)]) is None


def test_volumes_are_counted_and_grouped_in_place_of_their_slices():
    images = [facts(f"p{v // 2}_{v}/axial={s:02}", counts=(90, 10 * (s == 5))) for v in range(8) for s in range(20)]
    group, split = choose_split(fingerprint(*images))
    assert re.search(group.value, "p3_7")[1] == "p3"
    assert split.value["init_args"] == {"val": 0.2, "test": 0.0, "seed": 0}
    assert "0.2 of the 8 volumes" in split.reason and "fewer than 30 none for a test: `segapp folds`" in split.reason
    many = replace(fingerprint(*(facts(f"{v}/axial={s}") for v in range(40) for s in range(2))), total=20_000)
    (split,) = choose_split(many)
    assert split.value["init_args"] == {"val": 0.075, "test": 0.075, "seed": 0}


@pytest.mark.parametrize(("groups", "test"), [(4, 0.0), (5, 0.2)])
def test_few_groups_are_not_divided_in_three(groups, test):
    images = [facts(f"p{i % groups}_{i}") for i in range(40)]
    _, split = choose_split(fingerprint(*images))
    assert split.value["init_args"]["test"] == test
    assert ("with fewer than 5 groups none for a test" in split.reason) == (not test)
