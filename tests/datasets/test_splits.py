"""Splits: nothing is lost, groups stay together, fractions are kept."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.datasets import Contiguous, Folders, Fraction, KFold, Split
from segapp.datasets.source import SPLITS
from segapp.datasets.splits import Candidate
from segapp.errors import MisuseError

ROOT = Path("/data")


def candidates(names: list[str], groups: list[str] | None = None) -> list[Candidate]:
    groups = groups or names
    return [Candidate(n, g, ROOT / f"{n}.png", None) for n, g in zip(names, groups, strict=True)]


def names(split: Split, *given: object) -> dict[str, list[str]]:
    division = split.divide(candidates(*given), ROOT)  # type: ignore[arg-type]
    return {key: [c.name for c in part] for key, part in division.items()}


def sizes(split: Split, *groups: int) -> dict[str, int]:
    everything = [(f"{g}_{i}", f"g{g}") for g, size in enumerate(groups) for i in range(size)]
    parts = names(split, [name for name, _ in everything], [group for _, group in everything])
    return {key: len(part) for key, part in parts.items()}


NEW = [["z"], ["0"], [f"i{k:03d}b" for k in range(0, 100, 10)]]


def with_masks(held: list[set[int]], groups: list[str] | None = None) -> list[Candidate]:
    everything = candidates([f"{i:03d}" for i in range(len(held))], groups)
    return [replace(c, mask=Mask(classes)) for c, classes in zip(everything, held, strict=True)]


class Mask:
    """A mask of one row that holds these classes, and some pixels to ignore."""

    def __init__(self, classes: set[int]) -> None:
        self.row = np.array([[*classes, 255]], np.uint8)
        self.shape = self.row.shape

    def read(self) -> np.ndarray:
        return self.row

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        return self.row[y : y + h, x : x + w]


@given(
    groups=st.lists(st.integers(0, 12), min_size=3, max_size=60),
    split=st.sampled_from([Fraction(0.2, 0.2), Fraction(0.3, seed=7), Contiguous(0.2, 0.2), KFold(1, 2)]),
)
def test_nothing_is_lost_or_twice_and_groups_stay_whole(groups: list[int], split: Split) -> None:
    if len(set(groups)) < (2 if isinstance(split, KFold) else 3):
        return
    everything = [f"{i}" for i in range(len(groups))]
    parts = names(split, everything, [f"g{g}" for g in groups])
    assert sorted(sum(parts.values(), []), key=int) == everything  # noqa: RUF017
    homes = [{groups[int(name)] for name in part} for part in parts.values()]
    assert sum(map(len, homes)) == len(set(groups))


def test_fraction_takes_its_share_and_repeats_with_the_seed() -> None:
    everything = [f"{i}" for i in range(50)]
    first = names(Fraction(0.2, 0.1, seed=3), everything)
    assert [len(first[split]) for split in ("train", "val", "test")] == [35, 10, 5]
    assert first == names(Fraction(0.2, 0.1, seed=3), everything)
    assert first != names(Fraction(0.2, 0.1, seed=4), everything)


@pytest.mark.parametrize("seed", range(20))
def test_a_part_gets_no_group_beyond_its_fraction_while_one_fits(seed: int) -> None:
    assert sizes(Fraction(0.2, 0.2, seed), 60, *[4] * 10) == {"train": 60, "val": 20, "test": 20}
    assert sizes(Fraction(0.2, 0.2, seed), 60, 20, 1) == {"train": 60, "val": 20, "test": 1}
    assert sizes(Fraction(0.2, 0.2, seed), 97, 97, 1, 1)["train"] == 194
    assert sizes(Fraction(0.2, seed=seed), 90, 80, 70) == {"train": 170, "val": 70, "test": 0}
    assert sizes(KFold(0, 3, seed), 60, 10, 10, 10)["val"] in (60, 10, 20)


@given(
    groups=st.lists(st.integers(1, 30), min_size=3, max_size=12),
    split=st.sampled_from([Fraction(0.2, 0.2), Fraction(0.6, 0.3, 5), Contiguous(0.2, 0.2), Contiguous(0.45, 0.5)]),
)
def test_no_part_is_ever_empty(groups: list[int], split: Split) -> None:
    assert all(sizes(split, *groups).values())


@pytest.mark.parametrize("make", [lambda: Fraction(0.2, 0.2), lambda: Contiguous(0.2, 0.2), lambda: Fraction(0.2)])
def test_too_few_images_are_refused_with_a_way_out(make: Callable[[], Split]) -> None:
    with pytest.raises(MisuseError, match=r"1 image .*split\.init_args\.val"):
        names(make(), ["a"])
    with pytest.raises(MisuseError, match=r"^/data: 1 group of images"):
        names(make(), ["a", "b", "c"], ["g", "g", "g"])
    assert names(Fraction(0.0), ["a"])["train"] == ["a"]


def test_a_single_image_leaves_no_other_part() -> None:
    with pytest.raises(MisuseError, match=r"test to 0 and \S*val to 0"):
        names(Fraction(0.2, 0.2), ["a"])
    with pytest.raises(MisuseError, match=r"test to 0 or \S*val to 0"):
        names(Fraction(0.2, 0.2), ["a", "b"])


@pytest.mark.parametrize("new", NEW, ids=["last", "first", "ten"])
def test_new_images_move_few_of_the_old(new: list[str]) -> None:
    old = [f"i{k:03d}" for k in range(100)]
    grown = sorted(old + new)
    moved = []
    for seed in range(10):
        before, after = names(Fraction(0.2, 0.2, seed), old), names(Fraction(0.2, 0.2, seed), grown)
        assert not set(before["test"]) & set(after["train"])
        moved.append(sum(len(set(before[split]) - set(after[split])) for split in before))
        fold = [set(names(KFold(0, 5, seed), given)["val"]) for given in (old, grown)]
        assert len(fold[0] - fold[1]) <= 1 + len(new)
    assert np.mean(moved) < 1 + len(new)


@pytest.mark.parametrize("seed", range(8))
def test_stratified_splits_all_see_a_rare_class(seed: int) -> None:
    held = [{0, 1} if i % 20 == 3 else {0, 2} if i % 9 == 0 else {0} for i in range(100)]
    division = Fraction(0.2, 0.2, seed, stratify=True).divide(with_masks(held), ROOT)
    assert [len(division[split]) for split in SPLITS] == [60, 20, 20]
    assert sorted(c.name for part in division.values() for c in part) == [f"{i:03d}" for i in range(100)]
    rare = [sum(int(c.name) % 20 == 3 for c in division[split]) for split in SPLITS]
    assert rare == [3, 1, 1]


@given(
    held=st.lists(st.sets(st.integers(0, 3)), min_size=12, max_size=40),
    seed=st.integers(0, 3),
    groups=st.integers(3, 12),
)
@settings(max_examples=40)
def test_stratified_splits_are_splits(held: list[set[int]], seed: int, groups: int) -> None:
    given_ = with_masks(held, [f"g{i % groups}" for i in range(len(held))])
    division = Fraction(0.2, 0.2, seed, stratify=True).divide(given_, ROOT)
    assert all(division.values())
    assert sorted(c.name for part in division.values() for c in part) == [c.name for c in given_]
    homes = [{c.group for c in part} for part in division.values()]
    assert sum(map(len, homes)) == groups


def test_names_that_are_not_utf8_are_divided() -> None:
    assert names(Fraction(0.5), ["a\udcff", "b"])["val"]


def test_contiguous_cuts_in_order() -> None:
    parts = names(Contiguous(0.3, 0.2), [f"{i}" for i in range(10)])
    assert parts == {"train": list("01234"), "val": list("567"), "test": list("89")}


def test_every_image_is_in_val_of_one_fold() -> None:
    everything = [f"{i}" for i in range(23)]
    folds = [names(KFold(fold, 5), everything)["val"] for fold in range(5)]
    assert sorted(sum(folds, []), key=int) == everything  # noqa: RUF017
    assert {len(fold) for fold in folds} == {4, 5}


def test_folds_leave_the_test_images_of_another_split_out() -> None:
    everything, within = [f"{i}" for i in range(30)], Fraction(0.2, 0.2, seed=1)
    held = names(within, everything)["test"]
    divisions = [names(KFold(fold, 4, within=within), everything) for fold in range(4)]
    assert held and all(division["test"] == held for division in divisions)
    folds = [name for division in divisions for name in division["val"]]
    assert sorted(folds + held, key=int) == everything
    assert all(set(d["train"]) == set(everything) - set(d["val"]) - set(held) for d in divisions)


def test_contiguous_folds_are_ranges() -> None:
    everything = [f"{i}" for i in range(10)]
    folds = sorted(names(KFold(fold, 5, contiguous=True), everything)["val"] for fold in range(5))
    assert folds == [["0", "1"], ["2", "3"], ["4", "5"], ["6", "7"], ["8", "9"]]


def test_stratified_folds_share_a_rare_class() -> None:
    everything = with_masks([{0, 1} if i < 5 else {0} for i in range(40)])
    for seed in range(20):
        folds = [KFold(fold, 5, seed, stratify=True).divide(everything, ROOT)["val"] for fold in range(5)]
        assert [sum(int(c.name) < 5 for c in fold) for fold in folds] == [1] * 5
        assert {len(fold) for fold in folds} == {8}
    assert KFold(0, stratify=True).reads_masks and KFold(0, within=Fraction(stratify=True)).reads_masks


def test_folders_need_their_folders() -> None:
    given = [Candidate("t/a", "t/a", ROOT / "t/a.png", "training"), Candidate("v", "v", ROOT / "v.png", "val")]
    with pytest.raises(MisuseError, match="no images in the train folder 'train'; there is: training, val"):
        Folders().divide(given, ROOT)
    with pytest.raises(MisuseError, match=r"needs \{split\} in `images`"):
        Folders().divide(candidates(["a"]), ROOT)
    assert [c.name for c in Folders(train="training").divide(given, ROOT)["train"]] == ["t/a"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Fraction(0.7, 0.4),
        lambda: Contiguous(1.0),
        lambda: KFold(5, 5),
        lambda: KFold(0, 5, stratify=True, contiguous=True),
    ],
)
def test_impossible_settings_are_refused(make: object) -> None:
    with pytest.raises(MisuseError):
        make()  # type: ignore[operator]
