"""Calibration: how well the probabilities of a network agree with how often it is right.

Everything is computed from integers that are summed over pixels, images and processes: numbers of pixels, and
probabilities, their squares and logarithms in fixed point. So the values are the same on any number of processes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segapp.metrics.score import average_over_classes

BINS = 15
"""Bins of equal width, as in Guo et al. 2017; a bin holds its lower limit, and the last one 1 too."""

FINE = 200
"""Narrow bins in each of them, of the probability of the predicted class."""

SCALE, LOG_SCALE = 2**28, 2**24
"""Units in 1, of probabilities and their squares, and of logarithms: means are exact to 1e-7."""

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)
"""Limits of narrow bins: the accuracy of the pixels above each is computed."""

_CHUNK = 1 << 21
"""Probabilities that are counted at a time."""


class CalibrationCounts(NamedTuple):
    """Sums over the pixels of images, int64; of bins: pixels, pixels of the class, sum of the probability."""

    top: Tensor
    """(3, BINS · FINE): by the probability of the predicted class, and whether it is right."""
    classes: Tensor
    """(3, K, BINS): by the probability of each class, and whether the pixel is of this class."""
    squares: Tensor
    """(K,): squared difference between the probability of a class and 1 or 0."""
    logs: Tensor
    """(): negative natural logarithm of the probability of the target class."""

    def add(self, other: "CalibrationCounts") -> "CalibrationCounts":
        """Return the sums of both."""
        return CalibrationCounts(*(one + two for one, two in zip(self, other, strict=True)))


def count_calibration(probabilities: Tensor, target: Tensor) -> CalibrationCounts:
    """Count the probabilities of the classes against the target, on the device of the probabilities.

    Args:
        probabilities: (K, …) float32, after softmax.
        target: (…) target class indices, 255 = ignore.

    Returns:
        The sums over the pixels that are not ignored, on the CPU.
    """
    classes = len(probabilities)
    probabilities, target = probabilities.flatten(1), target.flatten()
    total = _make_empty(classes)
    pixels = max(1, _CHUNK // classes)
    for chunk, labels in zip(probabilities.split(pixels, 1), target.split(pixels), strict=True):
        known = labels < classes  # not 255; the scores of classes refuse other values
        if not known.all():
            chunk, labels = chunk[:, known], labels[known]
        if len(labels):
            total = total.add(_count_chunk(chunk, labels.long()))
    return total


def merge_unlooked(probabilities: Tensor, looked_for: Tensor, background: int) -> Tensor:
    """Return (K, …) probabilities with those of the classes that were not looked for added to the background's."""
    merged = probabilities.clone()
    missing = ~looked_for.to(merged.device)
    merged[background] += merged[missing].sum(0)
    merged[missing] = 0
    return merged


def _make_empty(classes: int) -> CalibrationCounts:
    sizes: tuple[tuple[int, ...], ...] = ((3, BINS * FINE), (3, classes, BINS), (classes,), ())
    return CalibrationCounts(*(torch.zeros(size, dtype=torch.int64) for size in sizes))


def _count_chunk(probabilities: Tensor, target: Tensor) -> CalibrationCounts:
    """Count (K, n) probabilities against (n,) int64 classes."""
    own = probabilities.gather(0, target[None])
    errors = probabilities.scatter(0, target[None], own - 1)
    squares = errors.square_().mul_(SCALE).round_().sum(1, dtype=torch.float64).long()
    logs = _scale(-own.clamp(min=torch.finfo(torch.float32).tiny).log(), LOG_SCALE).sum()
    counted = _count_top(probabilities, target), _count_classes(probabilities, target), squares, logs
    return CalibrationCounts(*(each.cpu() for each in counted))


def _count_top(probabilities: Tensor, target: Tensor) -> Tensor:
    """Count by the probability of the predicted class, (3, BINS · FINE)."""
    best, label = probabilities.max(dim=0)
    return _count_bins(_find_bins(best, BINS * FINE), label == target, best, BINS * FINE)


def _count_classes(probabilities: Tensor, target: Tensor) -> Tensor:
    """Count by the probability of each class, (3, K, BINS).

    Most probabilities are in the lowest bin; it has what the others leave.
    """
    classes, pixels = probabilities.shape
    label, pixel = (probabilities >= 1 / BINS).nonzero(as_tuple=True)
    values = probabilities[label, pixel]
    index = label * BINS + _find_bins(values, BINS)
    counts = _count_bins(index, target[pixel] == label, values, classes * BINS).view(3, classes, BINS)
    sums = (probabilities * SCALE).round_().sum(1, dtype=torch.float64).long()  # exact, as all are integers
    known = torch.bincount(target, minlength=classes)
    counts[:, :, 0] = torch.stack([torch.full_like(known, pixels), known, sums]) - counts.sum(2)
    return counts


