"""Intervals and p-values against independent references, numbers worked by hand, and studies without a difference."""

import numpy as np
import pytest
from scipy.stats import spearmanr, t, ttest_1samp, ttest_rel

from segapp.report.statistics import Interval, adjust_p_values, correlate_ranks, estimate_difference, estimate_mean


def single(count):
    """Every image is a group of its own."""
    return [str(image) for image in range(count)]


def shown(found):
    return (found.estimate, found.low, found.high)


def test_one_seed_of_single_images_is_students_t():
    scores = np.random.default_rng(0).beta(5, 2, (1, 40))
    interval = ttest_1samp(scores[0], 0).confidence_interval(0.95)
    assert shown(estimate_mean(scores, single(40))) == pytest.approx((scores.mean(), interval.low, interval.high))


def test_one_group_leaves_the_seeds_to_students_t():
    ours, theirs = np.random.default_rng(0).normal(0.8, 0.1, (2, 1, 5, 7))
    found = estimate_difference(ours, theirs, ["a"] * 7)
    reference = ttest_rel(ours[0].mean(1), theirs[0].mean(1))
    interval = reference.confidence_interval(0.95)
    assert found.p == pytest.approx(reference.pvalue)
    assert shown(found)[1:] == pytest.approx((interval.low, interval.high))


def test_seeds_and_groups_by_hand():
    # rows 0 4 and 2 10: means 2, 6 and 1, 7; mean 4; squares: seeds 2 (2² + 2²) = 16, groups 2 (3² + 3²) = 36, rest 4
    found = estimate_mean(np.array([[0.0, 4.0], [2.0, 10.0]]), list("ab"))
    variance = (16 + 36 - 4) / 4
    degrees = (16 + 32) ** 2 / (16**2 + 36**2 + 4**2)
    reach = t.ppf(0.975, degrees) * variance**0.5
    assert shown(found) == pytest.approx((4, 4 - reach, 4 + reach))


def test_groups_that_vary_less_than_chance_leave_the_seeds_alone():
    scores = np.array([[0.0, 2.0], [4.0, 2.0], [3.0, 3.0]])
    means = scores.mean(1)
    interval = ttest_1samp(means, 0).confidence_interval(0.95)
    assert shown(estimate_mean(scores, list("ab"))) == pytest.approx((means.mean(), interval.low, interval.high))


def test_what_an_image_does_to_every_seed_does_not_average_out():
    by_image = np.random.default_rng(0).normal(0, 1, 20)
    one = estimate_mean(by_image[None], single(20))
    ten = estimate_mean(np.repeat(by_image[None], 10, axis=0), single(20))
    assert ten.high - ten.low == pytest.approx(one.high - one.low)


def test_a_group_counts_once_however_many_images_it_has():
    values = np.array([[0.0, 1.0] * 8])
    together = estimate_mean(values, [str(image % 2) for image in range(16)])
    assert together.high - together.low == pytest.approx(2 * t.ppf(0.975, 1) * 0.5)
    apart = estimate_mean(values, single(16))
    assert apart.high - apart.low < 0.6


def test_scores_that_are_missing_are_left_out_of_their_own_mean():
    scores = np.random.default_rng(0).normal(0.7, 0.1, (3, 13))
    scores[1, 4] = np.nan
    found = estimate_mean(scores, list("aaabbbccccdde"))
    assert found.estimate == pytest.approx(np.nanmean(scores))
    assert found.low < found.estimate < found.high


def test_nothing_to_estimate_is_not_a_number():
    found = estimate_mean(np.full((2, 3), np.nan), list("abc"))
    assert np.isnan([*shown(found), found.p]).all()
    nothing = np.full((1, 1, 3), np.nan)
    assert np.isnan(estimate_difference(nothing, np.ones((1, 1, 3)), list("abc")).estimate)


