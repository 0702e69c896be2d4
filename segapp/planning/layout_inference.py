"""Infer patterns of images and masks from the names of all files, where the usual patterns find too few masks."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path, PurePosixPath

from segapp.io import find_suffix, remove_suffix
from segapp.planning.layout_patterns import list_matching
from segapp.planning.layout_words import IMAGE_WORDS, MASK_WORDS, OTHER_WORDS, rank_masks

MIN_FOUND = 0.9
"""Fraction of the images for which a pattern must find a mask."""
MIN_TRIED = 0.5
"""A pattern that finds masks of fewer images is not tried."""
LOSSY = {".jpg", ".jpeg"}
"""Of two files of one name in one folder the image has such a suffix."""
MOST_AFFIXES = 8
"""Beginnings and endings of names that are tried, the most frequent first."""
MOST_STEMS = 60
"""Images whose names are searched for in the names of other files."""

BOUNDARY = re.compile(r"[_\-. ]+")
TO_NUMBER = re.compile(r"(?<=[A-Za-z])(?=\d)")
"""Where a number follows letters: `t012` and `man_seg012` share it."""


@dataclass(frozen=True)
class File:
    """An image file, below the folder that was searched."""

    path: PurePosixPath

    @cached_property
    def stem(self) -> str:
        """The name without the suffix."""
        return str(remove_suffix(self.path).name)

    @cached_property
    def suffix(self) -> str:
        """The ending by which it is an image."""
        return find_suffix(self.path)

    @cached_property
    def parent(self) -> str:
        """The folder."""
        return self.path.parent.as_posix()


@dataclass(frozen=True)
class Affix:
    """What names have before and after the part that an image and its mask share."""

    before: str
    after: str
    suffix: str = ".*"

    def find_keys(self, files: Iterable[File]) -> set[str]:
        """Return the shared part, with the folder, of every file that has the affix."""
        found = set()
        for file in files:
            stem = file.stem
            long_enough = len(stem) > len(self.before) + len(self.after)
            fits = stem.startswith(self.before) and stem.endswith(self.after) and self.suffix in (".*", file.suffix)
            if fits and long_enough:
                found.add(f"{file.parent}/{stem[len(self.before) : len(stem) - len(self.after)]}")
        return found

    @property
    def text(self) -> str:
        """Both, in which words are looked for."""
        return f"{self.before} {self.after}"

    def fill(self, folder: str) -> str:
        """Return the pattern of the files of a folder that have it."""
        return f"{folder}/{self.before}{{name}}{self.after}{self.suffix}"


def infer_patterns(root: Path, images: str, masks: str, train: str) -> Iterator[tuple[str, str]]:
    """Yield pairs of patterns by which names of images and masks agree, the likeliest first.

    Args:
        root: The folder that the patterns are relative to.
        images: The folder of images, which may hold `{split}`.
        masks: That of masks.
        train: What `{split}` stands for in the training set.
    """
    if re.search(r"[*?\[{]", (images + masks).replace("{split}", "")):
        return
    own, other = (_list_files(root / folder.replace("{split}", train)) for folder in (images, masks))
    if own and other:
        yield from _pair_suffixes(images, masks, own)
        yield from _pair_affixes(images, masks, own, other)
        yield from _pair_folders(images, masks, own, other)
        yield from _pair_paths(images, masks, own, other)


def find_shape_of_images(paired: Sequence[Path], others: Sequence[Path]) -> str | None:
    """Return what all images with masks are called, `*` for numbers; None where files without one may be images too.

    They are none where each folder of a case holds one of a kind beside the images: `a1_4d` beside `a1_frame01`.
    """
    shapes = {_replace_numbers(path) for path in paired}
    folders = {path.parent for path in paired}
    kinds = Counter((path.parent, _replace_numbers(path)) for path in others)
    are_beside = all(
        folder in folders and shape not in shapes and count == 1 for (folder, shape), count in kinds.items()
    )
    return shapes.pop() if others and are_beside and len(shapes) == 1 and len(folders) > 1 else None


def _replace_numbers(path: Path) -> str:
    return re.sub(r"\d+", "*", remove_suffix(path).name)


def _list_files(folder: Path) -> list[File]:
    found = [path for path in list_matching(folder, ".") if find_suffix(path)]
    return [File(PurePosixPath(path.relative_to(folder).as_posix())) for path in found]


def _pair_suffixes(images: str, masks: str, files: Sequence[File]) -> Iterator[tuple[str, str]]:
    """Yield `{name}.jpg` with `{name}.png` of one folder: masks are stored without loss."""
    if images != masks:
        return
    names: dict[str, set[str]] = defaultdict(set)
    for file in files:
        names[file.suffix].add(f"{file.parent}/{file.stem}")
    for image, mask in product(sorted(names.keys() & LOSSY), sorted(names.keys() - LOSSY)):
        if len(names[image] & names[mask]) >= MIN_FOUND * len(names[image]):
            yield f"{images}/{{name}}{image}", f"{masks}/{{name}}{mask}"


def _pair_affixes(images: str, masks: str, own: Sequence[File], other: Sequence[File]) -> Iterator[tuple[str, str]]:
    """Yield `{name}_training` with `{name}_manual1`, and the like."""
    suffixes = sorted({file.suffix for file in own})
    some = [".*"] if len(suffixes) == 1 else suffixes
    found = []
    mask_keys = [(affix, affix.find_keys(other)) for affix in _list_affixes(other, [".*"])]
    for image in _list_affixes(own, some):
        keys = image.find_keys(own)
        if (
            images != masks
            and not _may_leave_out(image.text)
            and len(keys) < MIN_FOUND * _count_images(own, image.suffix)
        ):
            continue
        for mask, theirs in mask_keys:
            agree = len(keys & theirs)
            if agree < 2 or agree < MIN_TRIED * len(keys) or (rank := _rank(image, mask)) is None:
                continue
            if images == masks and not _are_told_apart(image.text, mask.text):
                continue
            if _leave_images_out(own, keys, image, mask) or _hold_other_names(own, other, image, mask):
                continue
            found.append((agree < MIN_FOUND * len(keys), rank, -agree, len(image.text), image, mask))
    for *_, image, mask in sorted(found, key=lambda each: (*each[:4], each[4].text, each[5].text)):
        yield image.fill(images), mask.fill(masks)


def _rank(image: Affix, mask: Affix) -> int | None:
    """Return how unlikely it is that names with these affixes are of images and masks; None where they are not."""
    if MASK_WORDS.search(image.text) or OTHER_WORDS.search(image.text):
        return None
    return rank_masks(mask.text)


def _may_leave_out(text: str) -> bool:
    """Return whether images without a text in their names may be of another kind: words such as `rgb` name kinds."""
    return bool(IMAGE_WORDS.search(text)) and not re.search(r"\d", text)


def _count_images(files: Sequence[File], suffix: str) -> int:
    """Return how many files have a suffix, without masks and their other forms."""
    fitting = (file for file in files if suffix in (".*", file.suffix))
    return sum(not MASK_WORDS.search(file.stem) and not OTHER_WORDS.search(file.stem) for file in fitting)


def _are_told_apart(image: str, mask: str) -> bool:
    """Return whether texts in names tell which files of one folder are masks: words, or a text that images lack."""
    has_image_word = IMAGE_WORDS.search(image) and not IMAGE_WORDS.search(mask)
    is_alike = re.sub(r"\d+", "", image) == re.sub(r"\d+", "", mask)
    return not is_alike and bool(not image.strip() or has_image_word or MASK_WORDS.search(mask))


def _leave_images_out(own: Sequence[File], keys: set[str], image: Affix, mask: Affix) -> bool:
    """Return whether images are left out that belong to none of the cases with a mask: those of other numbers, say."""
    starts = {"", image.before, mask.before}
    rest = [file for file in own if not image.find_keys([file]) & keys and not OTHER_WORDS.search(file.stem)]
    names = [[f"{file.parent}/{file.stem.removeprefix(start)}" for start in starts] for file in rest]
    left = sum(all(keys.isdisjoint(_list_beginnings(name)) for name in each) for each in names)
    return left > (1 - MIN_FOUND) * len(own)


def _hold_other_names(own: Sequence[File], other: Sequence[File], image: Affix, mask: Affix) -> bool:
    """Return whether the masks' names begin with those of other images than their own: `a_1_gt` is no mask of `a_2`."""
    stems = {file.stem for file in own if not image.find_keys([file])}
    found = [file.stem for file in other if mask.find_keys([file])]
    return any(not stems.isdisjoint(_list_beginnings(stem)[:-1]) for stem in found)


