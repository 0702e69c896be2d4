"""Explain missing masks: the paths that were tried, the files that are there, and patterns that would match them."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from segapp.datasets.file_patterns import get_fixed_start
from segapp.datasets.file_search import MaskPattern
from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.unsupported import explain_unread
from segapp.io import find_suffix, recognise_channel_files, remove_suffix, walk_folders

SHOWN = 3
MAX_FILES = 4000  # files of the masks' folder
MAX_IMAGES, MAX_MASKS = 6, 300  # names that are compared with one another
SEPARATORS = "_-. "


def describe_missing_masks(images: Sequence[FoundImage], of: int, pattern_of_images: str, pattern: MaskPattern) -> str:
    """Return the message for images that have no mask."""
    root, first = pattern.root, images[0]
    folder = root / get_fixed_start(pattern.pattern)
    known = {image.path for image in images}
    files = [path for path in islice(_walk_files(folder), MAX_FILES) if path not in known]
    more = f" … and {len(images) - SHOWN} more" if len(images) > SHOWN else ""
    tried = " or ".join(repr(path) for path in pattern.list_tried_paths(first)[:SHOWN])
    shown = ", ".join(path.relative_to(root).as_posix() for path in files[:SHOWN])
    there = f"Files there: {shown}{' …' if len(files) > SHOWN else ''}." if files else f"{folder} holds no other file."
    unread = {message: None for path in files[:SHOWN] if (message := explain_unread(path.suffix.lower()))}
    is_right = len(images) < of / 2
    fitting = None if is_right else _suggest_patterns(images, pattern_of_images, pattern, files)
    way = fitting or f"Correct `masks`, or move images without masks out of {pattern_of_images!r}"
    return (
        f"{root}: {len(images)} of {of} images have no mask: {', '.join(i.name for i in images[:SHOWN])}{more}. "
        f"For {first.name!r}, {tried} was tried. {there} {''.join(f'{message}. ' for message in unread)}{way} "
        "(`segapp predict` needs no masks; an image without objects needs an empty mask)."
    )


class _Affixes(NamedTuple):
    """Text before and after the part of a name that an image shares with its mask."""

    before_image: str
    after_image: str
    before_mask: str
    after_mask: str

    def name_mask(self, stem: str) -> str | None:
        """Return the mask's name for an image's, or None where the image's has other affixes."""
        core = stem.removeprefix(self.before_image).removesuffix(self.after_image)
        if not core or f"{self.before_image}{core}{self.after_image}" != stem:
            return None
        return f"{self.before_mask}{core}{self.after_mask}"


def _suggest_patterns(
    images: Sequence[FoundImage], pattern_of_images: str, pattern: MaskPattern, files: Sequence[Path]
) -> str | None:
    """Return the settings under which most of the images would have a mask, or None."""
    masks = [path for path in files if find_suffix(path)]
    stems = {remove_suffix(path).name for path in masks}
    names = dict.fromkeys(remove_suffix(image.path).name for image in images)  # slices of a volume share one
    if channels := recognise_channel_files(names, stems):
        return f"The names end in nnU-Net's numbers of channels: set channel_files: {json.dumps(channels)}"
    if renaming := explain_zeros(list(names), masks):
        return f"Their numbers have other zeros: {renaming}"
    found = _find_best_affixes(list(names), stems)
    base = _get_folder(pattern.pattern)
    if found is None or base is None or "{class}" in pattern.pattern:
        return None
    affixes, count = found
    suffixes = Counter(find_suffix(path) for path in masks)
    suffix = next(iter(suffixes)) if len(suffixes) == 1 else ".*"
    settings = []
    if affixes.before_image or affixes.after_image:
        endings = Counter(find_suffix(image.path) for image in images)
        ending = next(iter(endings)) if len(endings) == 1 else ".*"
        folder = _get_folder(pattern_of_images) or ""
        settings.append(
            f"images: {_format_pattern(folder, f'{affixes.before_image}{{name}}{affixes.after_image}{ending}')}"
        )
    settings.append(f"masks: {_format_pattern(base, f'{affixes.before_mask}{{name}}{affixes.after_mask}{suffix}')}")
    return f"For {count} of these {len(names)} images this pattern fits: {', '.join(settings)}"


