"""Write `report.html` of `segapp test`: scores with intervals, errors, and the images where they are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from segapp.metrics import Evaluation, describe_review
from segapp.report.cases import ERRORS, ERRORS_WITHOUT_BACKGROUND, Case
from segapp.report.evaluation_figures import (
    FEWEST_IMAGES,
    draw_calibration,
    draw_dependence,
    draw_distributions,
    find_lowest,
    list_causes,
    list_image_scores,
)
from segapp.report.evaluation_intervals import Intervals
from segapp.report.evaluation_tables import (
    describe_volumes,
    list_class_rows,
    list_confusions,
    list_review_rows,
    list_score_rows,
    list_volume_rows,
    make_confusion_cells,
)
from segapp.report.figures import render_svg, use_style
from segapp.report.markup import render_part
from segapp.report.page import (
    Page,
    encode_source,
    fold,
    format_code,
    format_facts,
    format_legend,
)
from segapp.report.pixels import ImageProperties
from segapp.report.tables import format_html
from segapp.spec import Spec

PAGE = "report.html"
MAX_ROWS = 12
"""Images, volumes and confusions that are listed; the files have all."""
MAX_MATRIX = 30
"""Classes of a confusion matrix that is shown in full."""

CASES_NOTE = {
    "worst": "The lowest scores of all images.",
    "median": "Scores near the median: what to expect.",
    "best": "The highest scores.",
}


@dataclass(frozen=True)
class PageContent:
    """Input of the page."""

    evaluation: Evaluation
    spec: Spec
    groups: Sequence[str]
    """Of every image."""
    intervals: Intervals
    volumes: Evaluation | None = None
    cases: Mapping[str, Sequence[Case]] = field(default_factory=dict)
    properties: Mapping[str, ImageProperties] = field(default_factory=dict)
    loss: float | None = None
    calibration: Mapping[str, Any] | None = None
    """That of metrics.json."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Further rows of the last table: checkpoint, versions, licence."""
    config: str = ""
    """The settings, as YAML."""


def write_page(folder: Path, content: PageContent) -> None:
    """Write `report.html` into `folder`."""
    evaluation = content.evaluation
    page = Page(f"Test: {len(evaluation.images)} images", _write_lead(content))
    _add_scores(page, content)
    page.add_section("Classes")
    page.add(format_html(list_class_rows(evaluation, content.intervals)))
    _add_confusion(page, evaluation)
    _add_cases(page, content)
    _add_images(page, content)
    _add_calibration(page, content)
    _add_review(page, content.evaluation)
    if content.volumes is not None:
        page.add_section("Volumes")
        page.add_text("The slices of a volume counted together; the lowest first. per_volume.csv has all.", note=True)
        page.add(format_html(list_volume_rows(content.volumes)[: MAX_ROWS + 1]))
    _add_data(page, content)
    page.add_section("Settings and versions")
    page.add(format_html([{"what": name, "value": value} for name, value in content.facts.items()], wrapped=["value"]))
    if content.config:
        page.add(fold("The settings of the network and the data", format_code(content.config)))
    page.write(folder / PAGE)


def _write_lead(content: PageContent) -> Markup:
    flat, groups = content.evaluation.flat, len(set(content.groups))
    facts = describe_volumes(content.volumes) | {"images": str(len(content.evaluation.images))}
    if groups != len(content.evaluation.images):
        facts["groups of images"] = str(groups)
    for name in ("dice/dataset", "iou/dataset", "dice/image"):
        facts[name] = "–" if math.isnan(flat[name]) else f"{flat[name]:.3f}"
    if content.loss is not None and not math.isnan(content.loss):
        facts["loss"] = f"{content.loss:.4f}"
    return format_facts(facts)


def _add_scores(page: Page, content: PageContent) -> None:
    page.add_section("Scores")
    brief, others = list_score_rows(content.evaluation, content.intervals)
    page.add(format_html(brief))
    units = "groups of images" if len(set(content.groups)) != len(content.evaluation.images) else "images"
    page.add_text(
        f"95 % intervals: percentiles of 1,000 bootstrap samples of the {units}. They do not hold what another "
        "training would change, and with fewer than 20 they are too narrow. docs/scores.md defines every score."
        if content.intervals
        else f"There are too few {units} for intervals. docs/scores.md defines every score.",
        note=True,
    )
    unit = content.evaluation.unit
    distances = f"in {unit.name}, by the size of the pixels that each file states" if unit.name else "in pixels"
    page.add_text(f"Surface Dice tolerates {unit}; distances between boundaries are {distances}.", note=True)
    background = content.evaluation.background
    if background is not None:
        page.add_text(
            f"Means over classes leave out the background, the class {content.evaluation.classes[background]}.",
            note=True,
        )
    if others:
        page.add(fold("All other scores", format_html(others)))


