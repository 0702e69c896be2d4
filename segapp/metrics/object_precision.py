"""Average precision of objects without confidences, as in the 2018 Data Science Bowl.

Caicedo et al. 2019, "Nucleus segmentation across imaging experiments": at an IoU threshold, TP / (TP + FP + FN) of
objects, and its mean over the thresholds 0.5, 0.55, …, 0.95. COCO's average precision is another quantity: it ranks
objects by their confidence. Objects and the rules for empty masks are those of `objects`.
"""

import numpy as np
import torch
from torch import Tensor

from segapp.metrics.objects import ObjectScore
from segapp.metrics.regions import RegionPairs

PERCENTS = range(50, 100, 5)
"""The IoU thresholds; objects match above one, so each matches one at most."""


class ObjectPrecision(ObjectScore):
    """The average precision of objects over IoU thresholds, and at 0.5 and 0.75, of every class."""

    columns = ("objects", "predicted_objects", *(f"matched_objects_{percent}" for percent in PERCENTS))

    def count(self, regions: RegionPairs, num_classes: int) -> np.ndarray:
        """Return (12, K) float64: objects of target and prediction, and the matches at every threshold."""
        classes = regions.target.classes[regions.targets]
        found = [regions.target.classes, regions.predicted.classes]
        found += [classes[regions.ious > percent / 100] for percent in PERCENTS]
        return np.stack([np.bincount(each, minlength=num_classes) for each in found]).astype(np.float64)

    def compute(self, counts: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compute `object_ap`, `object_ap50` and `object_ap75`."""
        objects, predicted, *matched = counts
        precisions = torch.stack([each / (objects + predicted - each) for each in matched])
        at = dict(zip(PERCENTS, precisions, strict=True))
        return {"object_ap": precisions.mean(0), "object_ap50": at[50], "object_ap75": at[75]}
