"""Check the palettes of masks: where files disagree on the colours, palette indices are no class indices."""

from collections.abc import Container
from pathlib import Path

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.datasets.masks.encoding import Labels
from segapp.datasets.value_counts import count_values
from segapp.errors import MisuseError

BLACK = (0, 0, 0)


class Palettes:
    """The colour of each index in the masks that this process has read so far."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[tuple[int, ...], Path]] = {}

    def check(
        self, path: Path, indices: np.ndarray, palette: np.ndarray, labels: Labels, listed: Container[int]
    ) -> None:
        """Raise MisuseError if the (H, W) indices have other colours than in another file, or look exchanged.

        Programs that save or shrink palettes sort them as they like. `listed` are the indices whose class the
        user gave.
        """
        used = np.flatnonzero(count_values(indices))
        colours = {int(index): tuple(int(v) for v in palette[index]) for index in used}
        for index, colour in colours.items():
            known, other = self._seen.setdefault(index, (colour, path))
            if known != colour:
                raise MisuseError(
                    f"{path}: its palette gives {index} the colour {colour}, that of {other} gives it {known}, so "
                    f"the numbers are not the same classes in both files. {_suggest_fix(colours)}"
                )
        black = [index for index, colour in colours.items() if colour == BLACK and index != IGNORE_INDEX]
        base = colours.get(labels.background, BLACK)
        if base != BLACK and [index for index in black if index not in listed]:
            raise MisuseError(
                f"{path}: its palette gives {labels.background} ({labels.classes[labels.background]!r}) the colour "
                f"{base} and {black[0]} black; a program may have sorted it. {_suggest_fix(colours)} If the numbers "
                f"are the classes, set mask to segapp.datasets.Indices with values {{{black[0]}: {black[0]}}}."
            )


def _suggest_fix(colours: dict[int, tuple[int, ...]]) -> str:
    shown = ", ".join(str(list(colour)) for colour in list(colours.values())[:6])
    return f"Read the colours: set mask to segapp.datasets.Colours, with the class of each colour (here {shown})."
