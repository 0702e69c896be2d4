"""The rules of `segapp check`: each looks at all images of a data set, and yields what is wrong."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segapp.checking.duplicates import find_alike, find_equal
from segapp.checking.facts import ItemFacts
from segapp.datasets.item_checks import find_absent_classes
from segapp.datasets.problems import Kind, Problem
from segapp.datasets.source import SPLITS, SplitName
from segapp.planning.splitting import find_groups

SPACING = 1.1
"""Factor between pixel sizes from which they differ."""
FEWEST_FITS = 8
"""Masks with borders from which it is known how well they usually fit."""
OUTLIER = 1.5
"""Distances between quartiles below the first from which a fit is unusual (Tukey, Exploratory Data Analysis, 1977)."""
NEARLY = 0.75
"""Fraction of the usual fit that the better place must reach."""
BETTER = 2.0
"""By how much another place must fit better than a mask's own."""
LISTED = 3
"""Files named in a message."""


@dataclass(frozen=True)
class DataSet:
    """What was found in all images of a data set."""

    facts: tuple[ItemFacts, ...]
    classes: tuple[str, ...]
    background: int | None
    is_grouped: bool = False
    """Whether the data set says which images belong together."""

    def of(self, split: SplitName) -> list[ItemFacts]:
        """Return the images of a split."""
        return [one for one in self.facts if one.split == split]

    @cached_property
    def described(self) -> list[ItemFacts]:
        """Images whose pixels and mask could be read."""
        return [one for one in self.facts if one.described is not None]


Rule = Callable[[DataSet], Iterator[Problem]]


def check_files(data: DataSet) -> Iterator[Problem]:
    """Yield what is wrong with an image or a mask by itself."""
    for one in data.facts:
        yield from one.problems


def check_constant(data: DataSet) -> Iterator[Problem]:
    """Yield images of one value: a failed export, or a black frame."""
    for one in data.facts:
        if one.is_constant:
            message = f"image {one.name!r}: all its pixels are equal; leave it out (`exclude`) or export it again."
            yield _warn("image", message, [one], "exclude")


def check_kinds(data: DataSet) -> Iterator[Problem]:
    """Yield images whose kind of number or number of channels is not that of most."""
    known = [one for one in data.facts if one.stored]
    for what, values in (
        ("kind of number", [one.stored for one in known]),
        ("number of channels", [str(one.channels) for one in known]),
    ):
        counts = Counter(values)
        if len(counts) < 2:
            continue
        usual = counts.most_common(1)[0][0]
        other = [one for one, value in zip(known, values, strict=True) if value != usual]
        told = ", ".join(f"{value} in {count}" for value, count in counts.most_common())
        message = (
            f"the images differ in their {what} ({told}): {_list_names(other)}. They are read as one; look whether "
            "these were exported otherwise (docs/data.md, intensity and channels)."
        )
        yield _warn("image", message, other, "channels" if what == "number of channels" else "intensity")


def check_spacing(data: DataSet) -> Iterator[Problem]:
    """Yield that pixels are not of one size: objects of one size look different to the network."""
    sized = [one for one in data.facts if one.pixel_size is not None]
    areas = [float(np.sqrt(np.prod(one.pixel_size))) for one in sized if one.pixel_size is not None]
    if sized and max(areas) > SPACING * min(areas):
        smallest, largest = sized[int(np.argmin(areas))], sized[int(np.argmax(areas))]
        message = (
            f"pixels have different sizes: {min(areas):.4g} µm in {smallest.name!r}, {max(areas):.4g} µm in "
            f"{largest.name!r}. Resample the images to one size, or expect objects of different sizes in pixels."
        )
        yield _warn("image", message, [largest, smallest])
    if sized and len(sized) < len(data.facts):
        without = [one for one in data.facts if one.pixel_size is None and one.stored]
        if without:
            message = f"{len(sized)} images state the size of a pixel, {len(without)} do not: {_list_names(without)}."
            yield _warn("image", message, without)


