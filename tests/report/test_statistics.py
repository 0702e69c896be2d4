"""Intervals and p-values against independent references, and numbers worked by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, wilcoxon

from segapp.report.statistics import difference, hierarchical_bootstrap, holm, swap_p


def sign_flip_p(differences, groups):
    """Of differences (S, I): one arm against another that has 0 everywhere."""
    return swap_p(differences[None], np.zeros_like(differences)[None], groups)


def naive_bootstrap(scores, groups, replicates, rng):
    """The definition in loops: draw seeds, draw groups, pool what was drawn, average."""
    names, means = sorted(set(groups)), []
    for _ in range(replicates):
        seeds = rng.integers(len(scores), size=len(scores))
        drawn = [names[i] for i in rng.integers(len(names), size=len(names))]
        pool = [
            scores[seed][image]
            for seed in seeds
            for name in drawn
            for image, group in enumerate(groups)
            if group == name and not np.isnan(scores[seed][image])
        ]
        if pool:
            means.append(sum(pool) / len(pool))
    return np.quantile(means, [0.025, 0.975])


def test_an_interval_agrees_with_the_definition_in_loops():
    rng = np.random.default_rng(1)
    groups = list("aaabbbccccdde")
    scores = rng.normal(0.7, 0.1, (3, 13)) + rng.normal(0, 0.2, (3, 1))
    scores[1, 4] = np.nan
    found = hierarchical_bootstrap(scores, groups)
    low, high = naive_bootstrap(scores, groups, 4000, rng)
    assert found.estimate == pytest.approx(np.nanmean(scores))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.012)


def test_one_seed_and_single_images_are_the_ordinary_bootstrap():
    scores = np.random.default_rng(0).beta(5, 2, (1, 40))
    found = hierarchical_bootstrap(scores, [str(i) for i in range(40)])
    reference = bootstrap((scores[0],), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(2))
    expected = reference.confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.003)


def test_what_an_image_does_to_every_seed_does_not_average_out():
    by_image = np.random.default_rng(0).normal(0, 1, 20)
    names = [str(i) for i in range(20)]
    one = hierarchical_bootstrap(by_image[None], names)
    ten = hierarchical_bootstrap(np.repeat(by_image[None], 10, axis=0), names)
    assert ten.high - ten.low == pytest.approx(one.high - one.low, rel=0.05)


def test_a_group_counts_once_however_many_images_it_has():
    values = np.array([[0.0, 1.0] * 8])
    single = hierarchical_bootstrap(values, [str(i) for i in range(16)])
    together = hierarchical_bootstrap(values, [str(i % 2) for i in range(16)])
    assert together.high - together.low == pytest.approx(1.0)  # one of two groups drawn twice
    assert single.high - single.low < 0.6


def test_nothing_to_estimate_is_not_a_number():
    found = hierarchical_bootstrap(np.full((2, 3), np.nan), list("abc"))
    assert np.isnan([found.estimate, found.low, found.high]).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-100, 100), min_size=2, max_size=8))
def test_p_is_the_share_of_all_changes_of_sign_that_are_as_far_from_zero(values):
    groups = [str(i) for i in range(len(values))]
    found, smallest = sign_flip_p(np.array([values], float), groups)
    sums = [
        sum(s * v for s, v in zip(signs, values, strict=True))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    share = np.mean([abs(total) >= abs(sum(values)) for total in sums])
    assert found == pytest.approx(share, abs=1e-9)
    assert found >= smallest == 2 / 2 ** len(values)


def test_p_by_hand_and_against_wilcoxon():
    ones = np.ones((1, 5))
    assert sign_flip_p(ones, list("abcde")) == (pytest.approx(2 / 32), 2 / 32)
    assert wilcoxon(ones[0] * np.arange(1, 6), method="exact").pvalue == pytest.approx(2 / 32)


def test_seeds_do_not_make_p_smaller():
    values = np.random.default_rng(0).normal(0.3, 1, (1, 6))
    groups = list("abcdef")
    assert sign_flip_p(np.repeat(values, 20, axis=0), groups)[0] == pytest.approx(sign_flip_p(values, groups)[0])


def test_one_group_can_show_nothing():
    assert sign_flip_p(np.ones((3, 4)), list("aaaa")) == (1.0, 1.0)


def test_many_groups_are_drawn_and_say_how_small_p_can_be():
    found, smallest = sign_flip_p(np.ones((1, 40)), [str(i) for i in range(40)])
    assert found == smallest == pytest.approx(2e-4)


def test_an_empty_image_in_which_only_one_side_found_something_counts():
    calm = np.array([[[0.8, 0.8, 0.8, np.nan, np.nan]]])
    wild = np.array([[[0.8, 0.8, 0.8, 0.0, 0.0]]])
    found = difference(wild, calm, list("abcde"))
    assert found.estimate == pytest.approx(0.48 - 0.8)
    assert found.low < -0.5 < -0.2 < found.high <= 0
    # of 32 exchanges those are as far that put both zeros on one side: 2 of 4, whatever the others do
    assert swap_p(wild, calm, list("abcde")) == (pytest.approx(0.5), 2 / 32)


def test_a_difference_of_several_arms_is_that_of_their_means():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((2, 3, 8)), rng.random((3, 3, 8))
    groups = list("aabbccdd")
    paired = ours.mean(0) - theirs.mean(0)
    assert vars(difference(ours, theirs, groups)) == pytest.approx(vars(hierarchical_bootstrap(paired, groups)))
    assert swap_p(ours, theirs, groups) == pytest.approx(sign_flip_p(paired, groups))


def test_a_side_without_any_score_has_no_p():
    nothing = np.full((1, 1, 3), np.nan)
    assert np.isnan(swap_p(nothing, np.ones((1, 1, 3)), list("abc"))).all()
    assert np.isnan(difference(nothing, np.ones((1, 1, 3)), list("abc")).estimate)


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.04: times 3, 2, 1, never decreasing, at most 1
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([0.01, float("nan")])[0] == pytest.approx(0.01)
    assert np.isnan(holm([0.01, float("nan")])[1])
