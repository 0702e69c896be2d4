"""Scores everything in a comparison on the images that all have, and writes example predictions."""

from collections.abc import Sequence
from dataclasses import replace

from segapp.lab.compare.images import choose_common, restrict_run
from segapp.lab.compare.opening import Opened, Request
from segapp.lab.compare.predictions import score_predictions, write_predicted_examples, write_scores
from segapp.lab.study.examples import make_slug, write_examples
from segapp.report.results import Result


def score_all(opened: Opened, request: Request) -> tuple[list[str], list[Result]]:
    """Return the images of a comparison in natural order, and the results on them.

    Raises MisuseError where some lack images of others, unless only common ones were asked for.
    """
    available = {name: list(result.images) for name, result in opened.results.items()}
    if opened.truth is not None:
        items = list(opened.truth.items.values())
        found = {name: [item.name for item in masks.find_items(items)] for name, masks in opened.masks.items()}
        available |= found if available else {str(opened.truth.where): list(opened.truth.items)} | found
    images = choose_common(available, request.only_common)
    truth, masks = opened.truth, opened.masks
    scored = {}
    if truth is not None:
        scored = {name: score_predictions(masks[name], truth, images, opened.unit) for name in masks}
    results = []  # nothing is written before all are scored
    for name in opened.names:
        folder, slug = request.folder, make_slug(name)
        if truth is not None and name in scored:
            result = write_scores(name, masks[name], truth, scored[name], folder / "scores" / slug)
        else:
            result = restrict_run(opened.results[name], images, folder / "scores" / slug)
        results.append(replace(result, examples=folder / "examples" / slug))
    return images, results


def write_all_examples(opened: Opened, results: Sequence[Result], images: Sequence[str], allow: Sequence[str]) -> None:
    """Write example predictions of these images for every run and folder."""
    for result in results:
        if result.examples is None:
            continue
        if result.run is not None:
            write_examples(result.run / "checkpoints" / "best.ckpt", images, result.examples, allow)
        elif opened.truth is not None:
            write_predicted_examples(opened.masks[result.variant], opened.truth, images, result.examples)
