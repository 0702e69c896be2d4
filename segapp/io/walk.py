"""The folders under a folder, links followed, loops not."""

import os
from collections.abc import Iterator
from pathlib import Path


def folders_under(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """`root` and every folder below it with the names of its files, both in order, hidden folders left out.

    Links are followed, each real folder is entered once, and a link that leads back to a folder above `root` is not
    taken: what lies beside the images is not part of them.
    """
    above = set(root.resolve().parents)
    entered: set[Path] = set()
    for place, folders, files in os.walk(root, followlinks=True):
        real = Path(place).resolve()
        if real in entered or real in above:
            folders.clear()
            continue
        entered.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(place), sorted(files)
