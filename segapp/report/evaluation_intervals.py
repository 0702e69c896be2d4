"""Bootstrap intervals of the scores of an evaluation, over images or groups of them."""

from collections.abc import Sequence

import numpy as np
import torch

from segapp.metrics import Evaluation, average_over_classes
from segapp.report.statistics import bootstrap_sums, find_percentile_interval

FEWEST_GROUPS = 5
"""Of fewer images or groups no interval is given."""

Intervals = dict[str, tuple[float, float]]
"""The ends of the 95 % interval of each score, by its name in metrics.json."""


def estimate_intervals(evaluation: Evaluation, groups: Sequence[str]) -> Intervals:
    """Return 95 % percentile intervals of `<measure>/dataset` and `<measure>/image`, and of each of their classes.

    Groups are sampled with replacement; then `dataset` is computed from the summed counts, and `image` from all images
    of the sampled groups. Intervals that are not known are left out.

    Args:
        evaluation: The scores.
        groups: The group of every image, in the order of `evaluation.images`.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < FEWEST_GROUPS:
        return {}
    columns = _list_columns(evaluation)
    flat = np.concatenate(list(columns.values()), axis=1)
    sums = np.zeros((len(names), flat.shape[1]))
    np.add.at(sums, index, flat)
    whole, resampled = sums.sum(0, keepdims=True), bootstrap_sums(sums)
    ends = np.cumsum([0, *(values.shape[1] for values in columns.values())])
    parts = {name: slice(start, stop) for name, start, stop in zip(columns, ends, ends[1:], strict=False)}
    values = _reduce(evaluation, {name: resampled[:, part] for name, part in parts.items()})
    expected = _reduce(evaluation, {name: whole[:, part] for name, part in parts.items()})
    intervals: Intervals = {}
    for name, found in values.items():
        labels = [name, *(f"{name}/{label}" for label in evaluation.classes)]
        known = [evaluation.flat.get(label, np.nan) for label in labels]
        if not np.allclose(expected[name][0], known, rtol=1e-6, atol=1e-9, equal_nan=True):
            continue  # a score that is reduced in another way
        for label, low, high in zip(labels, *find_percentile_interval(found), strict=True):
            if not np.isnan(low):
                intervals[label] = float(low), float(high)
    return intervals


def _list_columns(evaluation: Evaluation) -> dict[str, np.ndarray]:
    """List what is summed over images: (I, columns · K) rows of scores, (I, 2 · (K + 1)) values and where they are."""
    columns: dict[str, np.ndarray] = {}
    for number, (score, rows) in enumerate(zip(evaluation.scores, evaluation.stacked, strict=True)):
        if any(f"{name}/dataset" in evaluation.values for name in score.measures):
            columns[f"rows {number}"] = rows.double().nan_to_num().flatten(1).numpy()
        for name, values in score.measure(rows).items():
            means = average_over_classes(values, evaluation.background)
            both = torch.cat([means[:, None], values], dim=1).numpy()
            columns[f"{name}/image"] = np.concatenate([np.nan_to_num(both), ~np.isnan(both)], axis=1)
    return columns


def _reduce(evaluation: Evaluation, sums: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Reduce sums of B samples to (B, 1 + K) values by name: the mean over classes, then every class."""
    reduced: dict[str, np.ndarray] = {}
    for name, values in sums.items():
        if name in evaluation.values:
            total, count = np.split(values, 2, axis=1)
            with np.errstate(invalid="ignore"):
                reduced[name] = total / count
    for number, score in enumerate(evaluation.scores):
        if f"rows {number}" not in sums:
            continue
        rows = torch.from_numpy(sums[f"rows {number}"]).reshape(-1, len(score.columns), len(evaluation.classes))
        for measure, per_class in score.measure(rows).items():
            if f"{measure}/dataset" in evaluation.values:
                mean = average_over_classes(per_class, evaluation.background)
                reduced[f"{measure}/dataset"] = torch.cat([mean[:, None], per_class], dim=1).numpy()
    return reduced
