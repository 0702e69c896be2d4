"""Propose folders of images and of masks in the folder of a data set, which was given for both."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from segapp.io import find_suffix, walk_folders
from segapp.planning.annotations import MAX_FILES, list_files, recognise_file
from segapp.planning.layout_patterns import SPLIT_FOLDERS, TRAINING, list_folders
from segapp.planning.layout_words import MASK_WORDS, OTHER_WORDS

MOST_FOLDERS = 12
"""Folders of more are one for each image, patient or city, and none of images or masks alone."""
SPLIT_WORDS = re.compile(r"train|val|dev|test", re.IGNORECASE)
NO_MASKS = re.compile(rf"{OTHER_WORDS.pattern}|object|unlabel", re.IGNORECASE)
"""Words in names of folders, such as `SegmentationObject` beside `SegmentationClass`."""

NO_SHAPES = re.compile(r"caption|key_?point", re.IGNORECASE)
"""Words in names of files of COCO that hold no areas."""

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
        has_annotations = any(recognise_file(path) for path in files)
        if not has_images:
            masks += _list_training_files(files) or [entry] if has_annotations else []
        elif not NO_MASKS.search(entry.name) and not (has_annotations and MASK_WORDS.search(entry.name)):
            (masks if MASK_WORDS.search(entry.name) else images).append(entry)
    masks = [entry for entry in masks if "rgb" not in entry.name.lower()] or masks
    _, names = next(walk_folders(folder), (folder, []))
    if any(find_suffix(Path(name)) for name in names):
        images.append(folder)
    return _sort_pairs([(own, other) for own in images for other in masks if _may_be_of_one_split(own, other)])


def propose_inner_folders(folder: Path) -> list[Pair]:
    """Return the folders in one, each for both images and masks; of several splits those of training."""
    return [(entry, entry) for entry in _keep_training(_list_inner_folders(folder))]


def propose_deep_pairs(images: Path, masks: Path) -> list[Pair]:
    """Return pairs of folders with files at any depth, by the words in their paths; of several splits of training."""
    own, other = list_deep_folders(images, masks)
    pairs = []
    for image in own if max(len(own), len(other)) <= MOST_FOLDERS else []:
        fitting = (mask for mask in other if mask.name == image.name or MASK_WORDS.search(mask.name))
        shared = {mask: len({*image.parts} & {*mask.parts}) for mask in fitting if _may_be_of_one_split(image, mask)}
        pairs += [(image, mask) for mask, count in shared.items() if count == max(shared.values())]
    return [pair for pair in pairs if pair != (images, masks)]


def list_deep_folders(images: Path, masks: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders at any depth that may hold images, and those that may hold masks, by words in their paths."""
    bases = (images, masks) if images == masks else (images.parent, masks.parent)
    own, other = (_list_deep_folders(*each) for each in zip((images, masks), bases, strict=True))
    return (
        [folder for folder in own if not MASK_WORDS.search(folder.relative_to(bases[0]).as_posix())],
        [folder for folder in other if MASK_WORDS.search(folder.relative_to(bases[1]).as_posix())],
    )


def _list_deep_folders(folder: Path, base: Path) -> list[Path]:
    """Return the folders below one that hold images, without other forms of masks by their paths below `base`."""
    found = []
    for place, names in islice(walk_folders(folder), MAX_FILES):
        if any(find_suffix(Path(name)) and not name.startswith(".") for name in names):
            found.append(place)
    return _keep_training([place for place in found if not NO_MASKS.search(place.relative_to(base).as_posix())], base)


def _keep_training(folders: Sequence[Path], root: Path | None = None) -> list[Path]:
    """Return the folders of training, and those of no split; all where none is of training."""
    names = [(folder.relative_to(root).as_posix() if root else folder.name) for folder in folders]
    if not any(TRAINING.search(name) for name in names):
        return list(folders)
    return [
        folder
        for folder, name in zip(folders, names, strict=True)
        if TRAINING.search(name) or not SPLIT_WORDS.search(name)
    ]


def _list_training_files(files: Sequence[Path]) -> list[Path]:
    """Return the files of annotations of training beside those of another split."""
    others = [word for split in ("val", "test") for word in SPLIT_FOLDERS[split]]
    return [
        path
        for path in files
        if TRAINING.search(path.name) and not NO_SHAPES.search(path.name) and recognise_file(path)
        if any(_name_split(path, word) in files for word in others)
    ]


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
