"""Find the patterns of `segapp.datasets.Folder` for images and masks by trying the usual ones."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from segapp.datasets.file_search import MaskPattern, find_images
from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.unsupported import describe_annotations, explain_unread
from segapp.errors import MisuseError
from segapp.io import remove_suffix

MAX_IMAGES = 60
"""Images on which patterns are tried."""
MIN_PAIRED = 0.9
"""A pattern must find the masks of this fraction of the images, or the names do not agree."""
MASKS_PER_IMAGE = 4
"""Masks of one image whose values are counted: those of one object each are all alike."""
VALIDATION = ("val", "valid", "validation", "dev")
TRAINING = re.compile(r"train(?:ing)?", re.IGNORECASE)
PLACEHOLDER = re.compile(r"[*?\[{]")


@dataclass(frozen=True)
class FolderLayout:
    """Where the files are, as settings of `segapp.datasets.Folder`."""

    root: Path
    images: str
    masks: str
    split_folders: dict[str, str] | None
    """The names of the folders of train, val and test, where `images` has `{split}`."""
    several: bool
    """An image has several mask files: one for each object, or for each class."""
    classes: tuple[str, ...]
    """The folders that stand for `{class}` in `masks`."""
    reason: str

    def find_images(self) -> list[FoundImage]:
        """Return the images of all splits in the order of their names."""
        found = _find_images(self.root, self.images, self.masks)
        return [image for image in found if self.split_folders is None or image.split in self.split_folders.values()]


def find_layout(images: str, masks: str) -> FolderLayout:
    """Return the patterns that pair most images with masks, or raise MisuseError with what was tried.

    Args:
        images: A folder, or a pattern with * that matches folders or files.
        masks: The same, or a pattern of `segapp.datasets.Folder` with `{name}`, `{stem}` or `{parent}`.
    """
    root = _find_common_root(images, masks)
    relative = [os.path.relpath(Path(given).expanduser().absolute(), root) for given in (images, masks)]
    pairs = list(_yield_split_patterns(root, *relative)) or [(relative[0], relative[1], None)]
    best: tuple[float, int, FolderLayout] | None = None
    for image_pattern, mask_pattern, folders in pairs:
        for candidate in _list_candidates(root, image_pattern, mask_pattern, folders):
            tried = _try_patterns(root, *candidate, folders)
            if tried is not None and (best is None or tried[:2] > best[:2]):
                best = tried
            if best is not None and best[0] == 1:
                return best[2]
    if best is None or best[0] < MIN_PAIRED:
        raise MisuseError(_explain_unpaired(root, relative[0], relative[1], best))
    return best[2]


def list_masks(layout: FolderLayout, limit: int) -> list[Path]:
    """Return mask files: of `limit` images at most, evenly over all of them, and a few of each."""
    found = layout.find_images()
    pattern = MaskPattern(layout.root, layout.masks, layout.classes)
    if len(found) > limit:
        found = [found[number * len(found) // limit] for number in range(limit)]
    return [file.path for image in found for file in pattern.find_files(image)[:MASKS_PER_IMAGE]]


def _find_common_root(images: str, masks: str) -> Path:
    """Return the deepest folder that contains both and is neither of them."""
    fixed = []
    for given in (images, masks):
        parts = Path(given).expanduser().absolute().parts
        moving = next((i for i, part in enumerate(parts) if PLACEHOLDER.search(part)), len(parts))
        fixed.append(Path(*parts[:moving]))
    common = Path(os.path.commonpath(fixed))
    if common in fixed and len(common.parts) > 1:
        common = common.parent
    for folder in (common, *common.parents):
        if TRAINING.fullmatch(folder.name) and any((folder.parent / name).is_dir() for name in VALIDATION):
            return folder.parent  # train/images beside val/images
    return common


def _yield_split_patterns(root: Path, images: str, masks: str) -> Iterator[tuple[str, str, dict[str, str] | None]]:
    """Yield the patterns with `{split}` in them where folders of a split are there, then those without."""
    if PLACEHOLDER.search(images + masks):
        yield images, masks, None
        return
    for image_pattern, mask_pattern in _propose_split_patterns(root, images, masks):
        names: dict[str, str] = {}
        for split, words in (("train", ("train", "training")), ("val", VALIDATION), ("test", ("test", "testing"))):
            there = [
                word
                for word in words
                if all((root / p.replace("{split}", word)).is_dir() for p in (image_pattern, mask_pattern))
            ]
            if there:
                names[split] = there[0]
        if {"train", "val"} <= names.keys():
            yield image_pattern, mask_pattern, names
            return
    yield images, masks, None


def _propose_split_patterns(root: Path, images: str, masks: str) -> Iterator[tuple[str, str]]:
    """Yield patterns in which `{split}` may stand: in place of 'train' in both paths, or inside both folders."""
    if TRAINING.search(images) and TRAINING.search(masks):
        yield TRAINING.sub("{split}", images, count=1), TRAINING.sub("{split}", masks, count=1)
    yield f"{images}/{{split}}", f"{masks}/{{split}}"
    for words in (("images", "masks"), ("images", "labels"), ("image", "mask"), ("image", "label")):
        if images == masks:
            yield f"{images}/{{split}}/{words[0]}", f"{masks}/{{split}}/{words[1]}"


def _list_candidates(
    root: Path, images: str, masks: str, folders: dict[str, str] | None
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield patterns of images and masks, and the folders that stand for `{class}`, the usual ones first."""
    if "{" in masks.replace("{split}", ""):
        yield images, masks, ()
        return
    yield images, masks, ()
    train = masks.replace("{split}", (folders or {}).get("train", ""))
    classes = tuple(sorted(entry.name for entry in _list_folders(root / train)))
    if 2 <= len(classes) <= 254:
        yield images, f"{masks}/{{class}}", classes
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


