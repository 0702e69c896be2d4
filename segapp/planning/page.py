"""Write `plan.html`: figures of the measurements, and every decision with its reason."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from segapp.datasets.source import Item
from segapp.planning.decisions import Decision
from segapp.planning.figures import draw_classes, draw_intensities, draw_objects, draw_outlines, draw_sizes
from segapp.planning.plan import Plan
from segapp.report.figures import render_svg, use_style
from segapp.report.page import Page, arrange_samples, embed_pixels, format_facts, format_text
from segapp.report.tables import format_html

MAX_SHOWN = 4
"""Images with their crops."""
MAX_SIDE = 320
"""Pixels of the longer side of an image in the page."""


def write_page(path: Path, plan: Plan, config: Path) -> None:
    """Write one HTML file with the figures and the decisions of a plan."""
    fingerprint = plan.fingerprint
    lead = format_text(f"What segapp plan measured for {config}, and what it decided.")
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
    page.add_text(_describe_samples(plan), note=True)
    page.add(show_samples(plan))
    page.add_section("Decisions")
    page.add(_list_decisions(plan.decisions))
    page.write(path)


def draw_sample(item: Item, plan: Plan) -> np.ndarray:
    """Draw an image (h, w, 3) with the outlines of its mask and the frame of one sample in the middle."""
    shown, factor = draw_outlines(item, plan.source.palette, plan.fingerprint.background, MAX_SIDE)
    if not plan.sizes.is_reduced:
        height, width = (round(side * factor) for side in plan.sizes.sample)
        top, left = (max(0, (length - side) // 2) for length, side in zip(shown.shape, (height, width), strict=False))
        cv2.rectangle(shown, (left, top), (left + width - 1, top + height - 1), (255, 255, 255), 2)
    return shown


def _describe_samples(plan: Plan) -> str:
    sample = "Each image, reduced," if plan.sizes.is_reduced else "The framed part of each image"
    return f"{sample} is one training sample; the outlines are those of its mask."


def show_samples(plan: Plan) -> Markup:
    """Show training images from all parts of the data, with objects if some have any."""
    filled = {image.name for image in plan.fingerprint.images if image.objects}
    items = plan.source.items("train")
    items = [item for item in items if item.name in filled] or items
    chosen = (
        [items[number * len(items) // MAX_SHOWN] for number in range(MAX_SHOWN)]
        if len(items) > MAX_SHOWN
        else list(items)
    )
    return arrange_samples([embed_pixels(draw_sample(item, plan), item.name) for item in chosen])


def _list_facts(plan: Plan) -> dict[str, str]:
    fingerprint = plan.fingerprint
    return {
        "images, without the test": str(fingerprint.total),
        "classes": str(len(fingerprint.classes)),
        "a sample": f"{plan.sizes.sample[0]} × {plan.sizes.sample[1]}",
        "samples a step": str(plan.sizes.batch_size),
        "levels": str(plan.sizes.levels),
        "measured on": plan.machine.name,
    }


def _join_reasons(decisions: Sequence[Decision], *settings: str) -> str:
    return " ".join(decision.reason for decision in decisions if decision.setting in settings and decision.reason)


def _list_decisions(decisions: Sequence[Decision]) -> Markup:
    rows = [{"setting": decision.setting, "why": decision.reason} for decision in decisions if decision.reason]
    return format_html(rows, wrapped=["why"])
