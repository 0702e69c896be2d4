"""Counts over a set of images, exact on any number of processes, and the scores derived from them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as distributed
from torch import Tensor

from segapp.errors import SegappError
from segapp.metrics.boundary import BoundaryScore, score_boundaries
from segapp.metrics.counts import count_confusion, split_confusion
from segapp.metrics.scores import SCORES, mean_over_classes


class ImageScores(NamedTuple):
    """What is kept of one image."""

    name: str
    counts: list[list[int]]
    """True positives, false positives and false negatives, each per class."""
    cells: list[tuple[int, int, int]]
    """Its confusion matrix as (truth, prediction, count); empty unless `keep_confusion`."""
    boundaries: list[BoundaryScore]
    """Per class; empty unless `keep_boundaries`."""


class SegmentationScores:
    """Dice, IoU and boundary scores of whole images, per data set and per image.

    Holds, on the CPU, one (K, K) int64 confusion sum of this process and, per image, its name and the true positives,
    false positives and false negatives per class. Nothing is exchanged between processes before `compute` or
    `gathered`, which then give the same numbers on each, whatever the number of processes. (Not a torchmetrics
    metric: those cannot gather names, keep an old result where a process had no new image, and double their counts
    where processes start with shared memory.)

    Args:
        classes: The K class names.
        background: The class left out of macro means, if any.
        keep_confusion: Also keep every image's own confusion matrix, as sparse rows (truth, prediction, count).
        keep_boundaries: Also score the boundaries, which takes time (`segapp.metrics.boundary`).
    """

    def __init__(
        self,
        classes: Sequence[str],
        background: int | None,
        keep_confusion: bool = False,
        keep_boundaries: bool = False,
    ) -> None:
        self.classes = tuple(classes)
        if background is not None and not 0 <= background < len(self.classes):
            raise SegappError(f"background is class {background}, expected 0 … {len(self.classes) - 1} or none.")
        self.background = background
        self.keep_confusion = keep_confusion
        self.keep_boundaries = keep_boundaries
        self.reset()

    def reset(self) -> None:
        """Remove every image."""
        k = len(self.classes)
        self.confusion = torch.zeros(k, k, dtype=torch.int64)
        self.images: list[ImageScores] = []

    def update(self, prediction: Tensor, mask: Tensor, name: str) -> None:
        """Count one image.

        Args:
            prediction: (H, W) class indices.
            mask: (H, W) true class indices, 255 = ignore.
            name: The image's name, for the per-image table.

        Raises:
            SegappError: a class index outside 0 … K-1, or shapes that differ.
        """
        try:
            counts = count_confusion(prediction, mask, len(self.classes)).cpu()
            outlines = []
            if self.keep_boundaries:
                outlines = score_boundaries(prediction.cpu().numpy(), mask.cpu().numpy(), len(self.classes))
        except SegappError as error:
            raise SegappError(f"{name}: {error}") from None
        self.confusion = self.confusion + counts  # not in place: spawned processes share what they began with
        rows = []
        if self.keep_confusion:
            truth, guess = counts.nonzero(as_tuple=True)
            rows = list(zip(truth.tolist(), guess.tolist(), counts[truth, guess].tolist(), strict=True))
        self.images.append(ImageScores(name, split_confusion(counts).tolist(), rows, outlines))

    def compute(self) -> dict[str, float]:
        """Compute every score by its full name (`dice/dataset`, `iou/image/<class>`, …).

        NaN where nothing was scored.
        """
        return self.scores(*self.gathered())

    def gathered(self) -> tuple[Tensor, list[ImageScores]]:
        """Gather (K, K) int64 summed over all processes, and all images sorted by name.

        A collective, outside any step.
        """
        parts: list[Any] = [(self.confusion, self.images)]
        if distributed.is_available() and distributed.is_initialized():
            parts = [None] * distributed.get_world_size()
            distributed.all_gather_object(parts, (self.confusion, self.images))
        total = torch.stack([total for total, _ in parts]).sum(0)
        # By name, and by the rest where names repeat: means then round alike on any number of processes. As text, for
        # a boundary score may be NaN, which has no place in an order.
        return total, sorted((image for _, images in parts for image in images), key=_place)

    def scores(self, total: Tensor, images: list[ImageScores]) -> dict[str, float]:
        """Return the scores of gathered counts.

        `<score>/dataset`: counts summed over the set, then per class, then the mean over classes (the mIoU of VOC,
        Cityscapes). `<score>/image`: per image the mean over its classes, then the mean over images; of one class, the
        mean over the images where it is defined. `surface_dice/image` and `hd95/image` likewise, where boundaries were
        kept.
        """
        per_set = split_confusion(total)
        per_image = self.values(images)
        result: dict[str, float] = {}
        for score, function in SCORES.items():
            per_class = function(*per_set)
            self._add(result, f"{score}/dataset", mean_over_classes(per_class, self.background), per_class)
            self._add_images(result, score, per_image.pop(score))
        for score, values in per_image.items():
            self._add_images(result, score, values)
        return result

    def values(self, images: list[ImageScores]) -> dict[str, Tensor]:
        """Return every score of every image and class, (I, K) float64, NaN where the class is in neither mask."""
        counts = self._counts(images).unbind(1)
        values = {score: function(*counts) for score, function in SCORES.items()}
        if self.keep_boundaries:
            outlines = torch.tensor([image.boundaries for image in images], dtype=torch.float64)
            outlines = outlines.reshape(-1, len(self.classes), len(BoundaryScore._fields))
            values |= dict(zip(BoundaryScore._fields, outlines.unbind(-1), strict=True))
        return values

    def _counts(self, images: list[ImageScores]) -> Tensor:
        """Stack the counts (images, 3, K) int64, also of no image."""
        return torch.tensor([image.counts for image in images], dtype=torch.int64).reshape(-1, 3, len(self.classes))

    def _add_images(self, result: dict[str, float], score: str, values: Tensor) -> None:
        of_images = mean_over_classes(values, self.background)
        self._add(result, f"{score}/image", of_images.nanmean(), values.nanmean(0))

    def _add(self, result: dict[str, float], name: str, mean: Tensor, per_class: Tensor) -> None:
        result[name] = float(mean)
        for label, value in zip(self.classes, per_class.tolist(), strict=True):
            result[f"{name}/{label}"] = value

    def support(self, images: list[ImageScores]) -> dict[str, int]:
        """Count the images over which each class's per-image score is a mean."""
        defined = (self._counts(images).sum(1) > 0).sum(0)
        return dict(zip(self.classes, defined.tolist(), strict=True))


def _place(image: ImageScores) -> tuple[Any, ...]:
    return image.name, image.counts, image.cells, str(image.boundaries)