def _try_patterns(
    root: Path, images: str, masks: str, classes: tuple[str, ...], folders: dict[str, str] | None
) -> tuple[float, int, FolderLayout] | None:
    """Return the fraction of images with masks, how many masks are used, and the layout; None without any."""
    try:
        found = _find_images(root, images, masks)
        pattern = MaskPattern(root, masks, classes)
    except MisuseError:  # a folder of this pattern does not exist
        return None
    if folders is not None:
        found = [image for image in found if image.split in folders.values()]
    sample = (
        [found[number * len(found) // MAX_IMAGES] for number in range(MAX_IMAGES)] if len(found) > MAX_IMAGES else found
    )
    files = [pattern.find_files(image) for image in sample]
    paired = sum(bool(own) for own in files)
    if not paired or len({path.path for own in files for path in own}) < sum(map(len, files)):
        return None  # no mask, or one that is that of several images
    several = sum(len(own) > 1 for own in files)
    if classes and not several:
        return None
    words = f"{len(found)} images match {images!r}" + (" and have several masks each" if several else "")
    layout = FolderLayout(root, images, masks, folders, several > 0, classes, f"{words}; their masks are {masks!r}.")
    return paired / len(sample), sum(map(len, files)), layout


def _find_images(root: Path, images: str, masks: str) -> list[FoundImage]:
    """Return the images in order of their names, without masks that lie in the same folders."""
    found = sorted(find_images(root, images), key=lambda image: image.name)
    everything = MaskPattern(root, masks, ()).find_all_files() if "{class}" not in masks else set()
    rest = [image for image in found if image.path not in everything]
    return rest if rest else found


def _list_some_files(folder: Path, limit: int = 2000) -> Sequence[Path]:
    try:
        found = sorted(folder.rglob("*"))
    except RecursionError as error:
        raise MisuseError(f"{folder}: its folders lie too deep in one another; name that of the files.") from error
    files = (path for path in found if path.is_file() and not path.name.startswith("."))
    return [path for _, path in zip(range(limit), files, strict=False)]


def _list_matching(root: Path, pattern: str) -> Sequence[Path]:
    """Return some files of a folder, or of what a pattern with wildcards matches."""
    if "{" in pattern or not PLACEHOLDER.search(pattern):
        return _list_some_files(root / pattern)
    matching = list(islice(root.glob(pattern), MAX_IMAGES))
    return [path for path in matching if path.is_file()] or [
        file for path in matching for file in _list_some_files(path, MAX_IMAGES)
    ]


def _list_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]


def _explain_unpaired(root: Path, images: str, masks: str, best: tuple[float, int, FolderLayout] | None) -> str:
    names = [
        ", ".join(path.name for path in _list_matching(root, where)[:3]) or "no files" for where in (images, masks)
    ]
    annotations = explain_unread(Path(masks).suffix.lower())
    if not annotations and best is None and (root / masks).is_dir():
        annotations = describe_annotations(root / masks).strip()
    if annotations:
        return f"{root}: {masks!r}: {annotations.rstrip('.')}. Write that into a data section, and name it with --data."
    closest = f"; the closest pattern, {best[2].masks!r}, finds those of {best[0]:.0%}" if best else ""
    return (
        f"{root}: the masks in {masks!r} ({names[1]}) are not named after the images in {images!r} ({names[0]})"
        f"{closest}. "
        "Give --masks a pattern such as 'masks/{name}_mask.png', or a data section (--data, as configs/data/mine.yaml)."
    )
