"""`check.html`: what was found in a data set, with the images it was found in."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from markupsafe import Markup

from segapp.checking.contradictions import Contradiction
from segapp.checking.data_set import DataSet
from segapp.datasets.problems import Problem
from segapp.datasets.source import SPLITS, Item, Source
from segapp.errors import SegappError
from segapp.planning.figures import draw_classes, draw_intensities, draw_objects, draw_outlines, draw_sizes
from segapp.planning.fingerprint import Fingerprint
from segapp.report.figures import render_svg, use_style
from segapp.report.page import Page, arrange_samples, embed_pixels, format_facts, format_legend, format_text
from segapp.report.tables import format_html
from segapp.spec import find_volume_name

TITLES = {
    "layout": "Files and folders",
    "name": "Names",
    "mask missing": "Images without a mask",
    "image missing": "Masks without an image",
    "group": "Groups",
    "split": "Split",
    "image": "Images",
    "mask": "Masks",
    "class": "Classes",
    "duplicate": "Duplicates",
    "leak": "Training images among those that are scored",
    "alignment": "Masks that may not belong to their image",
}
SHOWN = 12
"""Images that are drawn of one kind of problem."""
EXAMPLES = 8
"""Images that are drawn where nothing is wrong with them."""
LISTED = 200
"""Problems that are listed of one kind; `check.json` has all."""
SIDE = 320
"""Pixels of the longer side of an image in the page."""


@dataclass(frozen=True)
class PredictedMask:
    """What a network sees in an image, as the mask of an item."""

    classes: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Height, width."""
        height, width = self.classes.shape
        return height, width

    def read(self) -> np.ndarray:
        """Return (H, W) uint8 class indices."""
        return self.classes

    def read_window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        """Return (h, w), a view."""
        return self.classes[y : y + h, x : x + w]


def write_page(
    path: Path,
    name: str,
    source: Source,
    data: DataSet,
    problems: Sequence[Problem],
    contradictions: Sequence[tuple[Contradiction, np.ndarray]] = (),
) -> None:
    """Write one HTML file with every finding and the figures of the data set.

    Args:
        path: The file.
        name: Of the data set.
        source: The data set.
        data: What was found in its images.
        problems: All problems.
        contradictions: What a network contradicts most, with its classes (H, W) uint8 of each of these images.
    """
    errors = sum(problem.severity == "error" for problem in problems)
    counts: dict[str, str] = {split: str(len(data.of(split))) for split in SPLITS}
    facts: dict[str, str] = {"errors": str(errors), "warnings": str(len(problems) - errors), **counts}
    verdict = (
        "Training would go wrong as it is: see the errors below."
        if errors
        else "Nothing stops a training."
        if problems
        else "Nothing was found that is wrong."
    )
    legend = format_legend(zip(source.classes, source.palette, strict=True), "Outlines of masks:")
    page = Page(f"Check: {name}", format_text(verdict) + format_facts(facts) + legend)
    items = {item.name: item for members in source.checkable_items().values() for item in members}
    by_kind: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_kind[problem.kind].append(problem)
    for kind, title in TITLES.items():
        if by_kind[kind]:
            page.add_section(title)
            page.add(_format_problems(by_kind[kind]))
            page.add(_draw_suspects(by_kind[kind], items, source))
    if contradictions:
        _add_contradictions(page, contradictions, items, source)
    _add_examples(page, data, items, source)
    described = tuple(one.described for one in data.described if one.described is not None)
    if described:
        _add_figures(page, Fingerprint(data.classes, data.background, described, len(data.facts)))
    page.write(path)


def _format_problems(problems: Sequence[Problem]) -> Markup:
    rows = [{"severity": problem.severity, "found": problem.message} for problem in problems[:LISTED]]
    more = format_text(f"and {len(problems) - LISTED} more") if len(problems) > LISTED else Markup()
    return format_html(rows, wrapped=["found"]) + more


def _draw_suspects(problems: Sequence[Problem], items: Mapping[str, Item], source: Source) -> Markup:
    """Draw the images that problems name, with the outlines of their masks; what cannot be read is left out."""
    names = list(dict.fromkeys(name for problem in problems for name in problem.items if name in items))
    seen: Counter[str] = Counter()
    order: dict[str, int] = {}
    for name in names:  # a slice of every volume before the second of one
        volume = find_volume_name(name) or name
        order[name] = seen[volume]
        seen[volume] += 1
    return _draw_items([items[name] for name in sorted(names, key=order.__getitem__)[:SHOWN]], source)


def _draw_items(items: Sequence[Item], source: Source) -> Markup:
    figures = []
    for item in items:
        try:
            pixels, _ = draw_outlines(item, source.palette, source.background, SIDE)
        except SegappError:
            continue  # its problem is listed
        figures.append(embed_pixels(pixels, item.name))
    return arrange_samples(figures)


def _add_examples(page: Page, data: DataSet, items: Mapping[str, Item], source: Source) -> None:
    """Show images with their masks, evenly over those that hold objects: most errors are seen at once."""
    held = [one.name for one in data.described if one.described is not None and (one.described.counts > 0).sum() > 1]
    if not held:
        return
    step = max(1.0, len(held) / EXAMPLES)
    page.add_section("Masks on their images")
    page.add_text("Look whether the outlines follow what they should.", note=True)
    page.add(_draw_items([items[held[int(number * step)]] for number in range(min(EXAMPLES, len(held)))], source))


def _add_contradictions(
    page: Page, contradictions: Sequence[tuple[Contradiction, np.ndarray]], items: Mapping[str, Item], source: Source
) -> None:
    page.add_section("Masks that the network contradicts most confidently")
    page.add_text(
        "Left the mask, right the network's prediction. Either may be wrong; the images that the network was trained "
        "on, errors too, are contradicted less.",
        note=True,
    )
    pairs = []
    for one, classes in contradictions:
        item = items[one.name]
        seen = replace(item, mask=PredictedMask(classes))
        sides = [draw_outlines(each, source.palette, source.background, SIDE)[0] for each in (item, seen)]
        gap = np.full((sides[0].shape[0], 4, 3), 255, np.uint8)
        pairs.append(
            embed_pixels(np.concatenate([sides[0], gap, sides[1]], axis=1), describe_contradiction(one, source.classes))
        )
    page.add(arrange_samples(pairs))


def describe_contradiction(one: Contradiction, classes: Sequence[str]) -> str:
    """Return where the network contradicts a mask most, in one phrase."""
    region = one.region
    row, column = region.centre
    return (
        f"{one.name}: {one.fraction:.1%} of the pixels; {classes[region.labelled]} in the mask, "
        f"{classes[region.predicted]} for the network around row {row}, column {column} ({region.area} pixels)"
    )


def _add_figures(page: Page, fingerprint: Fingerprint) -> None:
    page.add_section("What the data are like")
    sizes = np.unique(fingerprint.sizes, axis=0)
    with use_style():
        if len(sizes) > 1:
            page.add_figure(
                render_svg(draw_sizes(fingerprint), "sizes"),
                "Sizes of the images; a disc is as large as its size is frequent.",
            )
        else:
            page.add_text(f"All images have {sizes[0][0]} x {sizes[0][1]} pixels (height x width).")
        for figure, name, caption in (
            (draw_classes(fingerprint), "classes", "How much of the pixels and of the images each class has."),
            (draw_objects(fingerprint), "objects", "Longer sides of connected regions; each counts by its area."),
            (draw_intensities(fingerprint), "values", "Values as a network sees them, before normalisation."),
        ):
            page.add_figure(render_svg(figure, name), caption)
