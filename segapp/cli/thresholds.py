"""`--fail_under NAME=VALUE`: end `validate` or `test` with exit code 1 where a score is too low."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segapp.errors import MisuseError, SegappError, suggest
from segapp.spec import find_volume_name

if TYPE_CHECKING:  # `parse` runs before torch is imported
    from segapp.metrics import Evaluation, ScoreCollector

SHOWN = 8
"""Names of scores in a message."""


@dataclass(frozen=True)
class Thresholds:
    """The least value of each score that the user named, by the score's name in metrics.json."""

    least: Mapping[str, float]

    @classmethod
    def parse(cls, words: Sequence[str] | str | None) -> "Thresholds":
        """Return what `NAME=NUMBER` says, once or several times; MisuseError for other words."""
        least = {}
        for word in [words] if isinstance(words, str) else words or []:
            name, _, value = str(word).rpartition("=")  # the name of a class may hold the sign
            try:
                number = float(value)
            except ValueError:
                number = math.nan
            if not name or math.isnan(number):
                raise MisuseError(
                    f"--fail_under {word}: name a score and its least value, as in --fail_under iou/dataset=0.8."
                )
            least[name] = number
        return cls(least)

    def refuse_unknown(self, collector: "ScoreCollector", splits: Mapping[str, Sequence[str]]) -> None:
        """Raise MisuseError for a name that no score has, and for a score of which less is better.

        Args:
            collector: Its scores will be computed.
            splits: The names of the images; those of slices make scores of volumes.
        """
        known = collector.names
        if any(find_volume_name(name) is not None for names in splits.values() for name in names):
            overlap = [name for name in known if name.split("/")[0] in collector.scores[0].measures]
            known = known + [name.replace("/image", "/volume", 1) for name in overlap if name.split("/")[1] == "image"]
        falling = {measure for score in collector.scores for measure in score.lower_is_better}
        for name in self.least:
            measure = name.partition("/")[0]
            if name not in known:
                near = [other for other in known if other.partition("/")[0] == measure] or known
                listed = ", ".join(near[:SHOWN]) + (", …" if len(near) > SHOWN else "")
                raise MisuseError(
                    f"--fail_under: there is no score {name!r} here{suggest(name, known)}; known are {listed}."
                )
            if measure in falling:
                raise MisuseError(f"--fail_under {name}: less is better of this score, so a low value is no failure.")

    def check(self, evaluation: "Evaluation") -> None:
        """Raise SegappError that names every score below its least value, or without a value."""
        if not self.least:
            return
        from segapp.report.evaluation_files import name_volume_scores  # torch is imported by now

        volumes = evaluation.sum_volumes()
        scores = evaluation.flat | (name_volume_scores(volumes) if volumes is not None else {})
        low = [
            f"{name} has no value" if math.isnan(scores[name]) else f"{name} is {scores[name]:.4f}, below {least:g}"
            for name, least in self.least.items()
            if not scores[name] >= least
        ]
        if low:
            raise SegappError(f"--fail_under: {'; '.join(low)}.")
