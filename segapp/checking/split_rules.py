"""Rules about images that occur twice, or on both sides of a split."""

from collections import defaultdict
from collections.abc import Iterator

from segapp.checking.data_set import DataSet, list_names, make_warning
from segapp.checking.duplicates import find_alike, find_equal
from segapp.datasets.problems import Problem
from segapp.datasets.source import SPLITS
from segapp.planning.splitting import find_groups


def check_equal_images(data: DataSet) -> Iterator[Problem]:
    """Yield equal images: in two splits a score is too high, with different masks one of them is wrong."""
    for group in find_equal(data.facts):
        splits = sorted({one.split for one in group}, key=SPLITS.index)
        names = list_names(group)
        if len({one.mask_digest for one in group if one.mask_digest}) > 1:
            message = f"equal images have different masks: {names}. One of the masks is wrong, or belongs elsewhere."
            yield make_warning("duplicate", message, group)
        if len(splits) > 1:
            message = (
                f"the same image is in {' and '.join(splits)}: {names}. Scores would be of images that were trained "
                "on; leave the copies out (`exclude`)."
            )
            yield Problem("leak", message, group[-1].path, "exclude", items=tuple(one.name for one in group))
        else:
            message = f"equal images: {names}. They count several times; leave the copies out (`exclude`)."
            yield make_warning("duplicate", message, group[1:], "exclude")


def check_alike_images(data: DataSet) -> Iterator[Problem]:
    """Yield images of two splits that look alike."""
    for first, second in find_alike(data.facts):
        if first.split != second.split and (not data.is_grouped or first.group != second.group):
            message = (
                f"{first.name!r} ({first.split}) and {second.name!r} ({second.split}) look alike: copies, or "
                "neighbours in a video or a stack? Keep them together with `group`, or divide by ranges "
                "(`split: segapp.datasets.Contiguous`)."
            )
            yield make_warning("leak", message, [first, second], "group")


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
