"""How masks of one file for each image are written, as a data section describes it."""

from pathlib import Path

from segapp.datasets.folder import Folder
from segapp.datasets.masks.encoding import PixelEncoding
from segapp.errors import MisuseError
from segapp.planning.source import build_planned_source, describe_section


def read_mask_section(path: str) -> tuple[Folder, PixelEncoding]:
    """Return the data set of a data section and how its masks are written.

    Raises MisuseError where an image may have several masks or share one, and where masks are partial.
    """
    decisions = describe_section(Path(path))
    if any(decision.setting.endswith(".looked_for") and decision.value is not None for decision in decisions):
        raise MisuseError(f"{path}: looked_for describes partial masks, which `segapp test` scores; leave it out here.")
    source = build_planned_source(decisions)
    if not isinstance(source, Folder):
        raise MisuseError(f"{path}: describes no folder of masks; its source is segapp.datasets.Folder.")
    if not isinstance(source.mask, PixelEncoding) or source.mask.several:
        raise MisuseError(
            f"{path}: its mask is {type(source.mask).__name__}, of which an image may have several files or share one; "
            "scores are of one mask file for each image."
        )
    return source, source.mask
