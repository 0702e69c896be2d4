"""Write `plan.html`: figures of the measurements, and every decision with its reason."""

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segapp.batch import IGNORE_INDEX
from segapp.datasets.source import Item
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import Fingerprint
from segapp.planning.plan import Plan
from segapp.report.figures import COLOURS, INK, make_figure, render_svg, use_style
from segapp.report.page import Page, format_facts
from segapp.terminal.text import for_html, for_plot

MAX_SHOWN = 4
"""Images with their crops."""
MAX_SIDE = 320
"""Pixels of the longer side of an image in the page."""
MAX_CLASSES = 40
"""Classes that are plotted, the most frequent ones."""


def write_page(path: Path, plan: Plan, config: Path) -> None:
    """Write one HTML file with the figures and the decisions of a plan."""
    fingerprint = plan.fingerprint
    lead = (
        f"<p>What <code>segapp plan</code> measured for <code>{for_html(str(config))}</code>, and what it decided.</p>"
    )
    page = Page(f"Plan: {plan.name}", lead + format_facts(_list_facts(plan)))
    page.add_section("Sizes")
    with use_style():
        page.add_figure(
            render_svg(draw_sizes(fingerprint, plan.sizes.sample), "sizes"),
            _join_reasons(plan.decisions, "data.crop", "data.resize"),
        )
        page.add_section("Classes")
        page.add_figure(
            render_svg(draw_classes(fingerprint), "classes"),
            _join_reasons(plan.decisions, "model.loss", "data.oversample"),
        )
        page.add_section("Objects")
        page.add_figure(
            render_svg(draw_objects(fingerprint, plan.sizes.sample), "objects"),
            "Longer sides of connected regions; every region counts by its area. Dashed: the longer side of a sample.",
        )
        page.add_section("Intensities")
        page.add_figure(
            render_svg(draw_intensities(fingerprint), "values"),
            _join_reasons(plan.decisions, "data.source.init_args.intensity"),
        )
    page.add_section("What a sample sees")
    page.add_text(
        "The framed part of each image is one training sample; the outlines are those of its mask.", note=True
    )
    page.add(_show_samples(plan))
    page.add_section("Decisions")
    page.add(_list_decisions(plan.decisions))
    page.write(path)


def draw_sizes(fingerprint: Fingerprint, sample: tuple[int, int]) -> Figure:
    """Draw widths against heights of the images, and the sample."""
    figure = make_figure(6, 3.6)
    axes = figure.subplots()
    sizes, counts = np.unique(fingerprint.sizes, axis=0, return_counts=True)
    area = 20 + 180 * counts / counts.max()
    axes.scatter(sizes[:, 1], sizes[:, 0], s=area, color=COLOURS[0], alpha=0.6, linewidths=0, label="images")
    axes.scatter([sample[1]], [sample[0]], marker="+", s=120, color=COLOURS[1], label="sample")
    height, width = 1.15 * np.maximum(fingerprint.sizes.max(axis=0), sample)
    axes.set(xlabel="width, pixels", ylabel="height, pixels", xlim=(0, width), ylim=(0, height))
    axes.grid(alpha=0.2, color=INK)
    axes.legend(loc="lower left")
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


def draw_objects(fingerprint: Fingerprint, sample: tuple[int, int]) -> Figure:
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
    axes.axvline(max(sample), color=INK, linestyle="--", linewidth=1)
    axes.set(xscale="log", xlabel="longer side, pixels", ylabel="fraction of the area")
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


def draw_sample(item: Item, plan: Plan) -> np.ndarray:
    """Draw an image (h, w, 3) with the outlines of its mask and the frame of one sample in the middle."""
    assert item.mask is not None
    image, mask = item.image.read(), item.mask.read()
    factor = min(1.0, MAX_SIDE / max(mask.shape))
    size = max(1, round(mask.shape[1] * factor)), max(1, round(mask.shape[0] * factor))
    pixels = image if image.dtype == np.uint8 else np.clip(image * 255, 0, 255).astype(np.uint8)
    pixels = pixels[..., :3] if image.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    shown = np.ascontiguousarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    small = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    for index in np.unique(small):
        if index not in (IGNORE_INDEX, plan.fingerprint.background):
            outlines, _ = cv2.findContours((small == index).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(shown, outlines, -1, plan.source.palette[index], 1)
    if not plan.sizes.is_reduced:
        height, width = (round(side * factor) for side in plan.sizes.sample)
        top, left = (max(0, (length - side) // 2) for length, side in ((size[1], height), (size[0], width)))
        cv2.rectangle(shown, (left, top), (left + width - 1, top + height - 1), (255, 255, 255), 2)
    return shown


def _show_samples(plan: Plan) -> str:
    items = plan.source.items("train")
    chosen = (
        [items[number * len(items) // MAX_SHOWN] for number in range(MAX_SHOWN)]
        if len(items) > MAX_SHOWN
        else list(items)
    )
    figures = [_embed_pixels(draw_sample(item, plan), item.name) for item in chosen]
    return f'<div class="samples">{"".join(figures)}</div>'


def _embed_pixels(pixels: np.ndarray, name: str) -> str:
    data = base64.b64encode(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()).decode()
    words = for_html(name)
    return (
        f'<figure style="display:inline-block;margin:.4rem"><img alt="{words}" src="data:image/png;base64,{data}">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _list_facts(plan: Plan) -> dict[str, str]:
    fingerprint = plan.fingerprint
    return {
        "images": str(fingerprint.total),
        "classes": str(len(fingerprint.classes)),
        "a sample": f"{plan.sizes.sample[0]} × {plan.sizes.sample[1]}",
        "samples a step": str(plan.sizes.batch_size),
        "levels": str(plan.sizes.levels),
        "measured on": plan.machine.name,
    }


def _join_reasons(decisions: Sequence[Decision], *settings: str) -> str:
    return " ".join(decision.reason for decision in decisions if decision.setting in settings and decision.reason)


def _list_decisions(decisions: Sequence[Decision]) -> str:
    rows = "".join(
        f'<tr><td>{for_html(decision.setting)}</td><td style="white-space:normal">{for_html(decision.reason)}</td></tr>'
        for decision in decisions
        if decision.reason
    )
    head = "<thead><tr><th>setting</th><th>why</th></tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{rows}</tbody></table></div>'
