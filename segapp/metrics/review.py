"""What a review of the least certain images finds: how many of the wrong pixels, and of the worst images.

Images are ordered by their mean confidence, the mean probability of the predicted class over all pixels, as
`segapp predict --flag_uncertain` orders them.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from segapp.metrics.evaluation import Evaluation
from segapp.metrics.score import average_over_classes

FRACTIONS = (0.05, 0.1, 0.2, 0.5)
"""Of the images: how many are reviewed."""

COVERAGES = tuple(round(1 - 0.05 * step, 2) for step in range(20))
"""Of the images: how many of the most certain are kept."""


class _Images(NamedTuple):
    """The images from the least to the most certain."""

    wrong: np.ndarray
    """(I,) int64: wrong pixels, of those that are scored."""
    pixels: np.ndarray
    """(I,) int64: scored pixels."""
    dice: np.ndarray
    """(I,) float64: the mean over the classes of the image; NaN where none is scored."""


def describe_review(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return what `metrics.json` says of a review, in plain types; None where the confidence of an image is unknown."""
    images = evaluation.images
    if not images or any(math.isnan(image.confidence) for image in images):
        return None
    order = sorted(range(len(images)), key=lambda index: (images[index].confidence, images[index].name))
    counts = evaluation.stacked[0].long().sum(2).numpy()[order]  # of `Overlap`, which comes first: tp, fp, fn
    dice = average_over_classes(evaluation.scores[0].measure(evaluation.stacked[0])["dice"], evaluation.background)
    found = _Images(counts[:, 2], counts[:, 0] + counts[:, 2], dice.numpy()[order])
    return {
        "images": len(images),
        "wrong_pixels": int(found.wrong.sum()),
        "reviewed": [_describe_reviewed(found, fraction) for fraction in FRACTIONS],
        "coverage": [_describe_kept(found, coverage) for coverage in COVERAGES],
    }


def format_review(described: dict[str, Any]) -> str:
    """Format `reviewed` of `describe_review` as a readable table."""
    lines = [
        "review of the images of the lowest mean confidence (as predict --flag_uncertain lists them):",
        f"  {'images':>14}  {'wrong pixels found':>20}  {'at most':>8}  {'worst images found':>20}",
    ]
    for one in described["reviewed"]:
        images = f"{one['fraction']:.0%} ({one['images']:,})"
        values = [_format_percent(one[key]) for key in ("wrong_pixels", "wrong_pixels_possible", "worst_images")]
        lines.append(f"  {images:>14}  {values[0]:>20}  {values[1]:>8}  {values[2]:>20}")
    return "\n".join(lines)


def _describe_reviewed(images: _Images, fraction: float) -> dict[str, Any]:
    """Return which fractions of the wrong pixels and of the worst images are among the least certain images.

    As many images count as worst as are reviewed: those of the lowest Dice. `wrong_pixels_possible` is what a review of
    the images with most wrong pixels would find.
    """
    count = _count(fraction, len(images.wrong))
    worst = [index for index in np.argsort(images.dice, kind="stable")[:count] if not math.isnan(images.dice[index])]
    total = int(images.wrong.sum())
    return {
        "fraction": fraction,
        "images": count,
        "wrong_pixels": _divide(int(images.wrong[:count].sum()), total),
        "wrong_pixels_possible": _divide(int(np.sort(images.wrong)[::-1][:count].sum()), total),
        "worst_images": _divide(sum(int(index) < count for index in worst), len(worst)),
    }


def _describe_kept(images: _Images, coverage: float) -> dict[str, Any]:
    """Return the accuracy over pixels and the mean Dice of the most certain images."""
    count = _count(coverage, len(images.wrong))
    wrong, pixels, dice = (each[-count:] for each in images)
    known = dice[~np.isnan(dice)]
    return {
        "coverage": coverage,
        "images": count,
        "accuracy": _divide(int((pixels - wrong).sum()), int(pixels.sum())),
        "dice": float(known.mean()) if len(known) else None,
    }


def _count(fraction: float, images: int) -> int:
    return math.ceil(fraction * images - 1e-9)  # 0.1 · 30 is a little above 3


def _divide(above: int, below: int) -> float | None:
    return above / below if below else None


def _format_percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