def check_orientation(data: DataSet) -> Iterator[Problem]:
    """Yield images that EXIF turns while their masks are stored as they are shown, or the other way round."""
    turned = [one for one in data.facts if one.mask_path is not None and one.orientation != one.mask_orientation]
    if turned:
        message = (
            f"EXIF turns the image and not the mask, or otherwise, in {len(turned)}: {_list_names(turned)}. Masks "
            "must lie on the upright image; look at one of them."
        )
        yield _warn("mask", message, turned)


def check_masks(data: DataSet) -> Iterator[Problem]:
    """Yield masks without a labelled pixel, and those of one class where others hold more."""
    unlabelled = [one for one in data.described if one.described is not None and not one.described.counts.any()]
    for one in unlabelled:
        yield _warn("mask", f"the mask of {one.name!r} has no labelled pixel: nothing is learnt from it.", [one])
    by_class: dict[int, list[ItemFacts]] = defaultdict(list)
    for one in data.described:
        assert one.described is not None
        present = np.flatnonzero(one.described.counts)
        if len(present) == 1:
            by_class[int(present[0])].append(one)
    for index, members in by_class.items():
        if len(members) == len(data.described):
            what = f"every mask holds only {data.classes[index]!r}: there is nothing to learn"
            yield Problem("class", f"{what}. Check `classes` and `mask`.", setting="mask")
            continue
        kind = "empty" if index == data.background else "full"
        message = f"{len(members)} masks are {kind}, only {data.classes[index]!r}: {_list_names(members)}."
        yield _warn("mask", message, members)


def check_classes(data: DataSet) -> Iterator[Problem]:
    """Yield classes that a split lacks, or that no mask holds at all."""
    held = {split: _find_held(data.of(split)) for split in SPLITS}
    everywhere = set().union(*held.values())
    if absent := [name for index, name in enumerate(data.classes) if index not in everywhere]:
        message = f"no mask holds {', '.join(absent)}; check `classes` and `mask`, or remove them."
        yield Problem("class", message, setting="classes", severity="warning")
    known = {index: name for index, name in enumerate(data.classes) if index in everywhere}
    for split in SPLITS:
        seen = {number for number, index in enumerate(known) if index in held[split]}
        yield from find_absent_classes(split, bool(data.of(split)), seen, list(known.values()))


def check_equal_images(data: DataSet) -> Iterator[Problem]:
    """Yield equal images: in two splits a score is too high, with different masks one of them is wrong."""
    for group in find_equal(data.facts):
        splits = sorted({one.split for one in group}, key=SPLITS.index)
        names = _list_names(group)
        if len({one.mask_digest for one in group if one.mask_digest}) > 1:
            message = f"equal images have different masks: {names}. One of the masks is wrong, or belongs elsewhere."
            yield _warn("duplicate", message, group)
        if len(splits) > 1:
            message = (
                f"the same image is in {' and '.join(splits)}: {names}. Scores would be of images that were trained "
                "on; leave the copies out (`exclude`)."
            )
            yield Problem("leak", message, group[-1].path, "exclude", items=tuple(one.name for one in group))
        else:
            message = f"equal images: {names}. They count several times; leave the copies out (`exclude`)."
            yield _warn("duplicate", message, group[1:], "exclude")


def check_alike_images(data: DataSet) -> Iterator[Problem]:
    """Yield images of two splits that look alike."""
    for first, second in find_alike(data.facts):
        if first.split != second.split and (not data.is_grouped or first.group != second.group):
            message = (
                f"{first.name!r} ({first.split}) and {second.name!r} ({second.split}) look alike: copies, or "
                "neighbours in a video or a stack? Keep them together with `group`, or divide by ranges "
                "(`split: segapp.datasets.Contiguous`)."
            )
            yield _warn("leak", message, [first, second], "group")


def check_groups(data: DataSet) -> Iterator[Problem]:
    """Yield names that share a patient, slide or video on both sides of the split."""
    grouping = None if data.is_grouped else find_groups([one.name for one in data.facts])
    if grouping is None:
        return
    splits: dict[str, set[str]] = defaultdict(set)
    for one in data.facts:
        match = grouping.pattern.search(one.name)
        if match is not None and match[1] is not None:
            splits[match[1]].add(one.split)
    divided = [group for group, found in splits.items() if len(found) > 1]
    if divided:
        message = (
            f"{len(divided)} of {len(splits)} groups of names are in several splits, such as {divided[0]!r}: if these "
            f"are patients, slides or videos, scores are too high. Set group: '{grouping.expression}'."
        )
        yield Problem("leak", message, setting="group", severity="warning")