def _list_beginnings(name: str) -> list[str]:
    return [*(name[: cut.start()] for cut in BOUNDARY.finditer(name)), name]


def _list_affixes(files: Sequence[File], suffixes: Sequence[str]) -> list[Affix]:
    """Return frequent beginnings and endings of names, cut where words end; the empty ones first."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for file in files:
        stem = file.stem
        for match in BOUNDARY.finditer(stem):
            before[stem[: match.end()]] += 1
            after[stem[match.start() :]] += 1
        before.update(stem[: match.start()] for match in TO_NUMBER.finditer(stem))
    chosen = [
        ["", *(text for text, count in counts.most_common(MOST_AFFIXES) if count >= 2)] for counts in (before, after)
    ]
    return [Affix(*each) for each in product(*chosen, suffixes)]


def _pair_folders(images: str, masks: str, own: Sequence[File], other: Sequence[File]) -> Iterator[tuple[str, str]]:
    """Yield `*/image` with `{parent}/mask`: files of one name in a folder for each image."""
    names = [_count_stems(files) for files in (own, other)]
    folders = len({file.parent for file in own})
    common = [[stem for stem, count in counts.items() if count >= max(2, MIN_FOUND * folders)] for counts in names]
    pairs = [
        (image, mask)
        for image, mask in product(*common)
        if not MASK_WORDS.search(image) and not OTHER_WORDS.search(image)
        if images != masks or _are_told_apart(image, mask)
    ]
    for image, mask in sorted(
        pairs, key=lambda pair: (not IMAGE_WORDS.search(pair[0]), not MASK_WORDS.search(pair[1]))
    ):
        yield f"{images}/**/{image}.*", f"{masks}/{{parent}}/{mask}.*"


def _count_stems(files: Sequence[File]) -> dict[str, int]:
    parents: dict[str, set[str]] = defaultdict(set)
    for file in files:
        parents[file.stem].add(file.parent)
    return {stem: len(found) for stem, found in parents.items()}


def _pair_paths(images: str, masks: str, own: Sequence[File], other: Sequence[File]) -> Iterator[tuple[str, str]]:
    """Yield `*/*_photo/*` with `{stem}/{stem}_lesion/{stem}_lesion`: the image's name in every part of the path."""
    named = [file for file in own if images != masks or not MASK_WORDS.search(file.stem)]
    by_length = sorted(named, key=lambda file: len(file.stem))[:MOST_STEMS]
    image_paths: Counter[str] = Counter()
    mask_paths: Counter[str] = Counter()
    for image in by_length:
        theirs = {
            remove_suffix(file.path).as_posix().replace(image.stem, "{stem}")
            for file in other
            if image.stem in file.stem or (image.stem in file.parent and MASK_WORDS.search(file.stem))
            if file.path != image.path
        }
        if theirs:
            image_paths[remove_suffix(image.path).as_posix().replace(image.stem, "*")] += 1
            mask_paths.update(theirs)
    needed = max(2, MIN_FOUND * image_paths.total())
    for image_path, mask_path in product(image_paths, sorted(mask_paths, key=rank_masks)):
        agree = min(image_paths[image_path], mask_paths[mask_path])
        if agree >= needed and not OTHER_WORDS.search(mask_path) and _may_belong(image_path, mask_path):
            yield f"{images}/{image_path}.*", f"{masks}/{mask_path}.*"


def _may_belong(image_path: str, mask_path: str) -> bool:
    """Return whether masks of these folders may be of images of those: `broken/1_mask` is none of `good/1`."""
    own, other = (
        {part for part in PurePosixPath(path).parts[:-1] if not re.search(r"[*{]", part)}
        for path in (image_path, mask_path)
    )
    different = other - own
    return not own or not different or any(MASK_WORDS.search(part) for part in different)
