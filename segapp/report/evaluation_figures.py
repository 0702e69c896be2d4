"""Draw the figures of an evaluation: how scores are distributed over images, and what they depend on."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from segapp.metrics import Evaluation, average_over_classes
from segapp.report.figures import COLOURS, INK, make_figure
from segapp.report.pixels import ImageProperties
from segapp.report.statistics import correlate_ranks
from segapp.terminal.text import for_plot

FEWEST_IMAGES = 8
"""With fewer images the figures show nothing that the tables do not."""
MOST_VECTORS = 600
"""Points that are drawn as vectors; more make the page large."""

Columns = Mapping[str, np.ndarray]
"""Values of every image (I,) by name."""


def list_image_scores(evaluation: Evaluation) -> dict[str, np.ndarray]:
    """List the scores of every image (I,), each the mean over its classes; NaN without one. Only those in brief."""
    found: dict[str, np.ndarray] = {}
    for score, rows in zip(evaluation.scores, evaluation.stacked, strict=True):
        if score.in_brief:
            for name, values in score.measure(rows).items():
                found[name] = average_over_classes(values, evaluation.background).numpy()
    return found


def list_causes(evaluation: Evaluation, properties: Mapping[str, ImageProperties]) -> dict[str, np.ndarray]:
    """List what the score of an image may depend on (I,): sizes, share of the classes, brightness and contrast.

    What is the same for all images, or unknown, is left out.
    """
    tables = dict(zip((score.columns for score in evaluation.scores), evaluation.stacked, strict=True))
    counted = [index for index in range(len(evaluation.classes)) if index != evaluation.background]
    counts = next(rows for columns, rows in tables.items() if columns == ("tp", "fp", "fn")).double().numpy()
    area, pixels = (counts[:, 0] + counts[:, 2])[:, counted].sum(1), (counts[:, 0] + counts[:, 2]).sum(1)
    causes: dict[str, np.ndarray] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for columns, rows in tables.items():
            if "objects" in columns:
                number = rows[:, columns.index("objects"), counted].nansum(1).numpy()
                causes["mean size of its objects, pixels"] = area / number
                causes["number of its objects"] = number
        if evaluation.background is not None:
            causes["fraction that is not background"] = area / pixels
    known = [properties.get(image.name) for image in evaluation.images]
    if all(known):
        image = np.array(known, float)
        causes |= {"its pixels": image[:, 0] * image[:, 1], "brightness": image[:, 2], "contrast": image[:, 3]}
    return {name: values for name, values in causes.items() if _varies(values)}


def _varies(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return len(finite) >= FEWEST_IMAGES and float(np.ptp(finite)) > 1e-6 * float(np.abs(finite).max())


def draw_distributions(scores: Columns) -> Figure:
    """Draw the histogram of every score over the images, with its median."""
    panels = {name: values[~np.isnan(values)] for name, values in scores.items()}
    panels = {name: values for name, values in panels.items() if len(values)}
    figure = make_figure(10, 2.6 * math.ceil(len(panels) / 4))
    shape = math.ceil(len(panels) / 4), min(4, len(panels))
    axes = np.atleast_1d(figure.subplots(*shape)).ravel()
    for one, (name, values) in zip(axes, panels.items(), strict=False):
        inside = (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else None
        one.hist(values, bins=25, range=inside, color=COLOURS[0], alpha=0.85)
        one.axvline(float(np.median(values)), color=COLOURS[1], linewidth=1.6)
        one.set_title(for_plot(name), fontsize=10)
        one.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        one.tick_params(labelsize=8)
    for one in axes[len(panels) :]:
        one.remove()
    axes[0].set_ylabel("images")
    return figure


def draw_dependence(score: np.ndarray, name: str, causes: Columns) -> Figure:
    """Draw the score of every image (I,) against each of `causes`, with Spearman's rank correlation."""
    down = math.ceil(len(causes) / 3)
    figure = make_figure(10, 2.7 * down)
    axes = np.atleast_1d(figure.subplots(down, min(3, len(causes)), sharey=True)).ravel()
    for one, (cause, values) in zip(axes, causes.items(), strict=False):
        known = np.isfinite(values) & np.isfinite(score)
        x, y = values[known], score[known]
        one.scatter(x, y, s=12, color=COLOURS[0], alpha=0.5, linewidths=0, rasterized=len(x) > MOST_VECTORS)
        if len(x) and x.min() > 0 and x.max() > 20 * x.min():
            one.set_xscale("log")
            one.xaxis.set_minor_formatter(NullFormatter())  # labels of a short axis would overlap
        else:
            one.xaxis.set_major_locator(MaxNLocator(4))
        one.set_title(format_correlation(correlate_ranks(x, y)), fontsize=9)
        one.set_xlabel(cause, fontsize=9)
        one.tick_params(labelsize=8)
        one.grid(alpha=0.2, color=INK)
    for one in axes[len(causes) :]:
        one.remove()
    axes[0].set_ylabel(for_plot(name))
    return figure


def format_correlation(value: float) -> str:
    """Format a rank correlation."""
    return "" if math.isnan(value) else f"rank correlation {value:+.2f}"


def find_lowest(scores: Sequence[float], names: Sequence[str], number: int) -> list[int]:
    """Find the positions of the lowest scores, of equal ones the first names; those without a score are left out."""
    known = [index for index, score in enumerate(scores) if not math.isnan(score)]
    return sorted(known, key=lambda index: (scores[index], names[index]))[:number]


def draw_calibration(calibration: Mapping[str, Any]) -> Figure:
    """Draw the reliability diagram, and accuracy against coverage, from the numbers of metrics.json."""
    figure = make_figure(9, 3.2)
    left, right = figure.subplots(1, 2)
    bins = [one for one in calibration["reliability"] if one["pixels"]]
    pixels = np.array([one["pixels"] for one in bins], float)
    width = 1 / len(calibration["reliability"])
    left.bar([one["from"] for one in bins], pixels / pixels.sum(), width, align="edge", color=INK, alpha=0.15)
    left.plot([0, 1], [0, 1], ":", color=INK, linewidth=0.8)
    confidence, accuracy = ([one[key] for one in bins] for key in ("confidence", "accuracy"))
    left.plot(confidence, accuracy, "o-", color=COLOURS[0], markersize=4)
    left.set(xlabel="confidence", ylabel="accuracy; fraction of the pixels", xlim=(0, 1), ylim=(0, 1))
    steps = [{"coverage": 1.0, "accuracy": calibration["accuracy"]}, *calibration["coverage"]]
    steps = [one for one in steps if one["coverage"] and one["accuracy"] is not None]
    right.plot(
        [one["coverage"] for one in steps], [one["accuracy"] for one in steps], "o-", color=COLOURS[0], markersize=4
    )
    right.set(xlabel="fraction of the pixels", ylabel="accuracy")
    right.grid(alpha=0.2, color=INK)
    return figure
