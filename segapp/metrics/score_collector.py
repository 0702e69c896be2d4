"""Collect the scores of complete images over a data set, exact on any number of processes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from segapp.batch import IGNORE_INDEX
from segapp.errors import SegappError
from segapp.metrics.calibration import CalibrationCounts, count_calibration, merge_unlooked, sum_by_temperature
from segapp.metrics.evaluation import Evaluation, ImageRows
from segapp.metrics.gathering import gather_objects
from segapp.metrics.outlines import BoundaryUnit
from segapp.metrics.overlap import Overlap
from segapp.metrics.score import PIXELS, Comparison, Score


class ScoreCollector:
    """Collects the images of a data set and computes their scores.

    Holds, on the CPU, one (K, K) int64 confusion sum of this process, the counts of `calibration` and, per image, its
    name and the row of every score. Nothing is exchanged between processes before `compute`, which then gives the same
    numbers on each, whatever the number of processes. (Not a torchmetrics metric: those cannot gather names, keep an
    old result where a process had no new image, and double their counts where processes start with shared memory.)

    Args:
        classes: The K class names.
        background: The class left out of means over classes, if any.
        scores: Further scores beside Dice and IoU, such as `Boundary`, which takes time.
        keep_confusion: Also keep every image's own confusion matrix, as sparse rows (target, prediction, count).
        unit: In which boundary scores measure distances; default: pixels.

    Raises:
        SegappError: The background is not one of the classes.
    """

    def __init__(
        self,
        classes: Sequence[str],
        background: int | None,
        scores: Sequence[type[Score]] = (),
        keep_confusion: bool = False,
        unit: BoundaryUnit = PIXELS,
    ) -> None:
        self.classes, self.background, self.keep_confusion = tuple(classes), background, keep_confusion
        self.unit = unit
        if background is not None and not 0 <= background < len(self.classes):
            raise SegappError(f"background is class {background}, expected 0 … {len(self.classes) - 1} or none.")
        kinds: list[type[Score]] = [Overlap, *scores]
        self.scores: tuple[Score, ...] = tuple(kind(self.classes, background) for kind in kinds)
        self.confusion = torch.zeros(len(self.classes), len(self.classes), dtype=torch.int64)
        self.images: list[ImageRows] = []
        self.calibration: dict[float, CalibrationCounts] = {}

    @property
    def names(self) -> list[str]:
        """The names of the values, known without data: `dice/dataset`, `dice/dataset/<class>`, …."""
        return list(Evaluation(self.scores, self.classes, self.background, self.confusion, []).flat)

    def update(
        self,
        prediction: Tensor,
        target: Tensor,
        name: str,
        looked_for: Tensor | None = None,
        confidence: float = math.nan,
        pixel_size: tuple[float, float] | None = None,
    ) -> None:
        """Score one image and add it.

        Args:
            prediction: (H, W) class indices.
            target: (H, W) target class indices, 255 = ignore.
            name: The image's name, for the table of images.
            looked_for: (K,) bool: the classes that the target would show; default: all. A prediction of another class
                counts as background, and such a class has no counts and no score in this image.
            confidence: The mean probability of the predicted class over all pixels.
            pixel_size: Height and width of a pixel in µm, where its file states them.

        Raises:
            SegappError: a class index outside 0 … K-1, shapes that differ, or a missing size of a pixel where distances
                are measured in a unit of length.
        """
        image, counts = self.score(prediction, target, name, looked_for, pixel_size)
        self.add(image._replace(confidence=confidence), counts)

    def count_probabilities(
        self, probabilities: Tensor, target: Tensor, looked_for: Tensor | None = None, temperature: float = 1.0
    ) -> None:
        """Count the probabilities of one image, or of a part of it, for its calibration.

        Args:
            probabilities: (K, h, w) float32, on any device.
            target: (h, w) target class indices on the same device, 255 = ignore.
            looked_for: As in `update`; the probabilities of other classes are added to the background's.
            temperature: What the logits were divided by; those of each temperature are counted apart.
        """
        if looked_for is not None:
            probabilities = merge_unlooked(probabilities, looked_for, self._require_background())
        counts = count_calibration(probabilities, target)
        self.calibration = sum_by_temperature([self.calibration, {temperature: counts}])

    def score(
        self,
        prediction: Tensor,
        target: Tensor,
        name: str,
        looked_for: Tensor | None = None,
        pixel_size: tuple[float, float] | None = None,
    ) -> tuple[ImageRows, Tensor]:
        """Return the rows and the confusion matrix of one image, and change nothing: threads may call it.

        Arguments and errors are those of `update`.
        """
        if looked_for is not None:
            prediction = self._merge_classes(prediction, looked_for)
        comparison = Comparison(prediction, target, len(self.classes), self.unit.fit(pixel_size, name))
        try:
            rows = tuple(_clear_classes(score.update(comparison), looked_for).tolist() for score in self.scores)
        except SegappError as error:
            raise SegappError(f"{name}: {error}") from None
        counts = comparison.confusion
        cells = []
        if self.keep_confusion:
            targets, predictions = counts.nonzero(as_tuple=True)
            cells = list(
                zip(targets.tolist(), predictions.tolist(), counts[targets, predictions].tolist(), strict=True)
            )
        return ImageRows(name, rows, cells), counts

    def add(self, image: ImageRows, counts: Tensor) -> None:
        """Add what `score` returned."""
        self.confusion = self.confusion + counts  # not in place: spawned processes share their initial tensors
        self.images.append(image)

    def _merge_classes(self, prediction: Tensor, looked_for: Tensor) -> Tensor:
        """Return the prediction with the background in place of the classes that were not looked for."""
        background = self._require_background()
        missing = torch.zeros(IGNORE_INDEX + 1, dtype=torch.bool, device=prediction.device)
        missing[: len(self.classes)] = ~looked_for.to(prediction.device)
        return torch.where(missing[prediction.long().clamp(0, IGNORE_INDEX)], background, prediction)

    def _require_background(self) -> int:
        if self.background is None:
            raise SegappError("classes that were not looked for count as background, but the data has none.")
        return self.background

    def compute(self) -> Evaluation:
        """Gather the images of all processes and reduce them; a collective, outside any step."""
        parts = gather_objects((self.confusion, self.images, self.calibration))
        total = torch.stack([total for total, _, _ in parts]).sum(0)
        images = sorted((image for _, images, _ in parts for image in images), key=_sort_key)
        calibration = sum_by_temperature([counts for _, _, counts in parts])
        return Evaluation(self.scores, self.classes, self.background, total, images, calibration, self.unit)


def _clear_classes(row: Tensor, looked_for: Tensor | None) -> Tensor:
    """Return a row (columns, K) without values of classes that were not looked for: counts are 0, others NaN."""
    if looked_for is None:
        return row
    nothing = torch.nan if row.is_floating_point() else 0
    return row.masked_fill(~looked_for.to(row.device), nothing)


def _sort_key(image: ImageRows) -> tuple[str, str]:
    """Sort by name, and by the rest where names repeat: means then round alike on any number of processes.

    The rest is compared as text, since NaN in a row cannot be ordered.
    """
    return image.name, str(image)
