"""What to do about images without masks: what was tried, what lies there, and the patterns that would fit."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from segapp.datasets.layout import Found, MaskPattern, fixed_start
from segapp.datasets.unsupported import unread_format
from segapp.io import find_suffix, walk_folders

SHOWN = 3
LOOKED_AT = 4000  # files of the masks' folder
IMAGES, MASKS = 6, 300  # names that are compared with one another
SEPARATORS = "_-. "


def describe_missing_masks(images: Sequence[Found], of: int, pattern_of_images: str, pattern: MaskPattern) -> str:
    """Return the message for images that have no mask."""
    root, first = pattern.root, images[0]
    place = root / fixed_start(pattern.pattern)
    known = {image.path for image in images}
    files = [path for path in islice(_files(place), LOOKED_AT) if path not in known]
    more = f" … and {len(images) - SHOWN} more" if len(images) > SHOWN else ""
    tried = " or ".join(repr(path) for path in pattern.paths_tried(first)[:SHOWN])
    shown = ", ".join(path.relative_to(root).as_posix() for path in files[:SHOWN])
    there = f"There lies: {shown}{' …' if len(files) > SHOWN else ''}." if files else f"{place} holds no other file."
    unread = {message: None for path in files[:SHOWN] if (message := unread_format(path.suffix.lower()))}
    fitting = _fitting(images, pattern_of_images, pattern, files)
    way = fitting or f"Correct `masks`, or move images without masks out of {pattern_of_images!r}"
    return (
        f"{root}: {len(images)} of {of} images have no mask: {', '.join(i.name for i in images[:SHOWN])}{more}. "
        f"For {first.name!r}, {tried} was looked for. {there} {''.join(f'{message}. ' for message in unread)}{way} "
        "(`segapp predict` needs none; an image with nothing on it needs an empty mask)."
    )


class _Affixes(NamedTuple):
    """What stands around the part of a name that an image shares with its mask."""

    before_image: str
    after_image: str
    before_mask: str
    after_mask: str

    def mask_of(self, stem: str) -> str | None:
        """Return the mask's name for an image's, or None where that has other affixes."""
        core = stem.removeprefix(self.before_image).removesuffix(self.after_image)
        if not core or f"{self.before_image}{core}{self.after_image}" != stem:
            return None
        return f"{self.before_mask}{core}{self.after_mask}"


def _fitting(
    images: Sequence[Found], pattern_of_images: str, pattern: MaskPattern, files: Sequence[Path]
) -> str | None:
    """Return the settings under which most of the images would have a mask, or None."""
    masks = [path for path in files if find_suffix(path)]
    stems = {path.stem for path in masks}
    found = _best([image.path.stem for image in images], stems)
    base = _folder_of(pattern.pattern)
    if found is None or base is None or "{class}" in pattern.pattern:
        return None
    affixes, count = found
    suffixes = Counter(path.suffix for path in masks)
    suffix = next(iter(suffixes)) if len(suffixes) == 1 else ".*"
    settings = []
    if affixes.before_image or affixes.after_image:
        endings = Counter(image.path.suffix for image in images)
        ending = next(iter(endings)) if len(endings) == 1 else ".*"
        folder = _folder_of(pattern_of_images) or ""
        settings.append(f"images: {_quoted(folder, f'{affixes.before_image}{{name}}{affixes.after_image}{ending}')}")
    settings.append(f"masks: {_quoted(base, f'{affixes.before_mask}{{name}}{affixes.after_mask}{suffix}')}")
    return f"For {count} of these {len(images)} images this would fit: {', '.join(settings)}"


def _best(images: Sequence[str], masks: set[str]) -> tuple[_Affixes, int] | None:
    """Return the affixes that pair most images with a mask, and how many."""
    proposed = Counter(
        affixes
        for image in images[:IMAGES]
        for mask in islice(sorted(masks), MASKS)
        if (affixes := _shared(image, mask)) is not None
    )
    counted = [
        (sum(affixes.mask_of(image) in masks for image in images), -len("".join(affixes)), affixes)
        for affixes, _ in proposed.most_common(40)
    ]
    if not counted:
        return None
    count, _, affixes = max(counted)
    return (affixes, count) if count >= max(len(images) / 2, 1) else None


def _shared(image: str, mask: str) -> _Affixes | None:
    """Return what surrounds the longest part that two names share; None where that says nothing."""
    at = SequenceMatcher(None, image, mask, autojunk=False).find_longest_match()
    core = image[at.a : at.a + at.size]
    left = len(core) - len(core.lstrip(SEPARATORS))
    core = core.strip(SEPARATORS)
    if not re.search(r"\d", core) and len(core) < 3:
        return None
    a, b = at.a + left, at.b + left
    return _Affixes(image[:a], image[a + len(core) :], mask[:b], mask[b + len(core) :])


def _folder_of(pattern: str) -> str | None:
    """Return the folder that a pattern names; None where its folders depend on the image."""
    path = PurePosixPath(pattern)
    is_file = "*" in path.name or bool(find_suffix(path)) or "{name}" in path.name or "{stem}" in path.name
    folder = path.parent if is_file else path
    text = folder.as_posix()
    return None if re.search(r"[*?\[]|\{(name|stem|parent)\}", text) else text


def _quoted(folder: str, name: str) -> str:
    """Return a pattern as YAML reads it."""
    pattern = name if folder in ("", ".") else f"{folder}/{name}"
    return f'"{pattern}"' if pattern.startswith("{") else pattern


def _files(folder: Path) -> Iterator[Path]:
    for place, names in walk_folders(folder):
        yield from (place / name for name in names if not name.startswith("."))
