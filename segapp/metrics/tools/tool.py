"""The contract of a tool's rules: how it reduces counts to scores, and why these differ from others'."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from segapp.metrics.score import Value, average_over_classes
from segapp.metrics.tools.set_counts import SetCounts


@dataclass(frozen=True)
class ToolScores:
    """What a tool reports of a data set."""

    values: dict[str, Value]
    """By the tool's names: the mean, and the value of each class where the tool has one."""
    images: Mapping[str, Tensor] = field(default_factory=dict)
    """(I, K) float64 of every image and class, where the tool scores images; NaN where it leaves one out."""

    @property
    def flat(self) -> dict[str, float]:
        """The means by their names."""
        return {name: value.mean for name, value in self.values.items()}

    def flatten(self, classes: Sequence[str]) -> dict[str, float]:
        """Return the means, and the values of classes as `<name>/<class>`."""
        named = {
            f"{name}/{label}": one
            for name, value in self.values.items()
            for label, one in zip(classes if value.per_class else (), value.per_class, strict=True)
        }
        return self.flat | named

    def tabulate(self, counts: SetCounts) -> tuple[list[str], list[list[Any]]]:
        """Return header and rows of a table of images: the mean of every score, then of each class counts and scores.

        A tool that scores no images has only the counts.
        """
        header = ["name", *self.images]
        header += [f"{column}/{label}" for label in counts.classes for column in ("tp", "fp", "fn", *self.images)]
        columns = torch.cat([counts.counts.double(), *(each[:, None] for each in self.images.values())], 1)
        means = [average_over_classes(each, None).tolist() for each in self.images.values()]
        cells = columns.transpose(1, 2).flatten(1).tolist()
        rows = [[name, *(mean[i] for mean in means), *cells[i]] for i, name in enumerate(counts.names)]
        return header, rows


class Tool(ABC):
    """The rules of a tool."""

    title: ClassVar[str]
    """What it is, with its version where that matters."""
    source: ClassVar[str]
    """Where its rules are written."""
    ignores: ClassVar[bool] = True
    """Whether it can leave out ignored pixels; else predictions there are false positives."""
    skips_background: ClassVar[bool] = False
    """Whether it leaves out the background."""

    def score(self, counts: SetCounts) -> ToolScores:
        """Return the tool's scores."""
        return self.reduce(counts if self.ignores else counts.count_ignored_as_errors())

    @abstractmethod
    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return the tool's scores of counts whose ignored pixels it treats as given."""

    @abstractmethod
    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield one sentence for each rule of its own that these counts met."""

    def explain(self, counts: SetCounts) -> list[str]:
        """Return in sentences what was left out or counted 0, and how many times."""
        sentences = list(self._explain_background(counts))
        if (pixels := int(counts.ignored.sum())) and self.ignores:
            sentences.append(f"{pixels:,} ignored pixels are left out.")
        elif pixels:
            sentences.append(f"{pixels:,} ignored pixels count as wrong, because it has no setting to leave them out.")
        seen = counts if self.ignores else counts.count_ignored_as_errors()
        return [*sentences, *self.explain_rules(seen)]

    def _explain_background(self, counts: SetCounts) -> Iterator[str]:
        if counts.background is None:
            return
        name = counts.classes[counts.background]
        if self.skips_background:
            yield f"{name}, the background, is left out."
        else:
            yield f"{name}, the background, counts like every class; segapp leaves it out."


def name_absent(counts: SetCounts, indices: list[int]) -> str:
    """Name the classes that no target has, of those with these indices; empty where there is none."""
    target = counts.target.sum(0)
    return ", ".join(counts.classes[index] for index in indices if not target[index])


def name_unused(counts: SetCounts, indices: list[int]) -> str:
    """Name the classes that are in no mask of the set, of those with these indices; empty where there is none."""
    used = (counts.target + counts.predicted).sum(0)
    return ", ".join(counts.classes[index] for index in indices if not used[index])


def count_false_alarms(counts: SetCounts, indices: list[int]) -> int:
    """Count how many times a class was predicted in an image without it."""
    return int(((counts.target == 0) & (counts.predicted > 0))[:, indices].sum())


def count_absences(counts: SetCounts, indices: list[int]) -> int:
    """Count how many times a class was in neither target nor prediction of an image."""
    return int(((counts.target == 0) & (counts.predicted == 0))[:, indices].sum())


def format_times(count: int) -> str:
    """Return `once`, or the number of times."""
    return "Once" if count == 1 else f"{count:,} times"
