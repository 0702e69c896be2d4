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
    sums, counts = group_sums(scores, groups)
    if counts.sum() == 0:
        return Interval(np.nan, np.nan, np.nan)
    rng = np.random.Generator(np.random.PCG64(seed))
    seeds, count = sums.shape
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), replicates).astype(float)
    of_groups = rng.multinomial(count, np.full(count, 1 / count), replicates).astype(float)
    total = np.einsum("rs,sg,rg->r", of_seeds, sums, of_groups, optimize=True)
    number = np.einsum("rs,sg,rg->r", of_seeds, counts, of_groups, optimize=True)
    means = total[number > 0] / number[number > 0]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def sign_flip_p(differences: np.ndarray, groups: Sequence[str]) -> tuple[float, float]:
    """Two-sided p of (S, I) differences under "either sign is as likely", per group of images; and the smallest p.

    The seeds are averaged first: the p says how surprising the difference is over other images, given these very
    seeds. With G groups no p can be below 2 / 2^G; beyond `EXACT_GROUPS` groups 10,000 changes of sign are drawn.
    """
    sums, counts = group_sums(differences, groups)
    present = counts.sum(0) > 0
    values = sums.sum(0)[present] / counts.sum()
    if not len(values):
        return np.nan, np.nan
    if len(values) == 1:  # both signs are equally far from zero
        return 1.0, 1.0
    exact = len(values) <= EXACT_GROUPS
    resamples = np.inf if exact else REPLICATES - 1
    rng = np.random.default_rng(0)
    test = permutation_test((values,), np.sum, permutation_type="samples", n_resamples=resamples, rng=rng)
    smallest = 2.0 ** (1 - len(values)) if exact else 2 / REPLICATES
    return float(test.pvalue), smallest


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979) for several tests; NaN are no tests and stay NaN."""
    order = [index for index in np.argsort(p_values) if not np.isnan(p_values[index])]
    corrected, floor = [float("nan")] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(order) - rank) * float(p_values[index])))
        corrected[index] = floor
    return corrected
