"""Write the page of a study, its tables and figures, from files on the disk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from segapp.lab.gradient_flow import figures as flow
from segapp.lab.landscape.figures import draw_contours, draw_lines, draw_surfaces, make_sharpness_row
from segapp.lab.landscape.numbers import read_landscape
from segapp.lab.study.effects import (
    P_RUNS,
    Question,
    TableRow,
    find_best_losses,
    make_contrast_rows,
    make_image_rows,
    make_run_rows,
    make_variant_rows,
)
from segapp.report import figures
from segapp.report.examples import add_examples
from segapp.report.gradient_flow_table import FlowTable
from segapp.report.page import Page, embed_image, format_facts, format_text
from segapp.report.results import Result, assign_groups, compute_nan_mean, find_common_images, list_scores, name_score
from segapp.report.tables import format_html, write_csv, write_tex

PAGE = "report.html"

STATISTICS_NOTE = (
    "Differences are paired by seed and group of images. Intervals (95 %) and p are those of Student's t, seeds and "
    "groups of images both taken as samples of others (a two-way analysis of variance with Satterthwaite's degrees of "
    "freedom). Two or three seeds hardly tell the spread between runs, so intervals are wide; more seeds narrow them. "
    "Holm's correction is over the contrasts of one score."
)

ONE_SEED_NOTE = (
    "With one seed, interval and p (these runs) are of these very runs on other images: what another seed would give, "
    "and so whether the setting or the run made the difference, they do not say."
)


@dataclass(frozen=True)
class Report:
    """Input of the page: results, questions and texts."""

    title: str
    about: str
    budget: str
    command: str
    """The command that draws this page again."""
    results: Sequence[Result]
    questions: Sequence[Question] = ()
    groups: dict[str, Any] = field(default_factory=dict)
    """The rule by which images are grouped; empty: by the groups of the data set."""
    differences: Sequence[TableRow] = ()
    """Settings in which the variants differ, one row per setting."""
    pairs: Sequence[tuple[str, list[str]]] = ()
    """Further rows of images: a heading and the names of the images, as files, under every variant's examples."""


def write_report(report: Report, folder: Path) -> Path:
    """Write tables, figures and `report.html` into `folder`, and return the page's path."""
    finished = [result for result in report.results if result.images]
    scores = list_scores(finished)
    runs = make_run_rows(report.results)
    variants = make_variant_rows(finished, scores, report.groups)
    contrasts = make_contrast_rows(finished, report.questions, scores, report.groups)
    _write_tables(report, folder, runs, variants, contrasts)
    page = Page(report.title, _write_lead(report, finished))
    _add_effects(page, folder, contrasts)
    _add_variants(page, folder, finished, variants)
    _add_curves(page, folder, finished)
    _add_gradients(page, folder, finished)
    _add_landscapes(page, folder, finished)
    add_examples(page, finished, report.pairs)
    _add_settings(page, report)
    _add_runs(page, report, runs)
    page.add_section("Again")
    page.add_text("Every table, figure and this page are drawn anew from the saved numbers by")
    page.add_code(report.command)
    page.write(folder / PAGE)
    return folder / PAGE


def _write_tables(
    report: Report, folder: Path, runs: list[TableRow], variants: list[TableRow], contrasts: list[TableRow]
) -> None:
    write_csv(folder / "table.csv", runs)
    write_csv(folder / "images.csv", make_image_rows(report.results, report.groups))
    write_csv(folder / "variants.csv", variants)
    write_tex(folder / "variants.tex", variants, f"{report.title}: means over seeds and images with 95 % intervals")
    if contrasts:
        write_csv(folder / "effects.csv", contrasts)
        write_tex(folder / "effects.tex", contrasts, f"{report.title}: differences with 95 % intervals")
    if report.differences:
        write_csv(folder / "settings.csv", report.differences)


def _write_lead(report: Report, finished: Sequence[Result]) -> Markup:
    images = find_common_images(finished)
    known = {image: group for result in finished for image, group in result.facts.get("groups", {}).items()}
    minutes = sum(result.seconds for result in report.results if not math.isnan(result.seconds)) / 60
    boxes = {
        "variants": str(len({result.variant for result in report.results})),
        "seeds": str(len({result.seed for result in report.results})),
        "runs finished": f"{len(finished)} of {len(report.results)}",
        "images scored": str(len(images)),
        "groups of images": str(len(set(assign_groups(images, known, report.groups)))),
    }
    if minutes:
        boxes["minutes of all runs together"] = f"{minutes:.1f}"
    if report.budget:
        boxes["budget"] = report.budget
    return (format_text(report.about) if report.about else Markup()) + format_facts(boxes)


def _add_figure(page: Page, folder: Path, name: str, figure: Figure, caption: str) -> None:
    figures.save_png(figure, folder / "figures" / f"{name}.png")
    page.add_figure(figures.render_svg(figure, name), caption)


def _add_effects(page: Page, folder: Path, contrasts: list[TableRow]) -> None:
    if not contrasts:
        return
    page.add_section("What made a difference")
    with figures.use_style():
        figure = figures.draw_intervals(contrasts, "contrast", zero=True, points={})
    _add_figure(
        page, folder, "effects", figure, "Differences between variants, with 95 % intervals over seeds and groups."
    )
    page.add(format_html(contrasts))
    page.add_text(STATISTICS_NOTE, note=True)
    if any(P_RUNS in row for row in contrasts):
        page.add_text(ONE_SEED_NOTE, note=True)


