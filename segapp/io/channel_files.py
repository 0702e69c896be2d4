"""Images whose channels are in files of their own, as nnU-Net's case_0000.nii.gz and case_0001.nii.gz."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from segapp.errors import MisuseError
from segapp.io.file_part import FilePart
from segapp.io.formats.registry import find_suffix, remove_suffix
from segapp.spec import CHANNEL_NAME, MOST_CHANNELS

NNUNET = re.compile(r".+_(\d{4})")
"""The name of a channel's file in the folders of nnU-Net, without suffix."""


def find_channel(name: str, channel_files: Sequence[str]) -> tuple[str, int] | None:
    """Return the name of the image that a file is a channel of, and which; None for other files.

    Args:
        name: The file's, without suffix.
        channel_files: The names of the files of each channel, with `{name}` for that of the image.

    >>> find_channel("case_7_0001", ["{name}_0000", "{name}_0001"])
    ('case_7', 1)
    """
    for number in sorted(range(len(channel_files)), key=lambda each: -len(channel_files[each])):
        before, after = channel_files[number].split(CHANNEL_NAME)
        if name.startswith(before) and name.endswith(after) and len(name) > len(before) + len(after):
            return name[len(before) : len(name) - len(after)], number
    return None


def find_channel_of_path(path: PurePath, channel_files: Sequence[str]) -> tuple[PurePath, int] | None:
    """Return the path, without suffix, of the image that a file is a channel of, and which; None for other files."""
    found = find_channel(remove_suffix(path).name, channel_files)
    return None if found is None else (path.with_name(found[0]), found[1])


def join_channel_files(paths: Iterable[Path], channel_files: Sequence[str]) -> dict[Path, FilePart]:
    """Return the images that files are channels of, by their paths without suffix, in the order of the files.

    A file that is no channel is an image of its own. A channel without a file has the path where it should be: reading
    the image reports that.

    Raises:
        MisuseError: Two files are the same channel of an image.
    """
    joined: dict[Path, list[Path | None]] = {}
    alone: dict[Path, FilePart] = {}
    order: dict[Path, None] = {}
    for path in paths:
        found = find_channel_of_path(path, channel_files)
        if found is None:
            name = path  # with its suffix: it takes the place of no other image
            alone[name] = FilePart(path)
        else:
            name, channel = Path(found[0]), found[1]
            files = joined.setdefault(name, [None] * len(channel_files))
            if (former := files[channel]) is not None:
                raise MisuseError(f"{former} and {path} are the same channel of {name.name!r}; remove or rename one.")
            files[channel] = path
        order[name] = None
    return {name: alone[name] if name in alone else _join(name, joined[name], channel_files) for name in order}


def _join(name: Path, files: Sequence[Path | None], channel_files: Sequence[str]) -> FilePart:
    known = next(path for path in files if path is not None)
    first, *others = [
        path or known.with_name(f"{pattern.replace(CHANNEL_NAME, name.name)}{find_suffix(known)}")
        for path, pattern in zip(files, channel_files, strict=True)
    ]
    return FilePart(first, "", tuple(others))


def recognise_channel_files(images: Iterable[str], masks: Iterable[str]) -> tuple[str, ...]:
    """Return the `channel_files` of images that are named as nnU-Net names them; empty for others.

    All images end in an underscore and four digits, from 0000 without a gap, as many as an image may have channels, and
    a mask has the name without the ending.

    Args:
        images: Names of files, without folder and suffix.
        masks: The same.
    """
    matches = [NNUNET.fullmatch(name) for name in images]
    numbers = sorted({int(match[1]) for match in matches if match is not None})
    if not 0 < len(numbers) <= MOST_CHANNELS or None in matches or numbers != list(range(len(numbers))):
        return ()
    names = {match[0][:-5] for match in matches if match is not None}
    return tuple(f"{CHANNEL_NAME}_{number:04}" for number in numbers) if names & set(masks) else ()
