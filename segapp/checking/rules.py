"""The rules of `segapp check`: each looks at all images of a data set, and yields what is wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from segapp.checking.data_set import DataSet, Rule, list_names, make_warning
from segapp.checking.facts import ItemFacts
from segapp.checking.mask_rules import check_alignment, check_overlaps, check_shared_masks, check_swapped
from segapp.checking.split_rules import check_alike_images, check_equal_images, check_groups
from segapp.datasets.item_checks import find_absent_classes
from segapp.datasets.problems import Problem
from segapp.datasets.source import SPLITS
from segapp.spec import find_volume_name

SPACING = 1.1
"""Factor between pixel sizes from which they differ."""


def check_files(data: DataSet) -> Iterator[Problem]:
    """Yield what is wrong with an image or a mask by itself; once where all slices of a volume share it."""
    yield from {problem.message: problem for one in data.facts for problem in one.problems}.values()


def check_constant(data: DataSet) -> Iterator[Problem]:
    """Yield images of one value: a failed export, or a black frame."""
    for one in data.facts:
        if one.is_constant:
            message = f"image {one.name!r}: all its pixels are equal; leave it out (`exclude`) or export it again."
            yield make_warning("image", message, [one], "exclude")


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
            f"the images differ in their {what} ({told}): {list_names(other)}. They are read as one; look whether "
            "these were exported otherwise (docs/data.md, intensity and channels)."
        )
        yield make_warning("image", message, other, "channels" if what == "number of channels" else "intensity")


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
        yield make_warning("image", message, [largest, smallest])
    if sized and len(sized) < len(data.facts):
        without = [one for one in data.facts if one.pixel_size is None and one.stored]
        if without:
            message = f"{len(sized)} images state the size of a pixel, {len(without)} do not: {list_names(without)}."
            yield make_warning("image", message, without)


def check_orientation(data: DataSet) -> Iterator[Problem]:
    """Yield images that EXIF turns while their masks are stored as they are shown, or the other way round."""
    turned = [one for one in data.facts if one.mask_path is not None and one.orientation != one.mask_orientation]
    if turned:
        message = (
            f"EXIF turns the image and not the mask, or otherwise, in {len(turned)}: {list_names(turned)}. Masks "
            "must lie on the upright image; look at one of them."
        )
        yield make_warning("mask", message, turned)


def check_masks(data: DataSet) -> Iterator[Problem]:
    """Yield masks without a labelled pixel, and those of one class where others hold more.

    Slices above and below the objects of a volume are empty, as they should be.
    """
    unlabelled = [one for one in data.described if one.described is not None and not one.described.counts.any()]
    for one in unlabelled:
        yield make_warning("mask", f"the mask of {one.name!r} has no labelled pixel: nothing is learnt from it.", [one])
    by_class: dict[int, list[ItemFacts]] = defaultdict(list)
    present_in = {one.name: np.flatnonzero(one.described.counts) for one in data.described if one.described is not None}
    labelled_volumes = {find_volume_name(name) for name, present in present_in.items() if len(present) > 1} - {None}
    for one in data.described:
        present = present_in[one.name]
        is_end = present.tolist() == [data.background] and find_volume_name(one.name) in labelled_volumes
        if len(present) == 1 and not is_end:
            by_class[int(present[0])].append(one)
    for index, members in by_class.items():
        if len(members) == len(data.described):
            what = f"every mask holds only {data.classes[index]!r}: there is nothing to learn"
            yield Problem("class", f"{what}. Check `classes` and `mask`.", setting="mask")
            continue
        kind = "empty" if index == data.background else "full"
        message = f"{len(members)} masks are {kind}, only {data.classes[index]!r}: {list_names(members)}."
        yield make_warning("mask", message, members)


def check_classes(data: DataSet) -> Iterator[Problem]:
    """Yield classes that a split lacks, or that no mask holds at all; none where no mask could be read."""
    if not data.described:
        return
    held = {split: _find_held(data.of(split)) for split in SPLITS}
    everywhere = set().union(*held.values())
    if absent := [name for index, name in enumerate(data.classes) if index not in everywhere]:
        message = f"no mask holds {', '.join(absent)}; check `classes` and `mask`, or remove them."
        yield Problem("class", message, setting="classes", severity="warning")
    known = {index: name for index, name in enumerate(data.classes) if index in everywhere}
    for split in SPLITS:
        seen = {number for number, index in enumerate(known) if index in held[split]}
        yield from find_absent_classes(split, bool(data.of(split)), seen, list(known.values()))


def _find_held(facts: Sequence[ItemFacts]) -> set[int]:
    return {int(index) for one in facts if one.described is not None for index in np.flatnonzero(one.described.counts)}


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
    check_overlaps,
    check_shared_masks,
    check_alignment,
    check_swapped,
)


def apply_rules(data: DataSet) -> list[Problem]:
    """Return what all rules find, errors first."""
    found = [problem for rule in RULES for problem in rule(data)]
    return sorted(found, key=lambda problem: problem.severity != "error")
