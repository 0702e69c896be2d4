"""Predictions of other tools, scored as `segapp test` scores its own."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from segapp.datasets import Item
from segapp.datasets.class_presence import map_in_threads
from segapp.datasets.predicted_masks import PredictedMasks, require_class
from segapp.datasets.source import find_pixel_size
from segapp.lab.compare.truth import Truth, read_target
from segapp.lab.study.examples import write_example, write_legend
from segapp.metrics import TEST_SCORES, BoundaryUnit, Evaluation, ImageRows, ScoreCollector
from segapp.metrics.score import PIXELS
from segapp.report.evaluation_files import describe_evaluation, write_json, write_rows
from segapp.report.results import Result


def score_predictions(
    masks: PredictedMasks, truth: Truth, names: Sequence[str], unit: BoundaryUnit = PIXELS
) -> Evaluation:
    """Return the scores of predicted masks on images; raise SegappError for a mask that cannot be scored."""
    collector = ScoreCollector(truth.source.classes, truth.source.background, TEST_SCORES, unit=unit)

    def score(item: Item) -> tuple[ImageRows, torch.Tensor]:
        predicted, target = masks.read(item), read_target(item)
        require_class(f"{masks.folder}: the mask of {item.name!r}", predicted, "the true mask", target)
        looked_for = None if item.looked_for is None else torch.tensor(item.looked_for)
        size = find_pixel_size(item.image)
        return collector.score(torch.from_numpy(predicted), torch.from_numpy(target), item.name, looked_for, size)

    found = map_in_threads(score, [truth.items[name] for name in names])
    for rows in tqdm(found, f"scoring {masks.folder}", len(names), leave=False, delay=1, disable=None):
        collector.add(*rows)
    return collector.compute()


def write_scores(name: str, masks: PredictedMasks, truth: Truth, evaluation: Evaluation, folder: Path) -> Result:
    """Write `metrics.json` and `per_image.csv` of predicted masks into a folder, and return them as a result."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"predictions": str(masks.folder), **describe_evaluation(evaluation), "loss": None}
    write_json(folder / "metrics.json", content)
    write_rows(folder / "per_image.csv", *evaluation.tabulate())
    return Result(variant=name, seed=0, evaluation=folder, facts={"groups": truth.groups})


def write_predicted_examples(masks: PredictedMasks, truth: Truth, names: Sequence[str], folder: Path) -> None:
    """Write image, target and prediction of images, as `write_examples` does for a checkpoint."""
    palette = truth.source.palette
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        item = truth.items[name]
        write_example(item, item.image.read(), masks.read(item), folder, palette)
    write_legend(folder, truth.source.classes, palette)
