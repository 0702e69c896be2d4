"""Estimate differences between variants and their uncertainty, from scores per seed and image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit  # those of scipy.stats take more than a second to import


@dataclass(frozen=True)
class Interval:
    """An estimate, its 95 % interval, and the two-sided p of it being 0; NaN where there is nothing to estimate.

    With a single seed of a single group the spread is unknown: only the estimate is given.
    """

    estimate: float
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan


def sum_groups(scores: np.ndarray, groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and counts (S, G) of (S, I) scores, NaN where undefined, over the images of each group."""
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    member = np.zeros((scores.shape[1], index.max(initial=-1) + 1))
    member[np.arange(len(index)), index] = 1
    return np.nan_to_num(scores) @ member, (~np.isnan(scores)).astype(float) @ member


def estimate_mean(scores: np.ndarray, groups: Sequence[str]) -> Interval:
    """Return the mean of `scores` (S seeds, I images) and its interval over other seeds and groups of images.

    NaN scores are left out. With one seed the interval is of images only, with one group of seeds only.
    """
    return _estimate(_compute_influences(scores[None], groups))


def estimate_difference(first: np.ndarray, second: np.ndarray, groups: Sequence[str]) -> Interval:
    """Return the mean over `first` (V variants, S seeds, I images) minus that over `second` (W, S, I), with its p.

    Paired by seed and group. A variant's NaN scores are left out of its own mean, not of the other variants': where the
    target has no class, a prediction without one has no score, and a prediction with one scores 0.
    """
    known = ~np.isnan(np.concatenate([first, second])).all((0, 1))
    names = np.asarray(groups)[known].tolist()
    return _estimate(_compute_influences(first[..., known], names) - _compute_influences(second[..., known], names))


def _compute_influences(scores: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Return (S, G) values whose mean is that over the variants of `scores` (V, S, I) of each variant's mean.

    A variant's mean is a ratio: the sum of its scores over their number. Each value is that mean plus the influence
    of this seed and group on it (the linear approximation of the ratio). Without NaN, and with groups of equal size, it
    is the mean over variants and over the group's images.
    """
    variant_values = []
    for variant in scores:
        sums, counts = sum_groups(variant, groups)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = sums.sum() / counts.sum()
            variant_values.append(mean + (sums - mean * counts) * sums.size / counts.sum())
    return np.mean(variant_values, axis=0)


def _estimate(values: np.ndarray) -> Interval:
    """Return the mean of (S, G) values with the interval and p of Student's t, seeds and groups both being random.

    The variance of the mean is (MS_seeds + max(MS_groups - MS_rest, 0)) / (S G), of the mean squares of a two-way
    analysis of variance, with Satterthwaite's degrees of freedom: as for readers and cases in diagnostic
    studies (Dorfman, Berbaum and Metz 1992, in the form of Hillis 2007, groups counted as few).
    """
    seeds, groups = values.shape
    mean = float(values.mean()) if values.size else np.nan
    if values.size < 2 or np.isnan(mean):
        return Interval(mean)
    by_seed, by_group = values.mean(1), values.mean(0)
    rest = values - by_seed[:, None] - by_group + mean
    freedom = np.array([seeds - 1, groups - 1, (seeds - 1) * (groups - 1)])
    squares = np.array(
        [groups * ((by_seed - mean) ** 2).sum(), seeds * ((by_group - mean) ** 2).sum(), (rest**2).sum()]
    )
    of_seeds, of_groups, of_rest = squares / freedom.clip(1)
    between = max(of_groups - of_rest, 0.0)
    known = freedom > 0
    parts = np.array([of_seeds, of_groups, of_rest]) if between else np.array([of_seeds, 0.0, 0.0])
    spread = float(np.sqrt((of_seeds + between) / values.size))
    if spread <= 1e-12 * abs(mean):
        return Interval(mean, mean, mean, 1.0 if mean == 0 else np.nan)  # no spread to compare it with
    degrees = (of_seeds + between) ** 2 / (parts[known] ** 2 / freedom[known]).sum()
    reach = float(stdtrit(degrees, 0.975)) * spread
    return Interval(mean, mean - reach, mean + reach, float(2 * stdtr(degrees, -abs(mean) / spread)))


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's step-down correction (1979); NaN are no tests and stay NaN."""
    order = [index for index in np.argsort(p_values) if not np.isnan(p_values[index])]
    corrected, floor = [float("nan")] * len(p_values), 0.0
    for rank, index in enumerate(order):
        floor = max(floor, min(1.0, (len(order) - rank) * float(p_values[index])))
        corrected[index] = floor
    return corrected


RESAMPLES = 1000
"""Bootstrap samples: enough for the 2.5th and 97.5th percentiles."""
MOST_WEIGHTS = 2**22
"""Weights of groups that are in memory at once."""


def bootstrap_sums(sums: np.ndarray) -> np.ndarray:
    """Return (B, C): columns of `sums` (G groups, C) added up over B samples of G groups with replacement.

    The samples are the same for the same G.
    """
    groups = len(sums)
    rng = np.random.default_rng(0)
    at_once = max(1, MOST_WEIGHTS // groups)
    parts = []
    for start in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - start)
        parts.append(rng.multinomial(groups, np.full(groups, 1 / groups), size=size).astype(float) @ sums)
    return np.concatenate(parts)


def find_percentile_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5th and 97.5th percentiles (C,) of bootstrapped values (B, C).

    Samples without a value are left out; where these are more than 5 %, as for a class of few images, both are NaN.
    """
    rare = np.isnan(values).mean(0) > 0.05
    low, high = np.nanpercentile(np.where(rare, 0.0, values), [2.5, 97.5], axis=0)
    return np.where(rare, np.nan, low), np.where(rare, np.nan, high)


def correlate_ranks(first: np.ndarray, second: np.ndarray) -> float:
    """Return Spearman's rank correlation of two arrays (I,); NaN where one is constant."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(_rank(first), _rank(second))[0, 1])


def _rank(values: np.ndarray) -> np.ndarray:
    """Return the ranks of values (I,); equal values share the mean of their ranks."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[index]
