"""Patterns of images and masks that are tried in turn, the usual ones first."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.masks.encoding import Encoding, PixelEncoding
from segapp.errors import MisuseError
from segapp.io import is_image_folder, lies_in_image, remove_suffix
from segapp.planning.annotations import list_annotation_files

MAX_IMAGES = 60
"""Images on which patterns are tried."""
VALIDATION = ("val", "valid", "validation", "dev")
TRAINING = re.compile(r"train(?:ing)?", re.IGNORECASE)
TO_SPLIT = re.compile(r".*?\{split\}[^/]*")
PLACEHOLDER = re.compile(r"[*?\[{]")


@dataclass(frozen=True)
class Kind:
    """How the files of a data set become images and masks: see `FolderLayout` of layout.py."""

    encoding: type[Encoding] = PixelEncoding  # type: ignore[type-abstract]  # not made
    channel_files: tuple[str, ...] = ()


def yield_split_patterns(root: Path, images: str, masks: str) -> Iterator[tuple[str, str, dict[str, str] | None]]:
    """Yield the patterns with `{split}` in them where folders of a split are there, then those without."""
    if "{split}" in images:
        folders = [TO_SPLIT.match(pattern) for pattern in (images, masks)]
        yield images, masks, _name_split_folders(root, [found[0] for found in folders if found])
        return
    if PLACEHOLDER.search(images + masks):
        yield images, masks, None
        return
    for image_pattern, mask_pattern in _propose_split_patterns(root, images, masks):
        names = _name_split_folders(root, (image_pattern, mask_pattern))
        if names is not None:
            yield image_pattern, mask_pattern, names
            return
    yield images, masks, None


def _name_split_folders(root: Path, patterns: Sequence[str]) -> dict[str, str] | None:
    """Return what `{split}` stands for in train, val and test; None where the first two are not in all patterns."""
    names: dict[str, str] = {}
    for split, words in (("train", ("train", "training")), ("val", VALIDATION), ("test", ("test", "testing"))):
        there = [
            word for word in words if all((root / pattern.replace("{split}", word)).exists() for pattern in patterns)
        ]
        if there:
            names[split] = there[0]
    return names if {"train", "val"} <= names.keys() else None


def _propose_split_patterns(root: Path, images: str, masks: str) -> Iterator[tuple[str, str]]:
    """Yield patterns in which `{split}` may stand: in place of 'train' in both paths, or inside both folders."""
    if TRAINING.search(images) and TRAINING.search(masks):
        yield TRAINING.sub("{split}", images, count=1), TRAINING.sub("{split}", masks, count=1)
    yield f"{images}/{{split}}", f"{masks}/{{split}}"
    for words in (("images", "masks"), ("images", "labels"), ("image", "mask"), ("image", "label")):
        if images == masks:
            yield f"{images}/{{split}}/{words[0]}", f"{masks}/{{split}}/{words[1]}"


def list_candidates(
    root: Path, images: str, masks: str, folders: dict[str, str] | None, kind: Kind
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield patterns of images and masks, and the folders that stand for `{class}`, the usual ones first."""
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
    if 2 <= len(classes) <= 254:
        yield images, f"{masks}/{{class}}", classes
        yield images, f"{masks}/{{class}}/{{stem}}_*", classes
    for before, after in _find_affixes(root, images.replace("{split}", (folders or {}).get("train", "")), train):
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


def _find_affixes(root: Path, images: str, masks: str) -> list[tuple[str, str]]:
    """Return what most masks' names have before and after an image's, the most frequent first."""
    stems = {remove_suffix(path).name for path in _list_some_files(root / images)}
    counts: Counter[tuple[str, str]] = Counter()
    lengths = sorted({len(stem) for stem in stems}, reverse=True)
    for name in (remove_suffix(path).name for path in _list_some_files(root / masks)):
        for length in lengths:
            starts = range(len(name) - length + 1)
            start = next((s for s in starts if name[s : s + length] in stems), None)
            if start is not None and length < len(name):
                counts[name[:start], name[start + length :]] += 1
                break
    return [affix for affix, _ in counts.most_common(3)]


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
