"""Report images that are converted between grey and colour because a data set has one number of channels."""

import logging
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from segapp.errors import SegappError
from segapp.io import FilePart, Image
from segapp.system.limits import count_usable_cores
from segapp.terminal.text import for_terminal

logger = logging.getLogger(__name__)


def report_converted(files: Sequence[Path | FilePart], channels: int, first: Path | FilePart) -> None:
    """Log how many images have other channels than the first image, which set `channels`, and how to change that."""
    with ThreadPoolExecutor(min(8, count_usable_cores())) as pool:
        stored = Counter(pool.map(_read_channels, files))
    for other, count in sorted(stored.items()):
        if other not in (0, channels):
            logger.warning(
                "%d of %d images have %d channels and are converted to the %d channels of the first image, %s. To "
                "convert the others instead, set `channels: %d` in data.source.init_args.",
                *(count, len(files), other, channels, for_terminal(str(first)), other),
            )


def _read_channels(file: Path | FilePart) -> int:
    """Return an image's channels; 0 where its header cannot be read: the code that reads the image reports that."""
    try:
        return Image(file).shape[2]
    except SegappError:
        return 0
