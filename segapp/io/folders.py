"""Walks through the folders below a folder; follows links and enters each folder once."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from segapp.io.formats.registry import find_folder_format, is_folder_name


def walk_folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield `root` and every folder below it with the names of its files, both in order, without hidden folders.

    Links are followed, each real folder is entered once, and a link that leads back to a folder above `root` is not
    taken: folders beside the images are not part of them. Folders that are one image (OME-Zarr) are among the names
    and not entered. Pipes, devices and broken links are among the names, too: reading them reports the error.
    """
    above = {_identify(folder.stat()) for folder in real_path(root).parents}
    entered: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        place = waiting.pop()
        try:
            identity = _identify(place.stat())
            with os.scandir(place) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:  # gone since it was listed, or not ours to read
            continue
        if identity in entered or identity in above:
            continue
        entered.add(identity)
        folders = [entry.name for entry in found if _is_folder(entry)]
        known = {*folders}
        yield place, [entry.name for entry in found if entry.name not in known]
        waiting += [place / name for name in reversed(folders) if not name.startswith(".")]


def _identify(status: os.stat_result) -> tuple[int, int]:
    """Return the same value for all paths of one folder: comparing resolved paths takes the square of their depth."""
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir() and not is_folder_name(PurePath(entry.name))
    except OSError:  # a link that leads back to itself
        return False


def is_image_folder(path: Path) -> bool:
    """Return whether a folder is one image, such as an OME-Zarr, and no folder of files."""
    return find_folder_format(path) is not None


def lies_in_image(path: PurePath) -> bool:
    """Return whether a path leads into a folder that is one image, by the names of its folders."""
    return any(map(is_folder_name, path.parents))


def real_path(path: Path) -> Path:
    """Return `path` without links; a link to itself is left unchanged, where `resolve` raises."""
    return Path(os.path.realpath(path))
