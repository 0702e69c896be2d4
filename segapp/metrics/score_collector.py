"""Collect the scores of complete images over a data set, exact on any number of processes."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor

from segapp.errors import SegappError
from segapp.metrics.evaluation import Evaluation, ImageRows
from segapp.metrics.overlap import Overlap
from segapp.metrics.score import Comparison, Score


class ScoreCollector:
    """Collects the images of a data set and computes their scores.

    Holds, on the CPU, one (K, K) int64 confusion sum of this process and, per image, its name and the row of every
    score. Nothing is exchanged between processes before `compute`, which then gives the same numbers on each, whatever
    the number of processes. (Not a torchmetrics metric: those cannot gather names, keep an old result where a process
    had no new image, and double their counts where processes start with shared memory.)

    Args:
        classes: The K class names.
        background: The class left out of means over classes, if any.
        scores: Further scores beside Dice and IoU, such as `Boundary`, which takes time.
        keep_confusion: Also keep every image's own confusion matrix, as sparse rows (target, prediction, count).

    Raises:
        SegappError: The background is not one of the classes.
    """

    def __init__(
        self,
        classes: Sequence[str],
        background: int | None,
        scores: Sequence[type[Score]] = (),
        keep_confusion: bool = False,
    ) -> None:
        self.classes, self.background, self.keep_confusion = tuple(classes), background, keep_confusion
        if background is not None and not 0 <= background < len(self.classes):
            raise SegappError(f"background is class {background}, expected 0 … {len(self.classes) - 1} or none.")
        kinds: list[type[Score]] = [Overlap, *scores]
        self.scores: tuple[Score, ...] = tuple(kind(self.classes, background) for kind in kinds)
        self.confusion = torch.zeros(len(self.classes), len(self.classes), dtype=torch.int64)
        self.images: list[ImageRows] = []

    @property
    def names(self) -> list[str]:
        """The names of the values, known without data: `dice/dataset`, `dice/dataset/<class>`, …."""
        return list(Evaluation(self.scores, self.classes, self.background, self.confusion, []).flat)

    def update(self, prediction: Tensor, target: Tensor, name: str) -> None:
        """Score one image.

        Args:
            prediction: (H, W) class indices.
            target: (H, W) target class indices, 255 = ignore.
            name: The image's name, for the table of images.

        Raises:
            SegappError: a class index outside 0 … K-1, or shapes that differ.
        """
        comparison = Comparison(prediction, target, len(self.classes))
        try:
            rows = tuple(score.update(comparison).tolist() for score in self.scores)
        except SegappError as error:
            raise SegappError(f"{name}: {error}") from None
        counts = comparison.confusion
        self.confusion = self.confusion + counts  # not in place: spawned processes share their initial tensors
        cells = []
        if self.keep_confusion:
            targets, predictions = counts.nonzero(as_tuple=True)
            cells = list(
                zip(targets.tolist(), predictions.tolist(), counts[targets, predictions].tolist(), strict=True)
            )
        self.images.append(ImageRows(name, rows, cells))

    def compute(self) -> Evaluation:
        """Gather the images of all processes and reduce them; a collective, outside any step."""
        parts: list[Any] = [(self.confusion, self.images)]
        if distributed.is_available() and distributed.is_initialized():
            parts = [None] * distributed.get_world_size()
            distributed.all_gather_object(parts, (self.confusion, self.images))
        total = torch.stack([total for total, _ in parts]).sum(0)
        images = sorted((image for _, images in parts for image in images), key=_sort_key)
        return Evaluation(self.scores, self.classes, self.background, total, images)


def _sort_key(image: ImageRows) -> tuple[str, str]:
    """Sort by name, and by the rest where names repeat: means then round alike on any number of processes.

    The rest is compared as text, since NaN in a row cannot be ordered.
    """
    return image.name, str(image)
