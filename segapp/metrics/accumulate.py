"""Counts over a set of images, exact on any number of processes, and the scores derived from them."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor
from torchmetrics import Metric

from segapp.metrics.counts import confusion, true_false_positives_negatives
from segapp.metrics.scores import SCORES


class SegmentationScores(Metric):
    """Dice and IoU of whole images, per data set and per image.

    Holds one (K, K) int64 confusion sum of this process and, per image, its name and the int64 true positives,
    false positives and false negatives per class: 24·K bytes and the name. Nothing is exchanged between processes
    before `compute`, which then gives the same numbers on each.

    Args:
        classes: The K class names.
        background: The class left out of macro means, if any.
        keep_confusion: Also keep every image's own confusion matrix, as sparse rows (`image_confusion`).
    """

    full_state_update = False

    def __init__(self, classes: Sequence[str], background: int | None, keep_confusion: bool = False) -> None:
        # Synchronised once by hand in `gathered`: torchmetrics cannot gather names, nor a list that is empty here.
        super().__init__(sync_on_compute=False)
        self.classes = tuple(classes)
        self.background = background
        self.keep_confusion = keep_confusion
        k = len(self.classes)
        self.confusion: Tensor
        self.add_state("confusion", torch.zeros(k, k, dtype=torch.int64), dist_reduce_fx="sum")
        self.images: list[tuple[str, list[list[int]], list[tuple[int, int, int]]]] = []

    def reset(self) -> None:
        """Forget every image."""
        super().reset()
        self.images = []

    def update(self, prediction: Tensor, mask: Tensor, name: str) -> None:
        """Count one image.

        Args:
            prediction: (H, W) class indices.
            mask: (H, W) true class indices, 255 = ignore.
            name: The image's name, for the per-image table.
        """
        counts = confusion(prediction, mask, len(self.classes))
        self.confusion += counts
        rows = []
        if self.keep_confusion:
            truth, guess = counts.nonzero(as_tuple=True)
            rows = list(zip(truth.tolist(), guess.tolist(), counts[truth, guess].tolist(), strict=True))
        self.images.append((name, true_false_positives_negatives(counts).tolist(), rows))

    def compute(self) -> dict[str, float]:
        """Every score by its full name (`dice/dataset`, `iou/image/<class>`, …); NaN where nothing was scored."""
        return self.scores(*self.gathered())

    def gathered(self) -> tuple[Tensor, list[Any]]:
        """(K, K) int64 summed over all processes, and all images sorted by name; a collective, outside any step."""
        images = self.images
        total = self.confusion
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            parts: list[Any] = [None] * distributed.get_world_size()
            distributed.all_gather_object(parts, (total.cpu(), images))
            total = sum((part[0] for part in parts[1:]), start=parts[0][0])
            images = [image for part in parts for image in part[1]]
        return total.cpu(), sorted(images, key=lambda image: image[0])

    def scores(self, total: Tensor, images: list[Any]) -> dict[str, float]:
        """The scores of gathered counts.

        `<score>/dataset`: counts summed over the set, then per class, then the mean over classes (the mIoU of VOC,
        Cityscapes). `<score>/image`: per image and class, then the mean over the images where the class is defined,
        then over classes (what medical challenges report).
        """
        per_set = true_false_positives_negatives(total)
        per_image = torch.tensor([image[1] for image in images], dtype=torch.int64)
        per_image = per_image.reshape(-1, 3, len(self.classes))
        result: dict[str, float] = {}
        for score, function in SCORES.items():
            self._add(result, f"{score}/dataset", function(*per_set))
            self._add(result, f"{score}/image", function(*per_image.unbind(1)).nanmean(0))
        return result

    def _add(self, result: dict[str, float], name: str, per_class: Tensor) -> None:
        counted = [index for index in range(len(self.classes)) if index != self.background]
        result[name] = float(per_class[counted].nanmean())
        for label, value in zip(self.classes, per_class.tolist(), strict=True):
            result[f"{name}/{label}"] = value

    def support(self, images: list[Any]) -> dict[str, int]:
        """Over how many images each class's per-image score is a mean."""
        counts = torch.tensor([image[1] for image in images], dtype=torch.int64).reshape(-1, 3, len(self.classes))
        present = (counts.sum(1) > 0).sum(0)
        return dict(zip(self.classes, present.tolist(), strict=True))
