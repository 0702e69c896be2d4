"""Scores of objects: connected regions of a class, matched between target and prediction.

Kirillov et al. 2019, "Panoptic Segmentation". A region of the prediction and one of the target are a match if their IoU
is above 0.5, of which each region has one at most. `regions` says what a region is. The background has no objects.

Rules for empty masks, per image and class: without objects in either mask no score (NaN); with objects in one only 0.
"""

import math
from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, float64, from_numpy

from segapp.metrics.regions import RegionPairs
from segapp.metrics.score import Comparison, Score, Value, average_over_classes

THRESHOLD = 0.5
"""The IoU above which objects match; 0.5 or more, so that each matches one at most."""


class ObjectScore(Score):
    """Values that are computed from counts of objects.

    `<measure>/dataset`: counts summed over the set, then per class, then the mean over classes. `<measure>/image`: as
    in every score.
    """

    in_brief = False

    @abstractmethod
    def count(self, regions: RegionPairs, num_classes: int) -> np.ndarray:
        """Return the columns of one image, (len(columns), K) float64, counts or sums of objects."""

    @abstractmethod
    def compute(self, counts: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compute the measures from the columns, each of one shape, float64; NaN without objects."""

    def update(self, comparison: Comparison) -> Tensor:
        """Return (len(columns), K) float64; the background has none."""
        rows = self.count(comparison.regions, comparison.num_classes)
        if self.background is not None:
            rows[:, self.background] = 0
        return from_numpy(rows)

    def measure(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the values of every image and class, (I, K) float64."""
        return self.compute(rows.to(float64).unbind(1))

    def reduce(self, rows: Tensor) -> dict[str, Value]:
        """Return `<measure>/dataset` and `<measure>/image`."""
        values, per_image = {}, super().reduce(rows)
        total = rows.to(float64).nan_to_num().sum(0)  # NaN where a class was not looked for
        for name, per_class in self.compute(total.unbind(0)).items():
            mean = float(average_over_classes(per_class, self.background))
            values[f"{name}/dataset"] = Value(mean, tuple(per_class.tolist()))
            values[f"{name}/image"] = per_image[f"{name}/image"]
        return values


class Objects(ObjectScore):
    """Panoptic quality of every class, its parts (F1 of objects, mean IoU of matches), and the error of the count."""

    columns = ("objects", "predicted_objects", "matched_objects", "matched_iou")
    lower_is_better = ("count_error",)

    def count(self, regions: RegionPairs, num_classes: int) -> np.ndarray:
        """Return (4, K) float64: objects of target and prediction, matches, and the sum of their IoU."""
        matches = regions.ious > THRESHOLD
        classes, ious = regions.target.classes[regions.targets[matches]], regions.ious[matches]
        found = (regions.target.classes, regions.predicted.classes, classes)
        counts = [np.bincount(each, minlength=num_classes) for each in found]
        return np.stack([*counts, np.bincount(classes, ious, num_classes)]).astype(np.float64)

    def compute(self, counts: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compute `pq`, `object_f1`, `object_iou` (their product is `pq`) and `count_error`.

        `object_iou` is NaN without a match.
        """
        objects, predicted, matched, iou = counts
        sizes = (objects + predicted) / 2
        mean = torch.where(matched > 0, iou / matched, math.nan)
        error = torch.where(sizes > 0, (predicted - objects).abs(), math.nan)
        return {"pq": iou / sizes, "object_f1": matched / sizes, "object_iou": mean, "count_error": error}
