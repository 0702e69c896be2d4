"""Write the page of gradients over depth: figures with captions, and the table of slopes."""

import csv
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from segapp.io import write_atomically
from segapp.lab.depth.figures import FIGURES, SLOPE, VARIANT_KEYS, DepthRow, fit_slopes, read_profiles
from segapp.report.figures import render_svg, save_png, use_style
from segapp.report.page import Page, format_facts, format_text
from segapp.report.tables import format_html

PAGE = "report.html"
FIGURE_FILES = tuple(f"{name}.png" for name in FIGURES)

TEXTS = (
    (
        "The deepest chains, block by block",
        "Where the line falls towards block 1, gradients vanish on their way to the image; where it rises, they "
        "explode. On a straight line every block changes the gradient by the same factor.",
        "RMS gradient at every block's output over that of the last block, on a logarithmic scale; block 1 sees the "
        "image. Solid: measured, the geometric mean over seeds, in a band from the smallest to the largest seed. "
        "Dashed: expected, from the variance of each layer's weights, its activation's slope and its norm, nothing "
        "fitted. The grey line is 1: as large as at the last block.",
    ),
    (
        "What arrives at the first block",
        "The same for chains of every depth: what is left of the gradient at the layers that see the image.",
        "RMS gradient at the first block's output over that of the last block, against the number of blocks. Dots: "
        "geometric mean over seeds; band: from the smallest to the largest.",
    ),
    (
        "Measured against expected",
        "How well theory predicts it: on the diagonal both agree.",
        "One mark per kind of chain of five blocks or more (of all, where none is so deep): the slope of the logarithm "
        "of the RMS gradient per block towards the input. Below 0 gradients vanish, above 0 they explode.",
    ),
    (
        "U-Nets, from the image to the logits",
        "Long skips feed the encoder by a short way around the bottleneck; short skips, within the blocks, are what "
        "reaches the bottleneck itself.",
        "RMS gradient at every block's output in the order of execution, on a logarithmic scale; read from right to "
        "left it is the way the gradient goes. The bottleneck is shaded. Dots: geometric mean over seeds; band: from "
        "the smallest to the largest.",
    ),
)
"""Of each figure: its heading, what to look for, and what it shows."""


def draw_all(table: Path, folder: Path, command: str) -> None:
    """Write `slopes.csv`, the figures and the page of a study, from its numbers; `command` draws them again."""
    rows = read_profiles(table)
    found = fit_slopes(rows)
    with (
        write_atomically(folder / "slopes.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    page = Page("Gradients over depth", _write_lead(rows))
    for (name, draw), (title, lead, caption) in zip(FIGURES.items(), TEXTS, strict=True):
        with use_style():
            figure = draw(rows)
        save_png(figure, folder / f"{name}.png")
        page.add_section(title)
        page.add_text(lead)
        with use_style():
            page.add_figure(render_svg(figure, name), caption)
    page.add_section("Slopes")
    page.add_text("How much the logarithm of the RMS gradient grows per block towards the input, mean over the seeds.")
    page.add(format_html([{**row, **{key: float(row[key]) for key in SLOPE}} for row in found]))
    page.add_section("Again")
    page.add_text("The table of slopes, the figures and this page are drawn anew from profiles.csv by")
    page.add_code(command)
    page.write(folder / PAGE)


def _write_lead(rows: Sequence[DepthRow]) -> Markup:
    """Write the introduction: what was measured, and how much of it."""
    chains = [row for row in rows if row["net"] == "chain"]
    networks = {tuple(row[name] for name in (*VARIANT_KEYS, "seed")) for row in rows}
    numbers = {
        "networks": f"{len(networks):,}",
        "seeds": str(len({row["seed"] for row in rows})),
        "blocks in a chain, at most": str(max(int(row["depth"]) for row in chains)),
    }
    about = (
        "How a gradient changes on its way back through freshly initialised networks. Each network sees images of "
        "generated cells once and is differentiated once; measured is the root mean square (RMS) of the gradient with "
        "respect to every block's output. Chains are blocks in a row, without pooling; U-Nets are made of the same "
        "blocks."
    )
    return format_text(about) + format_facts(numbers)
