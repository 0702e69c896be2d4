"""Shows the progress of a long command: a bar in a terminal, elsewhere a line from time to time."""

import sys
import time
from typing import Any

from tqdm import tqdm

EVERY = 15.0
"""Seconds between two lines in a log."""


class Progress(tqdm):
    """A progress bar with rate and remaining time; where stderr is not a terminal, lines with the same text.

    Args:
        total: Units in all; None where that is not known beforehand.
        unit: What is counted, in the singular.
        label: The text before it.
        done: Units that an earlier start finished; they do not count for the rate.
        every: Seconds between two lines.
    """

    def __init__(self, total: int | None, unit: str, label: str, done: float = 0, every: float = EVERY) -> None:
        options: dict[str, Any] = {"total": total, "initial": done, "unit": f" {unit}", "desc": label}
        self._every = 0.0 if sys.stderr.isatty() else every
        if self._every:
            counted = "{n_fmt}{unit}s" if total is None else "{n_fmt} of {total_fmt}{unit}s"
            left = "" if total is None else ", {remaining} left"
            options |= {"file": _Lines(), "mininterval": every, "maxinterval": every, "miniters": 1, "smoothing": 0}
            options["bar_format"] = f"{{desc}}: {counted}, {{elapsed}} so far, {{rate_fmt}}{left}{{postfix}}"
        super().__init__(**options)

    def show(self) -> None:
        """Redraw a bar; write a line where the last one is old enough."""
        if not self._every or time.time() - self.last_print_t >= self._every:
            self.last_print_n, self.last_print_t = self.n, time.time()
            self.refresh()

    def close(self) -> None:
        """End with the last state, which a log holds once."""
        if self._every and self.n == self.last_print_n:
            self.leave = False
        super().close()


class _Lines:
    """Stderr for tqdm's bars: each state is written as a separate line."""

    encoding = "utf-8"

    def write(self, text: str) -> None:
        if shown := text.strip():
            sys.stderr.write(f"{shown}\n")

    def flush(self) -> None:
        sys.stderr.flush()