def _add_variants(page: Page, folder: Path, finished: Sequence[Result], variants: list[TableRow]) -> None:
    if not variants:
        return
    page.add_section("Variants")
    points: dict[tuple[str, str], list[float]] = {}
    for score in list_scores(finished):
        for result in finished:
            mean = compute_nan_mean([values[score] for values in result.images.values()])
            points.setdefault((name_score(score), result.variant), []).append(mean)
    with figures.use_style():
        figure = figures.draw_intervals(variants, "variant", zero=False, points=points)
    _add_figure(
        page, folder, "variants", figure, "Mean over seeds and images with its 95 % interval; each seed faintly behind."
    )
    wide: dict[str, TableRow] = {}
    for row in variants:
        line = wide.setdefault(
            row["variant"], {"variant": row["variant"], "seeds": row["seeds"], **_find_losses(finished, row["variant"])}
        )
        line |= {row["score"]: row["estimate"], f"{row['score']} 95 %": f"{row['low']:.4f} … {row['high']:.4f}"}
    for result in finished:
        if result.facts.get("parameters"):
            wide[result.variant] |= {"parameters": result.facts["parameters"], "GFLOPs": result.facts["flops"] / 1e9}
    page.add(format_html(list(wide.values())))
    size = next((result.facts["image"] for result in finished if result.facts.get("image")), None)
    if size:
        page.add_text(
            "Losses are of the epoch with the lowest validation loss, the mean over seeds. Scores are of the best "
            "checkpoint, per image, then the mean over images. GFLOPs are of one forward pass of one image of "
            f"{size[0]} × {size[1]} × {size[2]}, a multiplication and an addition counted as two.",
            note=True,
        )


def _find_losses(finished: Sequence[Result], variant: str) -> TableRow:
    """Find the best validation loss and the training loss of that epoch, as in the table of Drozdzal et al. 2016."""
    pairs = [find_best_losses(result) for result in finished if result.variant == variant]
    training, validation = (compute_nan_mean(values) for values in zip(*pairs, strict=True))
    return {"training loss": training, "validation loss": validation}


def _add_curves(page: Page, folder: Path, finished: Sequence[Result]) -> None:
    if any(result.curves for result in finished):
        page.add_section("Learning curves")
        with figures.use_style():
            figure = figures.draw_curves(finished)
        _add_figure(page, folder, "curves", figure, "Thick: mean over seeds. Faint: each seed.")


def _add_gradients(page: Page, folder: Path, finished: Sequence[Result]) -> None:
    runs: dict[str, list[FlowTable]] = {}
    for result in finished:
        if result.flow is not None:
            runs.setdefault(result.variant, []).append(result.flow)
    if not runs:
        return
    page.add_section("Gradients")
    first = {variant: flows[0] for variant, flows in runs.items()}
    with figures.use_style():
        profile = flow.draw_profiles(runs)
        maps = {name: flow.draw_heatmaps(first, name) for name in ("gradient_norm", "update_ratio")}
    _add_figure(page, folder, "gradient_profile", profile, "Over depth: the median over the steps, one line per seed.")
    of = "of every variant's first seed, first layer at the top, one scale for all; grey where there is none."
    _add_figure(page, folder, "gradient_heatmaps", maps["gradient_norm"], f"Gradient norm {of}")
    _add_figure(page, folder, "update_heatmaps", maps["update_ratio"], f"How much a step changes the weights, {of}")


def _add_landscapes(page: Page, folder: Path, finished: Sequence[Result]) -> None:
    found = [(result, read_landscape(path, result.variant)) for result in finished if (path := result.landscape)]
    if not found:
        return
    page.add_section("Loss landscapes")
    first = list({result.variant: each for result, each in reversed(found)}.values())[::-1]
    if all(each.plane.size for each in first):
        with figures.use_style():
            _add_figure(page, folder, "contours", draw_contours(first), "One seed of every variant, on one scale.")
            figures.save_png(draw_surfaces(first), folder / "figures" / "surfaces.png")
        page.add(embed_image(folder / "figures" / "surfaces.png", "The same from the side; the height is logarithmic."))
    with figures.use_style():
        _add_figure(page, folder, "lines", draw_lines(first), "Along each direction, and the mean over directions.")
    page.add(
        format_html([{"variant": run.variant, "seed": run.seed} | make_sharpness_row(each) for run, each in found])
    )
    page.add_text(
        "Curvature: mean second difference of the loss within ±0.5 along filter-normalised directions. Rise: largest "
        "loss within ±0.5, minus that at the centre. Means over directions, with the least and the largest.",
        note=True,
    )


def _add_settings(page: Page, report: Report) -> None:
    if report.differences:
        page.add_section("Settings that differ")
        page.add(format_html(report.differences))


def _add_runs(page: Page, report: Report, runs: list[TableRow]) -> None:
    page.add_section("Every run")
    page.add(format_html([{key: value for key, value in row.items() if "gradient/" not in key} for row in runs]))
    for result in report.results:
        if result.status != "finished":
            page.add_text(f"{result.variant}, seed {result.seed}: {result.status}. {result.message}")
