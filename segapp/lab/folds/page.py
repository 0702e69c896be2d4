"""Write the page of a cross-validation from its tables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from segapp.lab.study.effects import TableRow
from segapp.report import figures
from segapp.report.examples import add_examples
from segapp.report.page import Page, format_facts
from segapp.report.results import Result
from segapp.report.tables import format_html

PAGE = "report.html"

MAX_IMAGES = 20
"""Images that the page lists, those with the lowest Dice."""

STATISTICS_NOTE = (
    "Every image is scored by the network that was not trained on it. Intervals (95 %) are of Student's t over groups "
    "of images; they do not hold what another training of the same folds would change."
)


def write_page(folder: Path, command: str, results: Sequence[Result], tables: Mapping[str, Sequence[TableRow]]) -> Path:
    """Write `report.html` into `folder`, and return its path.

    Args:
        folder: Of the cross-validation.
        command: The command that makes this page again.
        results: One per fold.
        tables: Rows of `scores`, `folds` and `images`.
    """
    minutes = sum(result.seconds for result in results) / 60
    groups = {row["group"] for row in tables["images"]}
    facts = {
        "folds": str(len(results)),
        "images scored": str(len(tables["images"])),
        "groups of images": str(len(groups)),
        "minutes of all folds together": f"{minutes:.1f}",
    }
    page = Page(folder.name.replace("_", " "), format_facts(facts))
    page.add_section("Scores")
    page.add(format_html(tables["scores"]))
    page.add_text(STATISTICS_NOTE, note=True)
    page.add_section("Folds")
    page.add(format_html(tables["folds"]))
    _add_curves(page, folder, results)
    page.add_section("Images with the lowest scores")
    measure = next(iter(key for key in tables["images"][0] if key not in ("image", "fold", "group")))
    page.add(format_html(sorted(tables["images"], key=lambda row: row[measure])[:MAX_IMAGES]))
    for result in results:
        add_examples(page, [result], [], f"Predictions of {result.variant}")
    page.add_section("Again")
    page.add_code(command)
    page.write(folder / PAGE)
    return folder / PAGE


def _add_curves(page: Page, folder: Path, results: Sequence[Result]) -> None:
    if not any(result.curves for result in results):
        return
    page.add_section("Learning curves")
    with figures.use_style():
        figure = figures.draw_curves([replace(result, seed=0) for result in results])
    figures.save_png(figure, folder / "figures" / "curves.png")
    page.add_figure(figures.render_svg(figure, "curves"), "One line per fold.")