def _add_confusion(page: Page, evaluation: Evaluation) -> None:
    if not int(evaluation.confusion.sum()):
        return
    page.add_section("Confusion")
    if len(evaluation.classes) <= MAX_MATRIX:
        page.add(render_part("confusion", evaluation.classes, make_confusion_cells(evaluation.confusion.numpy())))
        page.add_text("Each row: where the pixels of a class were found, in percent of its pixels.", note=True)
    if rows := list_confusions(evaluation)[:MAX_ROWS]:
        page.add(fold("The largest confusions", format_html(rows)))


def _add_cases(page: Page, content: PageContent) -> None:
    if not any(content.cases.values()):
        return
    spec = content.spec
    page.add_section("Worst, median and best images")
    page.add_text("By the mean Dice over the classes of an image. Select a picture to enlarge it.", note=True)
    shown = [index for index in range(spec.num_classes) if index != spec.background]
    page.add(format_legend([(spec.classes[index], spec.palette[index]) for index in shown], "Classes:"))
    page.add(format_legend((ERRORS if spec.background is not None else ERRORS_WITHOUT_BACKGROUND).items(), "Errors:"))
    number = 0
    for kind, cases in content.cases.items():
        if cases:
            page.add(render_part("heading", kind.capitalize()))
            page.add_text(CASES_NOTE[kind], note=True)
        for case in cases:
            number += 1
            overlays = {name: encode_source(content, "png") for name, content in case.overlays.items()}
            page.add(render_part("case", f"case{number}", case, encode_source(case.image, "jpeg"), overlays))


def _add_images(page: Page, content: PageContent) -> None:
    evaluation = content.evaluation
    scores, names = list_image_scores(evaluation), [image.name for image in evaluation.images]
    page.add_section("Images")
    if len(names) >= FEWEST_IMAGES and not all(np.isnan(values).all() for values in scores.values()):
        with use_style():
            figure = draw_distributions(scores)
        page.add_figure(render_svg(figure, "distributions"), "Scores of single images; the line is their median.")
        causes = list_causes(evaluation, content.properties)
        if causes and np.ptp(np.nan_to_num(scores["dice"])) > 0:
            with use_style():
                figure = draw_dependence(scores["dice"], "dice", causes)
            page.add_figure(
                render_svg(figure, "dependence"),
                "Dice of each image against its properties. A correlation is no cause, and those of few images vary.",
            )
    lowest = find_lowest(scores["dice"].tolist(), names, MAX_ROWS)
    rows = [{"image": names[index], **{name: float(scores[name][index]) for name in scores}} for index in lowest]
    if rows:
        page.add_text("The lowest scores; per_image.csv has all images.", note=True)
        page.add(format_html(rows, wrapped=["image"]))


def _add_calibration(page: Page, content: PageContent) -> None:
    found = content.calibration
    if not found or not found["pixels"]:
        return
    page.add_section("Calibration")
    names = {"ece": "expected calibration error", "brier": "Brier score", "nll": "negative log-likelihood"}
    names |= {name: f"mean {name}" for name in ("confidence", "accuracy")}
    columns = {"value": found}
    if "without_temperature" in found:
        columns |= {f"without the temperature of {found['temperature']:.3g}": found["without_temperature"]}
    rows = [
        {"of pixels": words} | {column: values[name] for column, values in columns.items()}
        for name, words in names.items()
    ]
    page.add(format_html(rows))
    if len(content.evaluation.images) >= FEWEST_IMAGES:
        with use_style():
            figure = draw_calibration(found)
        page.add_figure(
            render_svg(figure, "calibration"),
            "Left: how often pixels of a confidence are right; on the diagonal probabilities are true. Bars: how many "
            "pixels there are. Right: the accuracy of the pixels of at least a confidence, against their fraction.",
        )
    page.add(fold("Accuracy above a confidence", format_html(found["coverage"])))


def _add_review(page: Page, evaluation: Evaluation) -> None:
    if len(evaluation.images) < FEWEST_IMAGES or (review := describe_review(evaluation)) is None:
        return
    page.add_section("Review")
    page.add(format_html(list_review_rows(review)))
    page.add_text(
        "If the images of the lowest mean confidence are looked at, as `segapp predict --flag_uncertain` lists them: "
        "which part of the wrong pixels lies in these images, beside that in as many images with most wrong "
        "pixels, and which part of the images of the lowest Dice is among them.",
        note=True,
    )


def _add_data(page: Page, content: PageContent) -> None:
    evaluation, spec = content.evaluation, content.spec
    rows = {"images": str(len(evaluation.images)), "groups": str(len(set(content.groups)))}
    if sizes := sorted({(one.height, one.width) for one in content.properties.values()}):
        ends = [f"{height} × {width}" for height, width in dict.fromkeys((sizes[0], sizes[-1]))]
        rows["height × width"] = " … ".join(ends)
    rows |= {
        "channels": str(spec.channels),
        "values": f"{spec.intensity.kind}, {spec.intensity.dtype}",
        "pixels that are scored": f"{int(evaluation.confusion.sum()):,}",
        "classes": ", ".join(spec.classes),
    }
    page.add_section("Data")
    page.add(format_html([{"what": name, "value": value} for name, value in rows.items()], wrapped=["value"]))
