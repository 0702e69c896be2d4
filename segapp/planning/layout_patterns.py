"""Patterns of images and masks that are tried in turn, the usual ones first."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.masks.encoding import Encoding, PixelEncoding
from segapp.errors import MisuseError
from segapp.io import find_channel, is_image_folder, lies_in_image, remove_suffix
from segapp.planning.annotations import list_annotation_files
from segapp.planning.layout_class_files import NamedMask, find_class_files
from segapp.planning.layout_words import rank_masks

MAX_IMAGES = 60
"""Images on which patterns are tried."""
SPLIT_FOLDERS = {
    split: [form for word in words for form in (word, word.capitalize(), word.upper())]
    for split, words in {
        "train": ("train", "training", "trainval", "train_val"),
        "val": ("val", "valid", "validation", "dev"),
        "test": ("test", "testing"),
    }.items()
}
TRAINING = re.compile(r"train(?:ing|_?val)?", re.IGNORECASE)
TO_SPLIT = re.compile(r".*?\{split\}[^/]*")
PLACEHOLDER = re.compile(r"[*?\[{]")
NUMBER = re.compile(r"([_\-. ])\d+")
"""The end of the names of masks of one object each."""
NEARLY_AS_MANY = 0.9
"""Endings of so many masks as the most frequent one has are chosen by their words."""


@dataclass(frozen=True)
class Kind:
    """How the files of a data set become images and masks: see `FolderLayout` of layout.py."""

    encoding: type[Encoding] = PixelEncoding  # type: ignore[type-abstract]  # not made
    channel_files: tuple[str, ...] = ()


def yield_split_patterns(root: Path, images: str, masks: str) -> Iterator[tuple[str, str, dict[str, str] | None]]:
    """Yield the patterns with `{split}` in them where folders of a split are there, else those without.

    Where there are folders of training and test alone, the patterns are those of training.
    """
    if "{split}" in images:
        folders = [TO_SPLIT.match(pattern) for pattern in (images, masks)]
        names = _name_split_folders(root, [found[0] for found in folders if found])
        yield images, masks, names if _is_complete(names) else None
        return
    if PLACEHOLDER.search(images + masks):
        yield images, masks, None
        return
    proposed = list(_propose_split_patterns(root, images, masks))
    for patterns in proposed:
        if _is_complete(names := _name_split_folders(root, patterns)):
            yield *patterns, names
            return
    for image_pattern, mask_pattern in proposed:
        train = _name_split_folders(root, (image_pattern, mask_pattern)).get("train", "")
        chosen = image_pattern.replace("{split}", train)
        if train and "{split}" in mask_pattern and describe_other_splits(root, chosen):
            yield chosen, mask_pattern.replace("{split}", train), None
            return
    yield images, masks, None


def describe_other_splits(root: Path, images: str) -> str:
    """Return that images of other splits beside those of training are left out; empty where there are none."""
    names = _name_split_folders(root, [TRAINING.sub("{split}", images)])
    left = [repr(TRAINING.sub(names[split], images)) for split in ("val", "test") if split in names]
    if not left or not TRAINING.search(images):
        return ""
    return f" Those in {' and '.join(left)} are left out, for a test of the finished network."


def _name_split_folders(root: Path, patterns: Sequence[str]) -> dict[str, str]:
    """Return what `{split}` stands for in train, val and test, as far as these are in all patterns."""
    names: dict[str, str] = {}
    for split, words in SPLIT_FOLDERS.items():
        there = [
            word for word in words if all((root / pattern.replace("{split}", word)).exists() for pattern in patterns)
        ]
        if there:
            names[split] = there[0]
    return names


def _is_complete(names: dict[str, str]) -> bool:
    return {"train", "val"} <= names.keys()


def _propose_split_patterns(root: Path, images: str, masks: str) -> Iterator[tuple[str, str]]:
    """Yield patterns in which `{split}` may stand: in place of 'train' in both paths, or inside the folders."""
    if TRAINING.search(images) and TRAINING.search(masks):
        for count in (0, 1):  # every time, or the first
            yield TRAINING.sub("{split}", images, count=count), TRAINING.sub("{split}", masks, count=count)
    yield f"{images}/{{split}}", f"{masks}/{{split}}"
    for folder in list_folders(root / images):
        if TRAINING.search(folder.name) and not TRAINING.fullmatch(folder.name):  # train2017
            name = TRAINING.sub("{split}", folder.name)
            yield f"{images}/{name}", f"{masks}/{name}"
    for words in (("images", "masks"), ("images", "labels"), ("image", "mask"), ("image", "label")):
        if images == masks:
            yield f"{images}/{{split}}/{words[0]}", f"{masks}/{{split}}/{words[1]}"
    if images != masks:
        yield f"{images}/{{split}}", masks


def list_candidates(
    root: Path, images: str, masks: str, folders: dict[str, str] | None, kind: Kind
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield patterns of images and masks, and what stands for `{class}`, the usual ones first."""
    yield images, masks, ()
    if "{" in masks.replace("{split}", ""):
        return
    if issubclass(kind.encoding, Annotations):
        inside = list_annotation_files(root / masks.replace("{split}", (folders or {}).get("train", "")), kind.encoding)
        if len(inside) == 1:
            yield images, f"{masks}/{inside[0].name}", ()
        yield images, f"{masks}/{{stem}}.*", ()
        if "/*/" in images and "/*/" in masks:
            yield images.replace("*", "{name}", 1), masks.replace("*", "{name}", 1), ()
        return
    train = masks.replace("{split}", (folders or {}).get("train", ""))
    classes = tuple(sorted(entry.name for entry in list_folders(root / train)))
    if len(classes) == 1 and images != masks:
        yield images, f"{masks}/{classes[0]}", ()
    if 2 <= len(classes) <= 254:
        yield images, f"{masks}/{{class}}", classes
        yield images, f"{masks}/{{class}}/{{stem}}_*", classes
    named = _find_named_masks(root, images.replace("{split}", (folders or {}).get("train", "")), train, kind)
    if class_files := find_class_files(named):
        pattern, classes = class_files
        yield images, f"{masks}/{pattern}.*", classes
        yield images, f"{masks}/{{parent}}/{pattern}.*", classes
    for before, after in _choose_affixes(named):
        yield images, f"{masks}/{before}{{stem}}{after}.*", ()
        yield images, f"{masks}/{{parent}}/{before}{{stem}}{after}.*", ()
    if "/*/" in images and "/*/" in masks:  # a folder for each image
        shared = images.replace("*", "{name}", 1), masks.replace("*", "{name}", 1)
        yield *shared, ()
        yield shared[0], f"{shared[1]}/*", ()
        yield shared[0], f"{shared[1]}/{{name}}.*", ()
    yield images, f"{masks}/{{name}}/*", ()
    yield images, f"{masks}/{{stem}}/*", ()
    yield images, f"{masks}/{{name}}_*", ()
    for image, mask in (("images", "masks"), ("image", "mask"), ("images", "labels"), ("image", "label")):
        yield f"{images}/**/{image}", f"{masks}/{{stem}}/{mask}/*", ()
        yield f"{images}/**/{image}", f"{masks}/**/{mask}/{{stem}}.*", ()