def _count_bins(index: Tensor, hits: Tensor, values: Tensor, size: int) -> Tensor:
    """Count what falls in each bin, and of it the hits, and add up the values: (3, size)."""
    added = torch.zeros(size, dtype=torch.int64, device=index.device)
    added.scatter_add_(0, index, _scale(values, SCALE))
    return torch.stack([torch.bincount(index, minlength=size), torch.bincount(index[hits], minlength=size), added])


def _find_bins(values: Tensor, bins: int) -> Tensor:
    return (values.double() * bins).long().clamp_(max=bins - 1)  # float64: the product of a float32 is exact


def _scale(values: Tensor, scale: int) -> Tensor:
    return (values * scale).round_().long()


def sum_by_temperature(parts: Iterable[Mapping[float, CalibrationCounts]]) -> dict[float, CalibrationCounts]:
    """Return the sums of the counts of each temperature."""
    total: dict[float, CalibrationCounts] = {}
    for part in parts:
        for temperature, counts in part.items():
            total[temperature] = counts if temperature not in total else total[temperature].add(counts)
    return total


def describe_calibration(
    counted: Mapping[float, CalibrationCounts], classes: Sequence[str], background: int | None
) -> dict[str, Any]:
    """Return what `metrics.json` says of calibration, in plain types; None where no pixel was counted.

    `without_temperature` is the same without the temperature of the network, where it has one.
    """
    temperature = next((each for each in sorted(counted) if each != 1), 1.0)
    described = {"temperature": temperature, **_describe(counted[temperature], classes, background)}
    if temperature != 1:
        described["without_temperature"] = _describe(counted[1.0], classes, background)
    return described


def _describe(counts: CalibrationCounts, classes: Sequence[str], background: int | None) -> dict[str, Any]:
    """Describe the counts of one temperature."""
    top = counts.top.view(3, BINS, FINE).sum(2)
    pixels, right, confidence = (int(each) for each in top.sum(1))
    errors = _compute_ece(counts.classes)
    squares = counts.squares.double() / SCALE / pixels
    by_class = {"ece": errors, "brier": squares}
    values = {"ece": _compute_ece(top), "brier": squares.sum()}
    values["classwise_ece"] = average_over_classes(errors, background)
    return {
        "pixels": pixels,
        "accuracy": _divide(right, pixels),
        "confidence": _divide(confidence, SCALE * pixels),
        "nll": _divide(int(counts.logs), LOG_SCALE * pixels),
        **{name: float(value) if pixels else None for name, value in values.items()},
        **{
            f"{name}_per_class": dict(zip(classes, each.tolist() if pixels else [None] * len(classes), strict=True))
            for name, each in by_class.items()
        },
        "reliability": _list_bins(top),
        "reliability_per_class": {name: _list_bins(counts.classes[:, index]) for index, name in enumerate(classes)},
        "coverage": [_describe_threshold(counts.top, threshold) for threshold in THRESHOLDS],
    }


def format_calibration(described: dict[str, Any]) -> str:
    """Format the main values of `describe_calibration` as one line, or two where the network has a temperature."""
    if not described["pixels"]:
        return "no pixel to score"
    if "without_temperature" in described:
        own = {key: value for key, value in described.items() if key != "without_temperature"}
        before = format_calibration(described["without_temperature"])
        return f"{before}\nwith the temperature {described['temperature']:.4g}: {format_calibration(own)}"
    values = (f"{name} {described[key]:.4f}" for name, key in (("ECE", "ece"), ("Brier", "brier"), ("NLL", "nll")))
    return f"{', '.join(values)}, mean confidence {described['confidence']:.4f}, accuracy {described['accuracy']:.4f}"


def _compute_ece(counts: Tensor) -> Tensor:
    """Compute the expected calibration error of (3, …, BINS) counts: |hits - sum of probabilities| / pixels, summed."""
    pixels, hits, sums = counts
    return (hits * SCALE - sums).abs().sum(-1).double() / SCALE / pixels.sum(-1)


def _list_bins(counts: Tensor) -> list[dict[str, Any]]:
    """List the bins of (3, BINS) counts: limits, pixels, mean probability, and how often it was right."""
    bins = []
    for index, (pixels, hits, sums) in enumerate(counts.T.tolist()):
        limits = {"from": index / BINS, "to": (index + 1) / BINS}
        bins.append(
            limits | {"pixels": pixels, "confidence": _divide(sums, SCALE * pixels), "accuracy": _divide(hits, pixels)}
        )
    return bins


def _describe_threshold(top: Tensor, threshold: float) -> dict[str, float | None]:
    """Return the fraction of the pixels with a probability of at least the threshold, and how many are right."""
    pixels, right, _ = top[:, round(threshold * BINS * FINE) :].sum(1).tolist()
    coverage = _divide(pixels, int(top[0].sum()))
    return {"confidence": threshold, "coverage": coverage, "accuracy": _divide(right, pixels)}


def _divide(above: int, below: int) -> float | None:
    return above / below if below else None
