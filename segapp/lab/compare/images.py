"""Which images a comparison is of: those that all have, and where one wins and loses most."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segapp.errors import MisuseError
from segapp.io import read_table, write_table
from segapp.natural_order import make_natural_key
from segapp.report.evaluation_files import convert_scores, write_json
from segapp.report.results import Result, compute_nan_mean, is_lower_better, name_damaged, name_score

SHOWN = 3
"""Missing images that a message names."""


def choose_common(available: Mapping[str, Sequence[str]], only_common: bool) -> list[str]:
    """Return the images that all have, in natural order.

    Args:
        available: The images of each run or folder, by its name.
        only_common: Whether images that some lack are left out.

    Raises:
        MisuseError: Some lack an image, and `only_common` does not leave it out, or none is common.
    """
    held = {name: set(images) for name, images in available.items()}
    every = sorted(set.union(*held.values()), key=make_natural_key)
    lacking = {name: [image for image in every if image not in images] for name, images in held.items()}
    common = [image for image in every if all(image in images for images in held.values())]
    if not common:
        examples = ", ".join(f"{name}: {images[0]!r}" for name, images in available.items() if images)
        raise MisuseError(f"no image is common to all ({examples}); compare what was scored on the same images.")
    if any(lacking.values()) and not only_common:
        name = max(lacking, key=lambda name: len(lacking[name]))
        images = ", ".join(map(repr, lacking[name][:SHOWN])) + (" …" if len(lacking[name]) > SHOWN else "")
        others = sum(bool(one) for one in lacking.values()) - 1
        raise MisuseError(
            f"{name} has no scores or masks of {len(lacking[name])} of {len(every)} images: {images}"
            f"{f' ({others} more lack some)' if others else ''}. Add them, or compare the {len(common)} images that "
            "all have: --only_common true."
        )
    return common


def restrict_run(result: Result, images: Sequence[str], folder: Path) -> Result:
    """Return a run's results on some of its images, written to `folder`; the same where these are all.

    Scores over the set are left out, because they are of all images.
    """
    if result.evaluation is None or len(result.images) == len(images):
        return result
    path, kept = result.evaluation / "per_image.csv", set(images)
    rows = [row for row in read_table(path) if row["name"] in kept]
    with name_damaged(path):
        chosen = [result.images[row["name"]] for row in rows]
        scores = {name_score(score): compute_nan_mean([one[score] for one in chosen]) for score in chosen[0]}
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / path.name, list(rows[0]), [list(row.values()) for row in rows])
    content = {"images": len(rows), "loss": None, "scores": convert_scores(scores)}
    if "boundaries" in result.metrics:
        content["boundaries"] = result.metrics["boundaries"]
    write_json(folder / "metrics.json", content)
    return replace(result, evaluation=folder)


def rank_images(
    results: Sequence[Result], images: Sequence[str], score: str, count: int
) -> list[tuple[str, list[str]]]:
    """Rank the images on which each result is furthest above and below the first one.

    An image without a class in target and prediction has no score; it counts as the best score.
    """
    less = is_lower_better(score)
    of_each = [np.array([result.images[name][score] for name in images]) for result in results]
    known = [np.nan_to_num(values, nan=0.0 if less else 1.0) for values in of_each]
    pairs = []
    for result, values in zip(results[1:], known[1:], strict=True):
        gain = known[0] - values if less else values - known[0]
        order = [int(index) for index in np.argsort(-gain, kind="stable")]
        wins = [images[index] for index in order[:count] if gain[index] > 0]
        losses = [images[index] for index in order[::-1][:count] if gain[index] < 0]
        for word, chosen in (("better", wins), ("worse", losses)):
            if chosen:
                pairs.append((f"Where {result.variant} is {word} than {results[0].variant}, by {score}", chosen))
    return pairs
