"""Find the split that a data set came with: folders, or lists beside its images."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.source import SPLITS, SplitName
from segapp.datasets.split_lists import Lists
from segapp.datasets.splits import Candidate, Division
from segapp.errors import MisuseError
from segapp.planning.decisions import Decision

LIST_FOLDERS = (".", "ImageSets/Segmentation", "ImageSets", "splits", "lists")


def find_published_split(
    root: Path,
    found: Sequence[FoundImage],
    split_folders: Mapping[str, str] | None,
    prefix: str = "data.source.init_args",
) -> list[Decision]:
    """Return the split by folders or by lists beside the images, if there is one.

    Args:
        root: The folder that contains images and lists.
        found: All images, or slices of volumes.
        split_folders: The names of the folders of train, val and test, where folders divide the images.
        prefix: Of the settings.
    """
    if split_folders is not None:
        settings: dict[str, Any] = {split: split_folders.get(split) for split in SPLITS}
        reason = f"The folders {', '.join(split_folders.values())} divide the images."
        return [Decision(f"{prefix}.split", {"class_path": "segapp.datasets.Folders", "init_args": settings}, reason)]
    if files := _find_lists(root, found):
        return [Decision(f"{prefix}.split", *_make_list_split(files, found, root))]
    return []


def keep_listed(root: Path, found: Sequence[FoundImage]) -> list[FoundImage]:
    """Return the images that lists beside them name; all where there are no lists, or lists of other names."""
    try:
        division = _divide(_find_lists(root, found), found, root)
    except MisuseError:
        return list(found)
    named = {candidate.name for candidates in division.values() for candidate in candidates}
    return [image for image in found if image.name in named] or list(found)


def _find_lists(root: Path, found: Sequence[FoundImage]) -> dict[SplitName, str]:
    """Return the lists of train, val and test, relative to `root`; none where one of the first two is missing.

    They lie in `root` or above the images in it.
    """
    above = Path(os.path.commonpath([image.path.parent for image in found])) if found else root
    for folder in [root, *(parent for parent in (above, *above.parents) if root in parent.parents)]:
        for place in LIST_FOLDERS:
            files = {split: folder / place / f"{split}.txt" for split in SPLITS}
            there = {split: os.path.relpath(file, root) for split, file in files.items() if file.is_file()}
            if {"train", "val"} <= there.keys():
                return there
    return {}


def _divide(files: Mapping[SplitName, str], found: Sequence[FoundImage], root: Path) -> Division:
    """Return the images of each list; MisuseError where they do not name the images."""
    candidates = [Candidate(image.name, image.name, image.path, image.split) for image in found]
    return Lists(files["train"], files["val"], files.get("test")).divide(candidates, root) if files else {}


def _make_list_split(
    files: dict[SplitName, str], found: Sequence[FoundImage], root: Path
) -> tuple[dict[str, Any], str]:
    """Return the split by lists and its reason; MisuseError where they do not name the images."""
    try:
        division = _divide(files, found, root)
    except MisuseError as error:
        raise MisuseError(f"{error} If the lists are not of these images, move them to another folder.") from error
    counted = ", ".join(f"{len(division[split])} in {files[split]}" for split in SPLITS if split in files)
    left = len(found) - sum(map(len, division.values()))
    reason = f"Lists beside the images divide them: {counted}{f'; {left} are in none' if left else ''}."
    return {"class_path": "segapp.datasets.Lists", "init_args": files}, reason
