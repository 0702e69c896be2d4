"""Recognise masks of one class each that lie beside one another: `a_road.png` and `a_tree.png` are of the image `a`."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, takewhile
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io import read_raw
from segapp.natural_order import make_natural_key

MAX_CLASSES = 254
SAMPLED = 6
"""Images whose masks are read."""
MAX_SIDE = 512
"""Pixels of a mask along a side that are compared."""
MOST_BETWEEN = 0.1
"""Largest fraction of pixels that are neither dark nor bright in a mask of one class, which JPEG may have changed."""
SAME = 0.5
"""Masks whose intersection over union is larger are two forms of one thing, such as those of two observers."""
WORD_BEGUN = re.compile(r"[^_\-. ]*$")
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
NO_CLASS = re.compile(
    r"masks?|labels?|seg(?:mentation)?s?|gt|anno(?:tation)?s?|truth|manual|trimaps?|roi|ids?|colou?rs?|instances?|edges?|"
    r"borders?|contours?|skelet(?:on)?s?|superpix(?:el)?s?|overlays?|vis(?:ual)?|probs?|polygons?",
    re.IGNORECASE,
)
"""Words for a form of masks."""


@dataclass(frozen=True)
class NamedMask:
    """A mask whose name holds that of an image."""

    path: Path
    before: str
    stem: str
    after: str


def find_class_files(masks: Sequence[NamedMask]) -> tuple[str, tuple[str, ...]] | None:
    """Return a pattern of names with `{stem}` and `{class}`, and the classes; None where the masks are not so named.

    The words after the images' names are classes where the masks of an image are nearly binary and show different
    things. Words such as `overlay` are no classes, and of words that differ in a number none is.
    """
    before = Counter(mask.before for mask in masks).most_common(1)[0][0] if masks else ""
    endings = {mask.after for mask in masks if mask.before == before}
    if len(endings) < 2:
        return None
    start = _find_common_start(endings)
    end = _find_common_start([ending[len(start) :][::-1] for ending in endings])[::-1]
    words = {ending: ending[len(start) : len(ending) - len(end)] for ending in endings}
    words = {ending: word for ending, word in words.items() if _is_class(word)}
    kinds = {re.sub(r"\d+", "", word) for word in words.values()}
    if not start or not 1 < len(kinds) == len(words) <= MAX_CLASSES:
        return None
    by_image: dict[tuple[Path, str], dict[str, Path]] = defaultdict(dict)
    for mask in masks:
        if mask.before == before and mask.after in words:
            by_image[mask.path.parent, mask.stem][words[mask.after]] = mask.path
    if not _show_different_things([found for found in by_image.values() if len(found) > 1]):
        return None
    return f"{before}{{stem}}{start}{{class}}{end}", tuple(sorted(words.values(), key=make_natural_key))


def _find_common_start(texts: Collection[str]) -> str:
    """Return what all texts begin with, up to a mark between words."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False))
    return WORD_BEGUN.sub("", "".join(column[0] for column in columns))


def _is_class(word: str) -> bool:
    parts = WORD.findall(word)
    return any(part.isalpha() for part in parts) and not any(NO_CLASS.fullmatch(part) for part in parts)


def _show_different_things(images: Sequence[Mapping[str, Path]]) -> bool:
    """Return whether the masks of classes, of some images, are nearly binary, not all empty and different."""
    shared: Counter[tuple[str, str]] = Counter()
    either: Counter[tuple[str, str]] = Counter()
    for number in range(min(SAMPLED, len(images))):
        paths = images[number * len(images) // min(SAMPLED, len(images))]
        try:
            covered = {name: _read_covered(path) for name, path in paths.items()}
            for first, second in combinations(sorted(covered), 2):
                shared[first, second] += int((covered[first] & covered[second]).sum())
                either[first, second] += int((covered[first] | covered[second]).sum())
        except (SegappError, ValueError):  # damaged, none of one class, or of another size
            return False
    return either.total() > 0 and all(count <= SAME * either[pair] for pair, count in shared.items())


def _read_covered(path: Path) -> np.ndarray:
    """Return (H, W) bool: where a mask is bright, on a coarse grid; ValueError where it is none of one class."""
    pixels = read_raw(path)
    pixels = pixels[:: -(-pixels.shape[0] // MAX_SIDE), :: -(-pixels.shape[1] // MAX_SIDE)]
    band = pixels if pixels.ndim == 2 else pixels[..., 0]
    high = float(band.max())
    is_between = (band > high / 4) & (band < high * 3 / 4)
    if band.min() < 0 or is_between.mean() > MOST_BETWEEN or (pixels.ndim == 3 and (pixels != pixels[..., :1]).any()):
        raise ValueError(path)
    return np.asarray(band > high / 2)
