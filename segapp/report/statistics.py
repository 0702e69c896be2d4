"""How sure a difference between arms is, from scores per seed and image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import permutation_test

REPLICATES = 10_000
EXACT_GROUPS = 13
"""Up to so many groups all sign changes are tried (2^13 = 8192)."""


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval; NaN where there is nothing to estimate."""

    estimate: float
    low: float
    high: float


def group_sums(scores: np.ndarray, groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(S, I) scores, NaN where undefined → sums and counts (S, G) over the images of each group."""
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    member = np.zeros((scores.shape[1], place.max(initial=-1) + 1))
    member[np.arange(len(place)), place] = 1
    return np.nan_to_num(scores) @ member, (~np.isnan(scores)).astype(float) @ member


def hierarchical_bootstrap(
    scores: np.ndarray, groups: Sequence[str], replicates: int = REPLICATES, seed: int = 0
) -> Interval:
    """The mean of `scores` (S seeds, I images) and its 95 % percentile interval over seeds and groups of images.

    Every replicate draws seeds with replacement, and groups of images with replacement; all drawn seeds see the same
    drawn groups, as all were scored on the same images. (Were groups drawn anew under each seed, what an image does to
    every seed alike would average out, and the interval would be too short: Owen 2007, "The pigeonhole bootstrap".)
    NaN scores are left out. With one seed the interval speaks of images only, with one group of seeds only.
    """
    estimate, means = _means(scores[None], groups, replicates, seed)
    return _interval(float(estimate[0]), means[:, 0])


def difference(
    ours: np.ndarray, theirs: np.ndarray, groups: Sequence[str], replicates: int = REPLICATES, seed: int = 0
) -> Interval:
    """The mean of the arms `ours` (A, S seeds, I images) minus that of `theirs` (B, S, I), and its interval as above.

    Paired: in a replicate all arms see the same drawn seeds and groups. An arm's own NaN scores are left out of its
    own mean, not of the others': where no class is there to be found, finding none has no score, finding one has 0.
    """
    estimate, means = _means(np.concatenate([ours, theirs]), groups, replicates, seed)
    signs = np.concatenate([np.full(len(ours), 1 / len(ours)), np.full(len(theirs), -1 / len(theirs))])
    return _interval(float(estimate @ signs), means @ signs)


def _means(scores: np.ndarray, groups: Sequence[str], replicates: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(A, S, I) → the mean of every arm (A,) and those of every replicate (R, A); NaN where nothing is defined."""
    sums, counts = map(np.stack, zip(*(group_sums(arm, groups) for arm in scores), strict=True))
    rng = np.random.Generator(np.random.PCG64(seed))
    _, seeds, count = sums.shape
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), replicates).astype(float)
    of_groups = rng.multinomial(count, np.full(count, 1 / count), replicates).astype(float)
    total, number = (np.einsum("rs,asg,rg->ra", of_seeds, part, of_groups, optimize=True) for part in (sums, counts))
    with np.errstate(invalid="ignore"):
        return sums.sum((1, 2)) / counts.sum((1, 2)), total / number


def _interval(estimate: float, replicates: np.ndarray) -> Interval:
    if np.isnan(estimate):
        return Interval(np.nan, np.nan, np.nan)
    low, high = np.nanquantile(replicates, [0.025, 0.975])
    return Interval(estimate, float(low), float(high))


def swap_p(ours: np.ndarray, theirs: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    """Two-sided p of (A, S, I) against (B, S, I) under "which side is which does not matter"; and the smallest p.

    Per group of images the two sides change places, in all ways; without NaN that is the sign-flip test of the
    groups' differences. Seeds and the arms of a side are averaged first: the p says how surprising the difference is
    over other images, given these very seeds. With G groups that have a score no p can be below 2 / 2^G; beyond
    `EXACT_GROUPS` groups 10,000 exchanges are drawn.
    """
    sums, counts = [], []
    for side in (ours, theirs):
        found = [group_sums(arm, groups) for arm in side]
        sums.append(np.mean([one.sum(0) for one, _ in found], axis=0))
        counts.append(np.mean([one.sum(0) for _, one in found], axis=0))
    present = counts[0] + counts[1] > 0
    total, number = (np.concatenate([part[present] for part in side]) for side in (sums, counts))
    size = int(present.sum())
    if not counts[0].sum() or not counts[1].sum():
        return np.nan, np.nan
    if size == 1:  # both ways are equally far from zero
        return 1.0, 1.0

    def apart(one: np.ndarray, other: np.ndarray, axis: int) -> np.ndarray:
        """The difference of both sides' means; a side that is left without a score is infinitely far."""
        with np.errstate(divide="ignore", invalid="ignore"):
            means = [total[side].sum(axis) / number[side].sum(axis) for side in (one, other)]
        return np.nan_to_num(means[0], nan=np.inf) - np.nan_to_num(means[1], nan=np.inf)

    exact = size <= EXACT_GROUPS
    test = permutation_test(
        (np.arange(size), size + np.arange(size)),
        apart,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf if exact else REPLICATES - 1,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue), 2.0 ** (1 - size) if exact else 2 / REPLICATES


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979) for several tests; NaN are no tests and stay NaN."""
    order = [index for index in np.argsort(p_values) if not np.isnan(p_values[index])]
    corrected, floor = [float("nan")] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(order) - rank) * float(p_values[index])))
        corrected[index] = floor
    return corrected
