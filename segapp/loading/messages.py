"""Messages about the data, which only the first of several processes prints."""

import logging
from collections.abc import Sequence

from lightning.pytorch.utilities import rank_zero_only

from segapp.terminal.text import for_terminal

logger = logging.getLogger(__name__)


@rank_zero_only
def report(message: str) -> None:
    """Log a message that everyone who trains should read."""
    logger.warning("%s", for_terminal(message))


def format_some(names: Sequence[str], shown: int = 3) -> str:
    """Return the first names, and how many more there are."""
    return ", ".join(names[:shown]) + (f" … and {len(names) - shown} more" if len(names) > shown else "")
