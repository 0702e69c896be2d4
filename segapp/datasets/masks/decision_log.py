"""Log how many mask pixels hold no class exactly and were assigned to one by a rule."""

import logging
from pathlib import Path

from segapp.terminal.text import for_terminal

logger = logging.getLogger(__name__)


class DecisionLog:
    """Counts decided pixels over the masks that this process has read; logs after 1, 10, 100, … masks."""

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._decided = self._pixels = 0
        self._paths: set[Path] = set()
        self._next = 1

    def add(self, path: Path, decided: int, pixels: int) -> None:
        """Count a mask when it is first read: the rule assigned `decided` of its `pixels`."""
        if path in self._paths:
            return
        self._paths.add(path)
        self._decided += decided
        self._pixels += pixels
        if self._decided and len(self._paths) >= self._next:
            self._next = 10 * len(self._paths)
            masks = (
                f"the first {len(self._paths)} masks" if len(self._paths) > 1 else f"the mask {for_terminal(str(path))}"
            )
            share = 100 * self._decided / self._pixels
            logger.warning("%s decided %s pixels (%.2g %%) of %s.", self._rule, f"{self._decided:,}", share, masks)
