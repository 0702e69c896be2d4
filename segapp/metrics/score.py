"""The contract of a score: a row for every image, and values reduced from the rows of a data set."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np
from torch import Tensor, float64, zeros

from segapp.metrics.counts import count_confusion
from segapp.metrics.outlines import BoundaryDistances, BoundaryUnit, measure_boundaries
from segapp.metrics.regions import RegionPairs, pair_regions

PIXELS = BoundaryUnit()


class Comparison:
    """The prediction and the target of one image, with what several scores need of them.

    Args:
        prediction: (H, W) class indices of any integer dtype.
        target: (H, W) target class indices, 255 = ignore.
        num_classes: K.
        unit: In which distances are measured.
    """

    def __init__(self, prediction: Tensor, target: Tensor, num_classes: int, unit: BoundaryUnit = PIXELS) -> None:
        self.prediction, self.target, self.num_classes, self.unit = prediction, target, num_classes, unit

    @cached_property
    def confusion(self) -> Tensor:
        """(K, K) int64 on the CPU; rows are the target, columns the prediction."""
        return count_confusion(self.prediction, self.target, self.num_classes).cpu()

    @cached_property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Prediction and target as (H, W) uint8, 255 = ignore in the target; both hold classes elsewhere."""
        self.confusion  # noqa: B018 - raises SegappError for what is no class
        prediction, target = (labels.cpu().numpy() for labels in (self.prediction, self.target))
        return prediction.astype(np.uint8, copy=False), target.astype(np.uint8, copy=False)

    @cached_property
    def boundaries(self) -> list[BoundaryDistances]:
        """The distances between the boundaries of every class, in the unit of the comparison."""
        return measure_boundaries(*self.arrays, self.num_classes, self.unit.spacing)

    @cached_property
    def regions(self) -> RegionPairs:
        """The connected regions of every class, the background too, and how they overlap."""
        return pair_regions(*self.arrays)


class Value(NamedTuple):
    """One reduced value of a data set; NaN where nothing was scored."""

    mean: float
    """Over the classes, without the background unless its name says otherwise."""
    per_class: tuple[float, ...] = ()
    """Empty where only the mean is defined."""


class Score(ABC):
    """A family of values per image and class, and their reduction over images.

    A new score is a class derived from this one, named in `TEST_SCORES` (metrics/__init__.py): tests, `segapp.evaluate`
    and everything that reports values take it from there.

    Args:
        classes: The K class names.
        background: The class left out of means over classes, if any.
    """

    columns: ClassVar[tuple[str, ...]]
    """The entries of a row, each per class: columns of `per_image.csv`."""
    lower_is_better: ClassVar[tuple[str, ...]] = ()
    """The names of `measure` of which less is better; reports ask for them."""
    in_brief: ClassVar[bool] = True
    """Whether printed tables, logs and the pages of compare and study have its values; the files always have."""

    def __init__(self, classes: Sequence[str], background: int | None) -> None:
        self.classes, self.background = tuple(classes), background

    @abstractmethod
    def update(self, comparison: Comparison) -> Tensor:
        """Return the row of one image, (len(columns), K); NaN where a class has no value.

        Raises SegappError for an image that cannot be scored.
        """

    def measure(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the named values of every image and class, (I, K) float64, from rows (I, len(columns), K).

        They are the columns, unless a score computes something else from them, as Dice from counts.
        """
        return dict(zip(self.columns, rows.to(float64).unbind(1), strict=True))

    def reduce(self, rows: Tensor) -> dict[str, Value]:
        """Return the values of a data set by name, from rows (I, len(columns), K), I ≥ 0.

        `<measure>/image`: per image the mean over its classes, then the mean over images; of one class, the mean over
        the images where it has a value.
        """
        return {f"{name}/image": self._average_images(values) for name, values in self.measure(rows).items()}

    @property
    def names(self) -> list[str]:
        """The names of the values of `reduce`, known without data."""
        return list(self.reduce(zeros(0, len(self.columns), len(self.classes))))

    @property
    def measures(self) -> list[str]:
        """The names of the values of `measure`, known without data."""
        return list(self.measure(zeros(0, len(self.columns), len(self.classes))))

    def _average_images(self, values: Tensor) -> Value:
        """Average (I, K) values over classes and images."""
        return Value(float(average_over_classes(values, self.background).nanmean()), tuple(values.nanmean(0).tolist()))


def average_over_classes(values: Tensor, background: int | None) -> Tensor:
    """Return the mean of (…, K) scores over the classes that have one, the background left out; NaN where none has.

    Of one image this is *the* score of the image, and `<score>/image` is its mean over images: the one definition that
    metrics.json, per_image.csv and the tables of `segapp compare` and `study` share.
    """
    counted = [index for index in range(values.shape[-1]) if index != background]
    return values[..., counted].nanmean(-1)
