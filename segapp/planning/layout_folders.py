"""Propose folders of images and of masks in the folder of a data set, which was given for both."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from segapp.io import find_suffix, walk_folders
from segapp.planning.annotations import MAX_FILES, list_files, recognise_file
from segapp.planning.layout_patterns import TRAINING, list_folders
from segapp.planning.layout_words import MASK_WORDS, OTHER_WORDS

MOST_FOLDERS = 12
"""Folders of more are one for each image, patient or city, and none of images or masks alone."""
SPLIT_WORDS = re.compile(r"train|val|dev|test", re.IGNORECASE)
NO_MASKS = re.compile(rf"{OTHER_WORDS.pattern}|object|unlabel", re.IGNORECASE)
"""Words in names of folders, such as `SegmentationObject` beside `SegmentationClass`."""

Pair = tuple[Path, Path]


def find_only_folder(folder: Path) -> Path | None:
    """Return the folder in one that holds nothing else, or None."""
    inner = [entry for entry in list_folders(folder) if not entry.is_symlink()]
    is_alone = len(inner) == 1 and all(entry == inner[0] or entry.name.startswith(".") for entry in folder.iterdir())
    return inner[0] if is_alone else None


def propose_pairs(folder: Path) -> list[Pair]:
    """Return pairs of folders in one that may be images and their masks by their names, those of training first."""
    images: list[Path] = []
    masks: list[Path] = []
    for entry in _list_inner_folders(folder):
        files = list(islice(list_files(entry, "."), MAX_FILES))
        has_images = any(find_suffix(path) for path in files)
        if not has_images:
            masks += [entry] if any(recognise_file(path) for path in files) else []
        elif not NO_MASKS.search(entry.name):
            (masks if MASK_WORDS.search(entry.name) else images).append(entry)
    _, names = next(walk_folders(folder), (folder, []))
    if any(find_suffix(Path(name)) for name in names):
        images.append(folder)
    return _sort_pairs([(own, other) for own in images for other in masks if _may_be_of_one_split(own, other)])


def propose_inner_folders(folder: Path) -> list[Pair]:
    """Return the folders in one, each for both images and masks, those of training first."""
    return _sort_pairs([(entry, entry) for entry in _list_inner_folders(folder)])


def list_splits_of(pair: Pair, names: Sequence[str]) -> set[Pair]:
    """Return the folders of all splits, where a pair of folders is that of training.

    Args:
        pair: Folders of images and masks.
        names: What the splits are called.
    """
    return {(_name_split(pair[0], name), _name_split(pair[1], name)) for name in names}


def _list_inner_folders(folder: Path) -> list[Path]:
    found = [entry for entry in list_folders(folder) if not entry.name.startswith("__")]  # __MACOSX
    return sorted(found) if len(found) <= MOST_FOLDERS else []


def _sort_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: not TRAINING.search(pair[0].name))


def _may_be_of_one_split(images: Path, masks: Path) -> bool:
    found = [{word.lower() for word in SPLIT_WORDS.findall(folder.name)} for folder in (images, masks)]
    return found[0] == found[1] or not (found[0] and found[1])


def _name_split(folder: Path, name: str) -> Path:
    return folder.with_name(TRAINING.sub(name, folder.name, count=1))