def check_shared_masks(data: DataSet) -> Iterator[Problem]:
    """Yield different images with one mask, which is more than empty."""
    groups: dict[bytes, list[ItemFacts]] = defaultdict(list)
    for one in data.described:
        assert one.described is not None
        if (one.described.counts > 0).sum() > 1:
            groups[one.mask_digest].append(one)
    for members in groups.values():
        if len({one.digest for one in members}) > 1:
            message = f"different images have the same mask: {_list_names(members)}. Were masks copied or overwritten?"
            yield _warn("alignment", message, members)


def check_alignment(data: DataSet) -> Iterator[Problem]:
    """Yield masks that would lie better on their image shifted or mirrored.

    Silent where borders of masks do not lie on edges of images, and about masks that lie as well as most.
    """
    known = [(one, one.fit) for one in data.described if one.fit is not None]
    if len(known) < FEWEST_FITS:
        return
    low, usual, high = np.percentile([fit.own for _, fit in known], [25, 50, 75])
    for one, fit in known:
        is_outlier = fit.own < low - OUTLIER * (high - low)
        if fit.motion and is_outlier and fit.best - fit.own >= BETTER and fit.best >= NEARLY * usual:
            message = (
                f"the mask of {one.name!r} fits its image better {fit.motion} (fit {fit.best:.1f} against "
                f"{fit.own:.1f}, usually {usual:.1f}); look at it."
            )
            yield _warn("alignment", message, [one])


def check_swapped(data: DataSet) -> Iterator[Problem]:
    """Yield masks that fit the image of another name better than their own."""
    known = [one for one in data.described if one.edges is not None]
    if len(known) < FEWEST_FITS:
        return
    strengths = np.stack([one.edges.strength.ravel() for one in known if one.edges]).astype(np.float32)
    borders = np.stack([one.edges.borders.ravel() for one in known if one.edges]).astype(np.float32)
    borders /= borders.sum(axis=1, keepdims=True)
    fits = strengths @ borders.T  # [image, mask]
    fits = (fits - fits.mean(axis=1, keepdims=True)) / np.maximum(fits.std(axis=1, keepdims=True), 1e-9)
    own = np.diag(fits)
    low, high = np.percentile(own, [25, 75])
    least = low - OUTLIER * (high - low)
    best = fits.argmax(axis=1)
    for index, other in enumerate(best):
        if own[index] < least and best[other] == index and index < other:
            message = (
                f"the masks of {known[index].name!r} and {known[other].name!r} each fit the other's image better; "
                "were they swapped?"
            )
            yield _warn("alignment", message, [known[index], known[other]])


RULES: tuple[Rule, ...] = (
    check_files,
    check_classes,
    check_masks,
    check_kinds,
    check_constant,
    check_spacing,
    check_orientation,
    check_equal_images,
    check_alike_images,
    check_groups,
    check_shared_masks,
    check_alignment,
    check_swapped,
)


def apply_rules(data: DataSet) -> list[Problem]:
    """Return what all rules find, errors first."""
    found = [problem for rule in RULES for problem in rule(data)]
    return sorted(found, key=lambda problem: problem.severity != "error")


def _warn(kind: Kind, message: str, members: Sequence[ItemFacts], setting: str | None = None) -> Problem:
    path = members[0].mask_path if kind in ("mask", "alignment") else members[0].path
    return Problem(kind, message, path, setting, "warning", tuple(one.name for one in members))


def _find_held(facts: Sequence[ItemFacts]) -> set[int]:
    return {int(index) for one in facts if one.described is not None for index in np.flatnonzero(one.described.counts)}


def _list_names(facts: Sequence[ItemFacts]) -> str:
    more = f" and {len(facts) - LISTED} more" if len(facts) > LISTED else ""
    return f"{', '.join(repr(one.name) for one in facts[:LISTED])}{more}"
