"""Scores of predictions against masks in Python, of segapp or of any other program."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segapp.api.prediction import Prediction
from segapp.datasets.mask_pairs import pair_masks
from segapp.errors import MisuseError
from segapp.io import read_raw
from segapp.metrics import TEST_SCORES, Agreement, BoundaryUnit, CentrelineDice, Evaluation, Score, ScoreCollector
from segapp.metrics.centreline import require_skeletons

Labels = np.ndarray | Prediction | str | Path
"""(H, W) class indices: an array, a prediction, or the path of an image file of one channel."""


def evaluate(
    predictions: Iterable[Labels] | str | Path,
    masks: Iterable[Labels] | str | Path,
    classes: Sequence[str],
    background: str | None = None,
    boundaries: bool = True,
    tolerance: float = BoundaryUnit().tolerance,
    spacing: tuple[float, float] = (1.0, 1.0),
    cldice: bool = False,
) -> Evaluation:
    """Score predictions against masks as `segapp test` does: by all scores of docs/scores.md.

    Args:
        predictions: Class indices of every image, or a folder of files of one channel that hold them.
        masks: Target class indices, 255 = ignored, in the same order; or a folder with files of the same names.
            Suffixes may differ.
        classes: The names of the classes 0, 1, ….
        background: The class that is left out of means over classes; default: none.
        boundaries: Score boundaries and objects too, which takes time.
        tolerance: Of surface Dice, in pixels, or in the unit of `spacing`.
        spacing: Height and width of a pixel of every image, as (0.5, 0.25) in mm: the distances of surface Dice, HD95,
            HD and ASSD are then in this unit. Default: pixels.
        cldice: Score the centreline Dice of tubes such as vessels too, which takes time and scikit-image.

    Returns:
        The scores: `print` them, take `.flat["dice/dataset"]`, or `.tabulate()` for a row per image.

    Raises:
        MisuseError: Numbers or names that do not agree, a background that is no class, a file that holds no indices, a
            spacing or tolerance that is no length.
        SegappError: An image and its mask have different shapes, or hold other classes.
    """
    if background is not None and background not in classes:
        raise MisuseError(f"background {background!r} is not one of the classes {', '.join(classes)}.")
    unit = BoundaryUnit(tolerance, tuple(spacing))  # type: ignore[arg-type]  # the number of sides is checked next
    unit.require_positive()
    scores: tuple[type[Score], ...] = TEST_SCORES if boundaries else (Agreement,)
    if cldice:
        require_skeletons()
        scores += (CentrelineDice,)
    collector = ScoreCollector(
        classes, None if background is None else list(classes).index(background), scores, unit=unit
    )
    for name, prediction, mask in _pair(predictions, masks):
        collector.update(_read(prediction), _read(mask), name)
    return collector.compute()


def _pair(
    predictions: Iterable[Labels] | str | Path, masks: Iterable[Labels] | str | Path
) -> list[tuple[str, Labels, Labels]]:
    """Pair predictions and masks: files of two folders by name, others by order."""
    if isinstance(predictions, str | Path) != isinstance(masks, str | Path):
        raise MisuseError("predictions and masks must both be folders, or both be sequences.")
    if isinstance(predictions, str | Path) and isinstance(masks, str | Path):
        pairs = pair_masks(Path(predictions), Path(masks))
        return [(pair.name, pair.prediction, pair.target) for pair in pairs]
    given: list[Any] = list(zip_longest(predictions, masks))  # type: ignore[arg-type] # no paths any more
    if any(one is None or other is None for one, other in given):
        raise MisuseError("the numbers of predictions and masks differ.")
    return [(f"image {index}", *pair) for index, pair in enumerate(given)]


def _read(labels: Labels) -> torch.Tensor:
    """Return (H, W) class indices."""
    if isinstance(labels, Prediction):
        labels = labels.mask
    array = read_raw(Path(labels)) if isinstance(labels, str | Path) else np.asarray(labels)
    array = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.ndim != 2 or array.dtype.kind not in "ui":
        what = labels if isinstance(labels, str | Path) else "an array"
        raise MisuseError(f"{what}: class indices are (H, W) integers, got {array.shape} {array.dtype}.")
    return torch.from_numpy(np.ascontiguousarray(array).astype(np.int64))
