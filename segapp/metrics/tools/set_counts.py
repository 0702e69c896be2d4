"""The counts of a data set from which every tool's scores are computed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor

from segapp.batch import IGNORE_INDEX
from segapp.metrics.counts import count_confusion, split_confusion


class ImageCounts(NamedTuple):
    """The counts of one image, or of some of its slices."""

    name: str
    counts: Tensor
    """(3, K) int64: true positives, false positives and false negatives."""
    ignored: Tensor
    """(K,) int64: the ignored pixels that were predicted as each class."""


def count_image(name: str, prediction: Tensor, target: Tensor, num_classes: int) -> ImageCounts:
    """Count one image.

    Args:
        name: The image's name.
        prediction: (H, W) class indices.
        target: (H, W) target class indices, 255 = ignore.
        num_classes: K.

    Raises:
        SegappError: a class index outside 0 … K-1, or shapes that differ.
    """
    confusion = count_confusion(prediction, target, num_classes)
    ignored = torch.bincount(prediction[target == IGNORE_INDEX].flatten().long(), minlength=num_classes)
    return ImageCounts(name, split_confusion(confusion), ignored[:num_classes])


@dataclass(frozen=True)
class SetCounts:
    """The counts of every image of a data set."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    background: int | None
    counts: Tensor
    """(I, 3, K) int64: true positives, false positives and false negatives; ignored pixels are left out."""
    ignored: Tensor
    """(I, K) int64: the ignored pixels that were predicted as each class."""

    @classmethod
    def collect(cls, images: Iterable[ImageCounts], classes: Sequence[str], background: int | None) -> Self:
        """Return the counts of a data set; images of one name, as the slices of a volume, are added up."""
        counts: dict[str, Tensor] = {}
        ignored: dict[str, Tensor] = {}
        for image in images:
            counts[image.name] = counts.get(image.name, 0) + image.counts
            ignored[image.name] = ignored.get(image.name, 0) + image.ignored
        names, empty = sorted(counts), torch.zeros(0, 3, len(classes), dtype=torch.int64)
        stacked = torch.stack([counts[name] for name in names]) if names else empty
        return cls(
            tuple(names),
            tuple(classes),
            background,
            stacked,
            torch.stack([ignored[name] for name in names]) if names else empty[:, 0],
        )

    @property
    def target(self) -> Tensor:
        """(I, K) int64: the pixels of every class in the target."""
        return self.counts[:, 0] + self.counts[:, 2]

    @property
    def predicted(self) -> Tensor:
        """(I, K) int64: the predicted pixels of every class."""
        return self.counts[:, 0] + self.counts[:, 1]

    @property
    def total(self) -> Tensor:
        """(3, K) int64: the counts of the set."""
        return self.counts.sum(0)

    @property
    def foreground(self) -> list[int]:
        """The indices of all classes but the background."""
        return [index for index in range(len(self.classes)) if index != self.background]

    def count_ignored_as_errors(self) -> Self:
        """Return the counts of tools that ignore no pixels: what was predicted there is a false positive."""
        errors = torch.stack([torch.zeros_like(self.ignored), self.ignored, torch.zeros_like(self.ignored)], 1)
        return replace(self, counts=self.counts + errors, ignored=torch.zeros_like(self.ignored))
