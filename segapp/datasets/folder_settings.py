"""Checks of the settings of a folder of images."""

import re
from collections.abc import Sequence
from pathlib import PurePath

from segapp.datasets.splits import Split
from segapp.errors import MisuseError
from segapp.io import find_suffix
from segapp.spec import check_channel_files


def check_palette(colours: Sequence[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    """Return the colours of classes; raise MisuseError for what is no colour."""
    if any(len(colour) != 3 or not all(0 <= v <= 255 for v in colour) for colour in colours):
        raise MisuseError(f"palette: colours are three numbers 0 … 255 each, got {list(colours)}.")
    return tuple((int(r), int(g), int(b)) for r, g, b in colours)


def check_classes(classes: tuple[str, ...], background: int | None) -> None:
    """Raise MisuseError for names that are too few, too many or equal, and for a background that is none of them."""
    if not 2 <= len(classes) <= 255:
        raise MisuseError(
            f"classes: 2 to 255 names are needed, got {len(classes)}; "
            "for one kind of object write [background, that kind]."
        )
    if len(set(classes)) < len(classes):
        twice = next(name for name in classes if classes.count(name) > 1)
        raise MisuseError(f"classes: {twice!r} is there twice.")
    if background is not None and not 0 <= background < len(classes):
        raise MisuseError(f"background={background} is not one of 0 … {len(classes) - 1}; null for none.")


def list_channel_files(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the files of each channel; raise MisuseError for what is none."""
    if isinstance(names, str):
        raise MisuseError(f"channel_files: write a list, [{names!r}].")
    check_channel_files(names)
    for name in names:
        if suffix := find_suffix(PurePath(name)):
            raise MisuseError(f"channel_files: {name!r}: write it without {suffix!r}.")
    return tuple(names)


def compile_group(group: str | None) -> re.Pattern[str] | None:
    """Return the regular expression that finds an image's group; raise MisuseError where it is none."""
    if group is None:
        return None
    try:
        expression = re.compile(group)
    except re.error as error:
        raise MisuseError(f"group={group!r} is not a regular expression: {error}.") from error
    if expression.groups < 1:
        raise MisuseError(f"group={group!r} needs one pair of parentheses around what names the group.")
    return expression


def find_group(group: re.Pattern[str], name: str) -> str:
    """Return what a group's expression finds in an image's name; raise MisuseError where that is nothing."""
    match = group.search(name)
    words = [word for word in match.groups() if word is not None] if match else []
    if not words:
        raise MisuseError(
            f"group={group.pattern!r} finds nothing in the image name {name!r}; "
            "every name must match. Add '|^(.*)$' to make each of the other images a group of its own."
        )
    return words[0]


def check_blocks(split: Split, group: str | None) -> None:
    """Raise MisuseError where a split cuts images into blocks, and a group keeps images together."""
    if split.blocks is not None and group is not None:
        raise MisuseError(
            f"group={group!r} keeps images in one split, and segapp.datasets.Blocks divides every image; leave out one "
            "of the two."
        )
