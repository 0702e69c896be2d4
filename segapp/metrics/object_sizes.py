"""The F1 of small, medium and large objects, divided by area as in COCO.

An object of the target counts by its own area, as found or missed; a predicted object without a match counts by its
own area. Objects, matches and the rules for empty masks are those of `objects`.
"""

import numpy as np
from torch import Tensor

from segapp.metrics.objects import THRESHOLD, ObjectScore
from segapp.metrics.regions import RegionPairs, Regions

BOUNDS = (32**2, 96**2)
"""The areas in pixels from which an object is medium and large (Lin et al. 2014, "Microsoft COCO")."""

SIZES = ("small", "medium", "large")


class ObjectSizes(ObjectScore):
    """The F1 of objects of every class by their size."""

    columns = tuple(f"{what}_{size}" for what in ("objects", "matched_objects", "imagined_objects") for size in SIZES)

    def count(self, regions: RegionPairs, num_classes: int) -> np.ndarray:
        """Return (9, K) float64, by size: objects of the target, those matched, and predicted ones without a match."""
        matches = regions.ious > THRESHOLD
        imagined = np.ones(len(regions.predicted.areas), bool)
        imagined[regions.predictions[matches]] = False
        chosen: tuple[tuple[Regions, np.ndarray], ...] = (
            (regions.target, np.arange(len(regions.target.areas))),
            (regions.target, regions.targets[matches]),
            (regions.predicted, imagined),
        )
        tables = [
            np.bincount(
                np.searchsorted(BOUNDS, found.areas[which], "right") * num_classes + found.classes[which],
                minlength=len(SIZES) * num_classes,
            )
            for found, which in chosen
        ]
        return np.concatenate(tables).reshape(-1, num_classes).astype(np.float64)

    def compute(self, counts: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Compute `object_f1_small`, `object_f1_medium` and `object_f1_large`."""
        groups = zip(SIZES, counts[:3], counts[3:6], counts[6:], strict=True)
        return {
            f"object_f1_{size}": 2 * matched / (objects + matched + imagined)
            for size, objects, matched, imagined in groups
        }
