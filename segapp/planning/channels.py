"""Choose the channels of images that differ in them, and leave out files that cannot be opened."""

import glob
from collections import Counter
from collections.abc import Sequence

from segapp.errors import MisuseError, SegappError
from segapp.io import FilePart, Image
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import MIN_IMAGES
from segapp.planning.unreadable import are_few


def choose_channels(
    names: Sequence[str], files: Sequence[FilePart], may_exclude: bool, prefix: str = "data.source.init_args"
) -> list[Decision]:
    """Decide about channels where images differ: grey among colour become colour, a few others are excluded.

    A few files that cannot be opened are excluded too.

    Args:
        names: Of the images.
        files: The same images.
        may_exclude: Whether single images may be left out; slices of a volume may not.
        prefix: The data set in the configuration.
    """
    channels, broken = _count_channels(names, files)
    if broken and not (may_exclude and are_few(len(broken), len(names))):
        raise next(iter(broken.values()))
    excluded = list(broken)
    reasons = [f"Left out, {len(broken)} of {len(names)}: {error}" for error in list(broken.values())[:1]]
    decisions = []
    found = Counter(channels.values())
    if set(found) == {1, 3}:
        counted = f"{found[1]} images are grey and {found[3]} in colour."
        decisions.append(Decision(f"{prefix}.channels", 3, counted))
    elif len(found) > 1:
        others, reason = _choose_others(channels, may_exclude)
        excluded += others
        reasons.append(reason)
    if excluded:
        decisions.append(Decision(f"{prefix}.exclude", [glob.escape(name) for name in excluded], " ".join(reasons)))
    return decisions


def _count_channels(names: Sequence[str], files: Sequence[FilePart]) -> tuple[dict[str, int], dict[str, SegappError]]:
    """Return the channels of the images that can be opened, and the errors of the others."""
    channels: dict[str, int] = {}
    broken: dict[str, SegappError] = {}
    for name, file in zip(names, files, strict=True):
        try:
            channels[name] = Image(file).shape[2]
        except SegappError as error:
            broken[name] = error
    return channels, broken


def _choose_others(channels: dict[str, int], may_exclude: bool) -> tuple[list[str], str]:
    """Return the images of other channels than most, and why; MisuseError where they are too many to leave out."""
    found = Counter(channels.values())
    (usual, count), *_ = found.most_common()
    if may_exclude and count >= MIN_IMAGES and 2 * count > len(channels):
        others = [name for name, own in channels.items() if own != usual]
        reason = (
            f"Left out, {len(others)} of {len(channels)}: {others[0]} has {channels[others[0]]} channels, "
            f"{count} images have {usual}."
        )
        return others, reason
    counted = ", ".join(f"{count} of {own}" for own, count in sorted(found.items()))
    raise MisuseError(
        f"the images have different channels ({counted}); convert them to the same channels, or plan for those that "
        "agree."
    )
