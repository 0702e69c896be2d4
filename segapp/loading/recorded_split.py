"""Restore the split that a checkpoint records, by the names of its images."""

from collections.abc import Mapping, Sequence
from typing import Any

from segapp.datasets.source import SPLITS, Item, Source, SplitName
from segapp.errors import MisuseError
from segapp.loading.messages import format_some, report


def select_recorded(source: Source, names: Mapping[str, Sequence[str]]) -> dict[SplitName, list[Item]]:
    """Return the items of the recorded names of each split, and log which images are new and left out.

    Raises MisuseError where some of the names are not there.
    """
    known = set(source.item_names())
    wanted: dict[SplitName, list[str]] = {split: list(names.get(split, ())) for split in SPLITS}
    every = list(dict.fromkeys(name for split in SPLITS for name in wanted[split]))
    if missing := [name for name in every if name not in known]:
        raise MisuseError(
            f"{len(missing)} of the {len(every)} images of the checkpoint's split are missing: "
            f"{format_some(missing)}. Restore them under the same names. For other images, use their own "
            "`split`: add --new_split (segapp fit, validate and test), or in Python call keep_split() of the data "
            "module."
        )
    if new := sorted(known - set(every)):
        report(f"{len(new)} images are new since the checkpoint and are left out: {format_some(new)}.")
    return source.select_splits(wanted)


def restore_recorded(data: Any, checkpoint: Mapping[str, Any]) -> None:
    """Restore the split of the checkpoint that a Trainer loads, so that no training image is scored.

    Nothing changes for data that are no SegmentationDataModule or whose split is kept (`keep_split`), and for a
    checkpoint that records no split, or the split that the data have already.

    Args:
        data: The Trainer's data module, or None.
        checkpoint: As Lightning loaded it.
    """
    names = checkpoint.get("segapp", {}).get("splits", {})
    if any(names.values()) and not getattr(data, "split_is_kept", True) and data.split_names() != names:
        data.restore_splits(names)
