"""Scores of objects: connected regions of a class, matched between target and prediction.

Kirillov et al. 2019, "Panoptic Segmentation". A region of the prediction and one of the target are a match if their IoU
is above 0.5, of which each region has one at most. Regions touch at edges and corners; ignored pixels are in none, and
so divide them. The background has no objects.

Rules for empty masks, per image and class: without objects in either mask no score (NaN); with objects in one only 0.
"""

import math

import numpy as np
import torch
from torch import Tensor, from_numpy

from segapp.metrics.regions import RegionPairs
from segapp.metrics.score import Comparison, Score, Value, average_over_classes

THRESHOLD = 0.5


class Objects(Score):
    """Panoptic quality of every class, and its parts: the F1 of objects and the mean IoU of matches.

    `pq/dataset`: matches summed over the set, per class, then the mean over classes. `pq/image`: as in every score.
    """

    columns = ("objects", "predicted_objects", "matched_objects", "matched_iou")
    in_brief = False

    def update(self, comparison: Comparison) -> Tensor:
        """Return (4, K) float64: objects of target and prediction, matches, and the sum of their IoU."""
        rows = count_matches(comparison.regions, comparison.num_classes)
        if self.background is not None:
            rows[:, self.background] = 0
        return from_numpy(rows)

    def measure(self, rows: Tensor) -> dict[str, Tensor]:
        """Return panoptic quality, F1 and mean IoU of every image and class, (I, K) float64."""
        return compute_quality(rows.double().unbind(1))

    def reduce(self, rows: Tensor) -> dict[str, Value]:
        """Return `<measure>/dataset` and `<measure>/image`."""
        values, per_image = {}, super().reduce(rows)
        total = rows.double().nan_to_num().sum(0)  # NaN where a class was not looked for
        for name, per_class in compute_quality(total.unbind(0)).items():
            mean = float(average_over_classes(per_class, self.background))
            values[f"{name}/dataset"] = Value(mean, tuple(per_class.tolist()))
            values[f"{name}/image"] = per_image[f"{name}/image"]
        return values


def compute_quality(counts: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Compute `pq`, `object_f1` and `object_iou` (their product is `pq`) from the columns; NaN without objects.

    `object_iou` is NaN without a match.
    """
    objects, predicted, matched, iou = counts
    sizes = (objects + predicted) / 2
    mean = torch.where(matched > 0, iou / matched, math.nan)
    return {"pq": iou / sizes, "object_f1": matched / sizes, "object_iou": mean}


def count_matches(regions: RegionPairs, num_classes: int) -> np.ndarray:
    """Return (4, K) float64 per class: regions of target and prediction, matches, and the sum of their IoU."""
    matches = regions.ious > THRESHOLD
    classes, ious = regions.target.classes[regions.targets[matches]], regions.ious[matches]
    counts = [
        np.bincount(each, minlength=num_classes)
        for each in (regions.target.classes, regions.predicted.classes, classes)
    ]
    return np.stack([*counts, np.bincount(classes, ious, num_classes)]).astype(np.float64)
