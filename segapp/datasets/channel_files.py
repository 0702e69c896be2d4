"""Images whose channels are in files of their own: joined, and checked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.problems import Problem
from segapp.io import (
    FilePart,
    explain_unlike_channels,
    find_channel,
    is_image_folder,
    join_channel_files,
    remove_suffix,
)

SHOWN = 3


def join_channels(images: Sequence[FoundImage], channel_files: Sequence[str]) -> list[FoundImage]:
    """Return one image for the files of its channels, with the name that they share; other files stay images.

    Args:
        images: One for each file.
        channel_files: The names of the files of each channel, with `{name}` for that of the image; may be none.

    Raises:
        MisuseError: Two files are the same channel of an image.
    """
    if not channel_files:
        return list(images)
    found = {image.path: image for image in images}
    return [_name_image(file, found, channel_files) for file in join_channel_files(found, channel_files).values()]


def _name_image(file: FilePart, found: Mapping[Path, FoundImage], channel_files: Sequence[str]) -> FoundImage:
    known = next(found[each.path] for each in file.every_file if each.path in found)  # a channel may be missing
    name, mask_name = (_remove_channel(each, channel_files) for each in (known.name, known.mask_name))
    return replace(known, path=file.path, channel_files=file.channel_files, name=name, mask_name=mask_name)


def _remove_channel(name: str, channel_files: Sequence[str]) -> str:
    path = PurePosixPath(name)
    found = find_channel(path.name, channel_files)
    return name if found is None else path.with_name(found[0]).as_posix()


def find_channel_problems(images: Iterable[FoundImage], channel_files: Sequence[str]) -> Iterator[Problem]:
    """Yield files that are no channel, channels without a file, and channels of other sizes than the first."""
    if not channel_files:
        return
    files = {image.file_name: image for image in images}  # one for all slices of a volume
    other = [image for image in files.values() if find_channel(remove_suffix(image.path).name, channel_files) is None]
    for image in other:
        message = f"{image.path}: is none of the channels {', '.join(channel_files)}."
        if image is other[0] and len(other) > 1:
            message = f"{message[:-1]}; so are {len(other) - 1} more files."
        yield Problem("name", f"{message} Correct `channel_files`, or leave it out with `exclude`.", image.path)
    for name, image in files.items():
        paths = [each.path for each in image.file.every_file]
        missing = [path.name for path in paths if not path.is_file() and not is_image_folder(path)]
        if missing:
            message = f"{image.path.parent}: the image {name!r} lacks the channels {', '.join(missing[:SHOWN])}."
            way = "Add the files, leave the image out with `exclude`, or correct `channel_files`."
            yield Problem("image missing", f"{message} {way}", image.path, "channel_files")
        elif (difference := explain_unlike_channels(image.file)) is not None:
            yield Problem("image", difference, image.path)
