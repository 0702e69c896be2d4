"""Finds the images among the files of a folder, some of which are made of several files."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePath

from segapp.errors import SegappError
from segapp.io.file_part import FilePart
from segapp.io.formats import registry
from segapp.io.formats.format import FileGroup, Format

ARRAY = re.compile(r"([^:]*[^:/]):(/[^:]+)")
"""A path and the name of an array in the file."""


def list_images(folder: Path, names: Iterable[str]) -> list[FileGroup]:
    """Return the images among the files of a folder, in the order of `names`; hidden files are left out."""
    images: list[FileGroup] = []
    grouped: dict[Format, list[Path]] = {}
    order = {folder / name: place for place, name in enumerate(names) if not name.startswith(".")}
    for path in order:
        found = registry.find_named_format(path) or registry.find_unnamed_format(path)
        if found is not None and found.groups_files:
            grouped.setdefault(found, []).append(path)
        elif found is not None:
            images.append(FileGroup(path))
    images += [group for found, paths in grouped.items() for group in found.group_files(paths)]
    return sorted(images, key=lambda image: order[image.path])


def list_image_files(path: Path) -> tuple[Path, ...]:
    """Return the files of an image: several for a series or a detached header; OSError for one that is not there."""
    found = registry.find_named_format(path) or registry.find_unnamed_format(path)
    if found is None:
        return (path,)
    try:
        return found.list_files(FilePart(path))
    except SegappError:  # who reads the image reports the error
        return (path,)


def name_image(image: FileGroup, start: Path) -> str:
    """Return an image's path without suffix, relative to a folder above it; a series is called as its folder."""
    if image.label is None:
        return registry.remove_suffix(image.path.relative_to(start)).as_posix()
    folder = image.path.parent.relative_to(start)
    if image.label:
        return (folder / image.label).as_posix()
    return folder.as_posix() if folder.parts else start.absolute().name


def split_array(pattern: str) -> tuple[str, str]:
    """Return a path or pattern without the array that it names after a colon, and that array; else an empty one.

    A path into a folder that is an image names an array without a colon.

    >>> split_array("slices/*.h5:/image")
    ('slices/*.h5', '/image')
    >>> split_array("cells/{name}.zarr/labels/nuclei")
    ('cells/{name}.zarr', '/labels/nuclei')
    """
    if (inside := _split_folder(pattern)) is not None:
        return inside
    match = ARRAY.fullmatch(pattern)
    return (match[1], match[2]) if match is not None and not Path(pattern).exists() else (pattern, "")


def _split_folder(pattern: str) -> tuple[str, str] | None:
    """Return a path or pattern of folders that are images, and what it names in them; None for others."""
    parts = PurePath(pattern).parts
    place = next((i for i, part in enumerate(parts[:-1], 1) if registry.is_folder_name(PurePath(part))), None)
    if place is None or ":" in parts[place - 1]:
        return None
    return str(PurePath(*parts[:place])), f"/{'/'.join(parts[place:])}"


def list_folder_patterns(pattern: str) -> tuple[str, ...]:
    """Return a pattern of folders that are images with each suffix that they may have; any other pattern alone.

    >>> list_folder_patterns("cells/{name}.zarr")
    ('cells/{name}.zarr', 'cells/{name}.ome.zarr')
    >>> list_folder_patterns("cells/*.zarr")
    ('cells/*.zarr',)
    """
    found, stem = registry.find_named_format(Path(pattern)), registry.remove_suffix(Path(pattern)).as_posix()
    if found is None or not found.is_folder or not stem.endswith("}"):
        return (pattern,)
    return tuple(dict.fromkeys([pattern, *(f"{stem}{suffix}" for suffix in found.suffixes)]))


def holds_arrays(path: Path) -> bool:
    """Return whether a file may hold several arrays, by its name."""
    found = registry.find_named_format(path)
    return found is not None and found.has_arrays
