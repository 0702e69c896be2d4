"""A walk through the folders below a folder that follows links and enters each folder once."""

import os
from collections.abc import Iterator
from pathlib import Path


def walk_folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield `root` and every folder below it with the names of its files, both in order, without hidden folders.

    Links are followed, each real folder is entered once, and a link that leads back to a folder above `root` is not
    taken: what lies beside the images is not part of them. Pipes, devices and links that lead nowhere are among the
    names: whoever reads them reports them.
    """
    above = set(real_path(root).parents)
    entered: set[Path] = set()
    for current, folders, files in os.walk(root, followlinks=True):
        real = real_path(Path(current))
        if real in entered or real in above:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(current), sorted(files)


def real_path(path: Path) -> Path:
    """Return `path` without links; one that leads back to itself is left as it stands, where `resolve` raises."""
    return Path(os.path.realpath(path))
