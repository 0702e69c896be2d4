"""Add example predictions to a page, variant beside variant, with a legend of their colours."""

import json
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from segapp.errors import SegappError
from segapp.report.page import Page, arrange_in_row, embed_image, format_legend
from segapp.report.results import Result, name_damaged
from segapp.system.text_files import read_text


def add_examples(
    page: Page,
    finished: Sequence[Result],
    pairs: Sequence[tuple[str, list[str]]],
    title: str = "Predictions",
) -> None:
    """Add a section of image, target and every variant's prediction; `pairs` are rows of images under a heading."""
    first = list({result.variant: result for result in reversed(finished)}.values())[::-1]
    folders = {result.variant: result.examples for result in first if result.examples and result.examples.is_dir()}
    if not folders:
        return
    page.add_section(title)
    page.add_text("The middle of larger images is shown.", note=True)
    _add_legends(page, folders)
    somewhere = next(iter(folders.values()))
    stems = sorted(path.name.removesuffix("-image.jpg") for path in somewhere.glob("*-image.jpg"))
    for heading, names in pairs or [("", stems)]:
        if heading:
            page.add_text(heading)
        for stem in names:
            page.add(arrange_in_row(_format_example(folders, stem)))


def _add_legends(page: Page, folders: dict[str, Path]) -> None:
    """Add the legend of the colours: once, or for every variant where they differ."""
    found = {variant: folder / "legend.json" for variant, folder in folders.items()}
    texts = {variant: read_text(path) for variant, path in found.items() if path.is_file()}
    for text in dict.fromkeys(texts.values()):
        own = [variant for variant, other in texts.items() if other == text]
        with name_damaged(found[own[0]]):
            colours = json.loads(text)
            named = [(str(name), tuple(colour)) for name, colour in colours["classes"]]
            named.append(("predicted wrongly", tuple(colours["wrong"])))
            page.add(format_legend(named, "" if len(own) == len(texts) else f"{', '.join(own)}:"))


def _format_example(folders: dict[str, Path], stem: str) -> list[Markup]:
    """Show the image, the target, and every variant's prediction."""
    somewhere = next((folder for folder in folders.values() if (folder / f"{stem}-image.jpg").is_file()), None)
    if somewhere is None:
        raise SegappError(f"{next(iter(folders.values()))}: has no {stem}-image.jpg; write the page's examples again.")
    common = [
        embed_image(somewhere / f"{stem}-image.jpg", stem),
        embed_image(somewhere / f"{stem}-target.png", "target"),
    ]
    predictions = [(variant, folder / f"{stem}-prediction.png") for variant, folder in folders.items()]
    return common + [embed_image(path, variant) for variant, path in predictions if path.is_file()]
