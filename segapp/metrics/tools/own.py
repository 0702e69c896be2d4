"""segapp's own rules in the terms of the other tools', to set them side by side."""

from collections.abc import Iterator

from segapp.metrics.overlap import Overlap
from segapp.metrics.tools.set_counts import SetCounts
from segapp.metrics.tools.tool import Tool, ToolScores, count_absences, count_false_alarms, format_times, name_unused


class Segapp(Tool):
    """Dice and IoU of the data set and per image."""

    title = "segapp"
    source = "docs/scores.md"
    skips_background = True

    def reduce(self, counts: SetCounts) -> ToolScores:
        """Return the values of `Overlap`."""
        overlap = Overlap(counts.classes, counts.background)
        return ToolScores(overlap.reduce(counts.counts), overlap.measure(counts.counts))

    def explain_rules(self, counts: SetCounts) -> Iterator[str]:
        """Yield what empty masks did."""
        if alarms := count_false_alarms(counts, counts.foreground):
            yield f"{format_times(alarms)} a class was predicted in an image without it: that counts as 0 in …/image."
        if absences := count_absences(counts, counts.foreground):
            yield f"{format_times(absences)} a class was in neither mask of an image: that is left out of …/image."
        if never := name_unused(counts, counts.foreground):
            yield f"{never}: in no mask of the set, and left out of …/dataset."