def _find_named_masks(root: Path, images: str, masks: str, kind: Kind) -> list[NamedMask]:
    """Return the masks whose names hold that of an image, and more."""
    stems = {remove_suffix(path).name for path in _list_some_files(root / images)}
    channels = {stem: found[0] for stem in stems if (found := find_channel(stem, kind.channel_files))}
    stems = set(channels.values()) or stems
    lengths = sorted({len(stem) for stem in stems}, reverse=True)
    named = []
    for path in _list_some_files(root / masks):
        name = remove_suffix(path).name
        if name in channels:
            continue
        for length in lengths:
            starts = range(len(name) - length + 1)
            start = next((s for s in starts if name[s : s + length] in stems), None)
            if start is not None and length < len(name):
                named.append(NamedMask(path, name[:start], name[start : start + length], name[start + length :]))
                break
    return named


def _choose_affixes(named: Sequence[NamedMask]) -> list[tuple[str, str]]:
    """Return what most masks' names have before and after an image's, the likeliest first."""
    frequent = _join_numbers(Counter((mask.before, mask.after) for mask in named)).most_common()
    least = NEARLY_AS_MANY * frequent[0][1] if frequent else 0
    frequent.sort(key=lambda each: rank_masks(" ".join(each[0])) if each[1] >= least else math.inf)
    return [affix for affix, _ in frequent[:3]]


def _join_numbers(counts: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Write * for different numbers after the images' names: an image has a mask for each object."""
    ends: dict[tuple[str, str], set[str]] = defaultdict(set)
    for before, after in counts:
        if number := NUMBER.fullmatch(after):
            ends[before, number[1]].add(after)
    joined: Counter[tuple[str, str]] = Counter()
    for (before, after), count in counts.items():
        number = NUMBER.fullmatch(after)
        is_one_of_several = number is not None and len(ends[before, number[1]]) > 1
        joined[before, f"{number[1]}*" if number and is_one_of_several else after] += count
    return joined


def list_matching(root: Path, pattern: str) -> Sequence[Path]:
    """Return some files of a folder, or of what a pattern with wildcards matches; of a file itself."""
    if _is_file(root / pattern):
        return [root / pattern]
    if "{" in pattern or not PLACEHOLDER.search(pattern):
        return _list_some_files(root / pattern)
    matching = list(islice(root.glob(pattern), MAX_IMAGES))
    return [path for path in matching if _is_file(path)] or [
        file for path in matching for file in _list_some_files(path, MAX_IMAGES)
    ]


def _list_some_files(folder: Path, limit: int = 2000) -> Sequence[Path]:
    try:
        found = sorted(path for path in folder.rglob("*") if not lies_in_image(path.relative_to(folder)))
    except RecursionError as error:
        raise MisuseError(f"{folder}: its folders lie too deep in one another; name that of the files.") from error
    files = (path for path in found if _is_file(path) and not path.name.startswith("."))
    return [path for _, path in zip(range(limit), files, strict=False)]


def _is_file(path: Path) -> bool:
    """Return whether a path is that of one file, or of a folder that is one image."""
    return path.is_file() or is_image_folder(path)


def list_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that are no images, and not hidden."""
    if not folder.is_dir():
        return []
    found = (entry for entry in folder.iterdir() if entry.is_dir() and not is_image_folder(entry))
    return [entry for entry in found if not entry.name.startswith(".")]
