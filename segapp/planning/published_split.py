"""Find the split that a data set came with: folders, or lists beside its images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segapp.datasets.source import SPLITS, SplitName
from segapp.datasets.split_lists import Lists
from segapp.datasets.splits import Candidate
from segapp.planning.decisions import Decision
from segapp.planning.layout import FolderLayout

LIST_FOLDERS = (".", "ImageSets/Segmentation", "ImageSets", "splits", "lists")


def find_published_split(layout: FolderLayout, prefix: str = "data.source.init_args") -> list[Decision]:
    """Return the split by folders or by lists beside the images, if there is one."""
    if layout.split_folders is not None:
        names = layout.split_folders
        settings: dict[str, Any] = {split: names.get(split) for split in SPLITS}
        reason = f"The folders {', '.join(names.values())} divide the images."
        return [Decision(f"{prefix}.split", {"class_path": "segapp.datasets.Folders", "init_args": settings}, reason)]
    candidates = [Candidate(image.name, image.name, image.path, image.split) for image in layout.found]
    for folder in LIST_FOLDERS:
        files = {split: layout.root / folder / f"{split}.txt" for split in SPLITS}
        there = {split: os.path.relpath(file, layout.root) for split, file in files.items() if file.is_file()}
        if {"train", "val"} <= there.keys():
            return [Decision(f"{prefix}.split", *_make_list_split(there, candidates, layout.root))]
    return []


def _make_list_split(
    files: dict[SplitName, str], candidates: Sequence[Candidate], root: Path
) -> tuple[dict[str, Any], str]:
    """Return the split by lists and its reason; MisuseError where they do not name the images."""
    division = Lists(files["train"], files["val"], files.get("test")).divide(candidates, root)
    counted = ", ".join(f"{len(division[split])} in {files[split]}" for split in SPLITS if split in files)
    left = len(candidates) - sum(map(len, division.values()))
    reason = f"Lists beside the images divide them: {counted}{f'; {left} are in none' if left else ''}."
    return {"class_path": "segapp.datasets.Lists", "init_args": files}, reason