def test_a_single_number_has_no_interval():
    found = estimate_mean(np.array([[0.25, 0.75]]), list("aa"))
    assert found.estimate == 0.5
    assert np.isnan([found.low, found.high, found.p]).all()


def test_the_same_scores_on_both_sides_differ_by_nothing():
    scores = np.random.default_rng(0).random((1, 3, 4))
    assert estimate_difference(scores, scores, list("abcd")) == Interval(0.0, 0.0, 0.0, 1.0)


def test_an_empty_image_in_which_only_one_side_found_something_counts():
    calm = np.array([[[0.8, 0.8, 0.8, np.nan, np.nan]]])
    wild = np.array([[[0.8, 0.8, 0.8, 0.0, 0.0]]])
    found = estimate_difference(wild, calm, list("abcde"))
    assert found.estimate == pytest.approx(0.48 - 0.8)
    # by image 0.8 - 0.8 three times, 0 - 0.8 twice: an image that the calm side has no score of changes nothing in it
    changes = np.array([0.32, 0.32, 0.32, -0.48, -0.48])
    reach = t.ppf(0.975, 4) * changes.std(ddof=1) / 5**0.5
    assert shown(found)[1:] == pytest.approx((-0.32 - reach, -0.32 + reach))


def test_a_difference_of_several_variants_is_that_of_their_means():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((2, 3, 8)), rng.random((3, 3, 8))
    groups = list("aabbccdd")
    paired = ours.mean(0) - theirs.mean(0)
    assert shown(estimate_difference(ours, theirs, groups)) == pytest.approx(shown(estimate_mean(paired, groups)))


@pytest.mark.parametrize(("seeds", "images", "of_image"), [(3, 24, 0.01), (5, 24, 0.0), (3, 24, 0.03)])
def test_five_of_a_hundred_studies_without_a_difference_show_one(seeds, images, of_image):
    """Runs differ by 0.02, a variant on an image by `of_image`, a run on an image by 0.03; the true means are equal."""
    rng = np.random.default_rng(0)

    def draw_arm():
        runs, own = rng.normal(0, 0.02, (1, seeds, 1)), rng.normal(0, of_image, (1, 1, images))
        return 0.8 + runs + own + rng.normal(0, 0.03, (1, seeds, images))

    found = [estimate_difference(draw_arm(), draw_arm(), single(images)) for _ in range(600)]
    assert 0.02 <= np.mean([each.p < 0.05 for each in found]) <= 0.08
    assert np.mean([not each.low <= 0 <= each.high for each in found]) == np.mean([each.p < 0.05 for each in found])


def test_few_groups_make_it_cautious_rather_than_bold():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 0.02, (600, 2, 1, 3, 1)) + rng.normal(0, 0.02, (600, 2, 1, 3, 4))
    assert np.mean([estimate_difference(*variants, single(4)).p < 0.05 for variants in scores]) < 0.06


def test_a_true_difference_is_found():
    rng = np.random.default_rng(0)
    variants = [mean + rng.normal(0, 0.01, (1, 3, 1)) + rng.normal(0, 0.03, (1, 3, 24)) for mean in (0.85, 0.75)]
    assert estimate_difference(*variants, single(24)).p < 0.05


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.04: times 3, 2, 1, never decreasing, at most 1
    assert adjust_p_values([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert adjust_p_values([0.6, 0.5]) == [1.0, 1.0]
    assert adjust_p_values([0.01, float("nan")])[0] == pytest.approx(0.01)
    assert np.isnan(adjust_p_values([0.01, float("nan")])[1])


def test_ranks_are_correlated_as_spearman_did_with_shared_ranks():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 6, (2, 40)) / 7
    assert correlate_ranks(first, first + second) == pytest.approx(spearmanr(first, first + second).statistic)
    assert correlate_ranks(np.array([1.0, 2.0, 3.0]), np.array([1.0, 9.0, 10.0])) == pytest.approx(1)
    assert np.isnan(correlate_ranks(first, np.ones(40)))