def explain_zeros(images: Sequence[str], masks: Sequence[Path]) -> str | None:
    """Return how to rename masks whose numbers have other zeros than those of the images, or None.

    Args:
        images: Their names.
        masks: The files.
    """
    files = {remove_suffix(path).name: path for path in masks}
    stems = {_strip_zeros(stem): stem for stem in files}
    found = _find_best_affixes([_strip_zeros(image) for image in images], set(stems))
    if found is None or len(stems) < len(files):
        return None
    affixes, _ = found
    if re.search(r"\d", "".join(affixes)):  # a number that is not shared: the mask is that of another image
        return None
    for image in images:
        stem, wanted = stems.get(affixes.name_mask(_strip_zeros(image)) or ""), affixes.name_mask(image)
        if stem is not None and wanted is not None and wanted not in files:
            path = files[stem]
            return f"rename {path.name} to {path.name.replace(stem, wanted, 1)}, and the others alike"
    return None


def describe_few_masks(images: Sequence[Path], masks: Sequence[Path], folders: tuple[str, str]) -> str | None:
    """Return the patterns under which the masks are those of a few of the images, or None.

    Args:
        images: Their files.
        masks: The same.
        folders: Of both, for the patterns.
    """
    stems = [{remove_suffix(path).name for path in files} for files in (images, masks)]
    found = _find_best_affixes(sorted(stems[1]), stems[0])
    if found is None or found[1] < len(stems[1]):
        return None
    before_mask, after_mask, before_image, after_image = found[0]
    patterns = (
        f"{folders[0]}/{before_image}{{name}}{after_image}.*",
        f"{folders[1]}/{before_mask}{{name}}{after_mask}.*",
    )
    return f"{found[1]} of {len(stems[0])} images have a mask under --images {patterns[0]!r} --masks {patterns[1]!r}"


def _strip_zeros(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", name)


def _find_best_affixes(images: Sequence[str], masks: set[str]) -> tuple[_Affixes, int] | None:
    """Return the affixes that pair most images with a mask, and how many."""
    proposed = Counter(
        affixes
        for image in images[:MAX_IMAGES]
        for mask in islice(sorted(masks), MAX_MASKS)
        if (affixes := _propose_affixes(image, mask)) is not None
    )
    counted = [
        (sum(affixes.name_mask(image) in masks for image in images), -len("".join(affixes)), affixes)
        for affixes, _ in proposed.most_common(40)
    ]
    if not counted:
        return None
    count, _, affixes = max(counted)
    return (affixes, count) if count >= max(len(images) / 2, min(2, len(images))) else None


def _propose_affixes(image: str, mask: str) -> _Affixes | None:
    """Return what surrounds the longest part that two names share; None where that part is too short to identify."""
    at = SequenceMatcher(None, image, mask, autojunk=False).find_longest_match()
    core = image[at.a : at.a + at.size]
    left = len(core) - len(core.lstrip(SEPARATORS))
    core = core.strip(SEPARATORS)
    if not re.search(r"\d", core) and len(core) < 3:
        return None
    a, b = at.a + left, at.b + left
    return _Affixes(image[:a], image[a + len(core) :], mask[:b], mask[b + len(core) :])


def _get_folder(pattern: str) -> str | None:
    """Return the folder that a pattern names; None where its folders depend on the image."""
    path = PurePosixPath(pattern)
    is_file = "*" in path.name or bool(find_suffix(path)) or "{name}" in path.name or "{stem}" in path.name
    folder = path.parent if is_file else path
    text = folder.as_posix()
    return None if re.search(r"[*?\[]|\{(name|stem|parent)\}", text) else text


def _format_pattern(folder: str, name: str) -> str:
    """Return a pattern as YAML reads it."""
    pattern = name if folder in ("", ".") else f"{folder}/{name}"
    return f'"{pattern}"' if pattern.startswith("{") else pattern


def _walk_files(root: Path) -> Iterator[Path]:
    for folder, names in walk_folders(root):
        yield from (folder / name for name in names if not name.startswith("."))
