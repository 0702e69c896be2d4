"""Figures of a data set: sizes, classes, objects and intensities."""

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from segapp.batch import IGNORE_INDEX
from segapp.datasets.source import Item
from segapp.planning.fingerprint import Fingerprint
from segapp.report.figures import COLOURS, INK, make_figure
from segapp.terminal.text import for_plot

MAX_CLASSES = 40
"""Classes that are plotted, the most frequent ones."""
SMALL = 240
"""Pixels of the longer side up to which an image is enlarged."""


def draw_sizes(fingerprint: Fingerprint, sample: tuple[int, int] | None = None) -> Figure:
    """Draw widths against heights of the images, and of a sample, where one is chosen."""
    figure = make_figure(9, 3.6)
    axes = figure.subplots()
    sizes, counts = np.unique(fingerprint.sizes, axis=0, return_counts=True)
    area = 20 + 180 * counts / counts.max()
    axes.scatter(sizes[:, 1], sizes[:, 0], s=area, color=COLOURS[0], alpha=0.6, linewidths=0, label="images")
    if sample is not None:
        axes.scatter([sample[1]], [sample[0]], marker="+", s=120, color=COLOURS[1], label="sample")
    height, width = 1.15 * np.maximum(fingerprint.sizes.max(axis=0), sample or (0, 0))
    axes.set(xlabel="width, pixels", ylabel="height, pixels", xlim=(0, width), ylim=(0, height))
    axes.grid(alpha=0.2, color=INK)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure


def draw_classes(fingerprint: Fingerprint) -> Figure:
    """Draw the fraction of the pixels and of the images of each class."""
    order = np.argsort(-fingerprint.class_fractions, kind="stable")[:MAX_CLASSES]
    names = [for_plot(fingerprint.classes[index]) for index in order]
    figure = make_figure(9, 1.4 + 0.24 * len(order))
    pixels, images = figure.subplots(1, 2, sharey=True)
    fractions = np.maximum(fingerprint.class_fractions[order], 1e-6)
    pixels.barh(names, fractions, color=COLOURS[0])
    pixels.axvline(0.01, color=COLOURS[1], linestyle="--", linewidth=1)
    pixels.set(xscale="log", xlabel="fraction of the pixels (dashed: 1 %)")
    images.barh(names, fingerprint.images_with[order] / len(fingerprint.images), color=COLOURS[2])
    images.set(xlabel="fraction of the images", xlim=(0, 1))
    pixels.invert_yaxis()
    return figure


def draw_objects(fingerprint: Fingerprint, sample: tuple[int, int] | None = None) -> Figure:
    """Draw the distribution of the objects' lengths, class by class."""
    present = [index for index in range(len(fingerprint.classes)) if index != fingerprint.background]
    present = sorted(present, key=lambda index: -fingerprint.class_fractions[index])[: len(COLOURS)]
    figure = make_figure(9, 3.4)
    axes = figure.subplots()
    bins = np.geomspace(2, max(8.0, float(fingerprint.sizes.max())), 33)
    for index, colour in zip(present, COLOURS, strict=False):
        objects = [o for image in fingerprint.images for o in image.objects if o.class_index == index]
        if objects:
            extents, areas = (np.concatenate([getattr(o, key) for o in objects]) for key in ("extents", "areas"))
            heights, _ = np.histogram(extents, bins, weights=areas / areas.sum())
            axes.stairs(heights, bins, color=colour, linewidth=1.6, label=for_plot(fingerprint.classes[index]))
    if sample is not None:
        axes.axvline(max(sample), color=INK, linestyle="--", linewidth=1)
    axes.set(xscale="log", xlabel="longer side, pixels", ylabel="fraction of the area")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if axes.get_legend_handles_labels()[0]:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=9)
    return figure


def draw_intensities(fingerprint: Fingerprint) -> Figure:
    """Draw the histograms of values over all images: their median and quartiles."""
    figure = make_figure(9, 3)
    axes: Axes = figure.subplots()
    histograms = np.stack([image.histogram for image in fingerprint.images])
    centres = (np.arange(histograms.shape[1]) + 0.5) / histograms.shape[1]
    low, middle, high = np.percentile(histograms, [25, 50, 75], axis=0)
    axes.fill_between(centres, low, high, color=COLOURS[0], alpha=0.25, linewidth=0, label="half of the images")
    axes.plot(centres, middle, color=COLOURS[0], linewidth=2, label="median image")
    axes.plot(centres, histograms.mean(axis=0), color=COLOURS[1], linestyle="--", label="all pixels")
    axes.set(xlabel="value, in units of [0, 1]", ylabel="fraction of the values", xlim=(0, 1), ylim=(0, None))
    axes.legend()
    return figure


def draw_outlines(
    item: Item, palette: Sequence[tuple[int, int, int]], background: int | None, side: int
) -> tuple[np.ndarray, float]:
    """Draw an image with the outlines of its mask.

    Args:
        item: The image and its mask.
        palette: RGB 0 … 255, one colour per class.
        background: The class without outlines, if any.
        side: Pixels of the longer side of what is returned, at most; small images are enlarged, to be seen.

    Returns:
        (h, w, 3) uint8 RGB, and its scale: pixels of it per pixel of the image.
    """
    image = item.image.read()
    height, width, channels = image.shape
    longest, least = max(height, width), min(side, SMALL)
    factor = min(1.0, side / longest) if longest > least else least // longest
    size = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = image if image.dtype == np.uint8 else np.clip(image * 255, 0, 255).astype(np.uint8)
    pixels = pixels[..., :3] if channels >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    scaling = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    shown = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=scaling))
    if item.mask is not None:
        small = cv2.resize(item.mask.read(), size, interpolation=cv2.INTER_NEAREST)
        for index in np.unique(small):
            if index not in (IGNORE_INDEX, background):
                found, _ = cv2.findContours((small == index).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
                cv2.drawContours(shown, found, -1, palette[index], 1)
    return shown, factor
