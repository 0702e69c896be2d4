"""Make all decisions of a plan, from data and a budget."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from segapp.datasets.source import SPLITS, Source
from segapp.errors import MisuseError
from segapp.planning.augmentation import simplify_augmentation
from segapp.planning.candidates import choose_candidate
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import MIN_IMAGES, Fingerprint, read_fingerprint
from segapp.planning.intensity import choose_normalisation
from segapp.planning.large_images import LARGE_ENOUGH
from segapp.planning.machine import Machine
from segapp.planning.run_length import Pace, RunLength, choose_run_length, decide_training
from segapp.planning.sampling import choose_loss
from segapp.planning.sizes import PlannedSizes
from segapp.planning.source import (
    SOURCE_KEY,
    build_planned_source,
    exclude_unreadable,
    is_folder,
    is_undivided,
    list_items,
)
from segapp.planning.splitting import choose_split
from segapp.planning.trial import Measurements

CACHE_FRACTION = 0.25
"""Fraction of the main memory that decoded images may take."""


@dataclass(frozen=True)
class Plan:
    """A complete configuration, and the measurements behind it."""

    name: str
    decisions: tuple[Decision, ...]
    fingerprint: Fingerprint
    """Of the images for training and validation."""
    sizes: PlannedSizes
    source: Source
    machine: Machine
    paces: tuple[Pace | None, ...]
    """The times that were measured."""
    advice: str
    """How a better plan can be had; empty where there is nothing to say."""


def make_plan(
    name: str,
    source_decisions: Sequence[Decision],
    machine: Machine,
    budget: float,
    paces: Sequence[Pace | None] = (),
) -> Plan:
    """Read the data once, measure a few steps, and decide everything that a training needs.

    Args:
        name: Of the runs.
        source_decisions: Those of the data set; a split is added where they have none.
        machine: The machine that will train.
        budget: Seconds.
        paces: Times of an earlier plan, which are not measured again.

    Raises:
        MisuseError: nothing to learn, too small a budget, too little memory.
    """
    source = build_planned_source(source_decisions)
    items = list_items(source)
    if len(items) < MIN_IMAGES:
        raise MisuseError(
            f"{len(items)} images are too few: training and validation need {MIN_IMAGES} or more, or {LARGE_ENOUGH}."
        )
    fingerprint = read_fingerprint(items, source.classes, source.background)
    fingerprint = replace(fingerprint, cuts_images=source.cuts_images)
    decided = [*source_decisions, *exclude_unreadable(fingerprint, source_decisions)]
    grey = _merge_grey_channels(fingerprint, source_decisions)
    decided += grey
    fingerprint = fingerprint.convert_to_grey() if grey else fingerprint
    if is_undivided(decided):
        decided += choose_split(fingerprint)
    source = build_planned_source(decided)
    _require_splits(source)
    fingerprint = fingerprint.leave_out({item.name for item in source.items("test")})
    start = [Decision("name", name, ""), Decision("seed_everything", 0, ""), *decided]
    measurements = Measurements(paces)
    chosen = choose_candidate(start, fingerprint, machine, budget, measurements)
    sizes, network, images = chosen.sizes, chosen.network, chosen.training_images
    length = choose_run_length(chosen.pace, budget, images, sizes.batch_size)
    data = [
        Decision("data.crops_per_image", length.crops_per_image, _explain_epoch(length)),
        *_choose_cache(source, machine),
    ]
    model = [*network.decide(), *([] if network.has_statistics else choose_normalisation(fingerprint))]
    model += choose_loss(fingerprint, network.deep_supervision)
    training = decide_training(length, chosen.pace, budget, images, sizes.batch_size)
    views = sizes.visible * length.steps * sizes.batch_size / images
    made = (*simplify_augmentation(chosen.decisions, views), *data, *model, *training)
    return Plan(name, made, fingerprint, sizes, source, machine, tuple(measurements.taken), network.advice)


def _merge_grey_channels(fingerprint: Fingerprint, decisions: Sequence[Decision]) -> list[Decision]:
    """Read one channel where the three of every image are equal; of other numbers none is left out."""
    if not fingerprint.is_grey or len(fingerprint.mean) != 3:
        return []
    if not is_folder(decisions):
        return []
    return [Decision(f"{SOURCE_KEY}.channels", 1, "The channels of every image are equal: one of them is enough.")]


def _require_splits(source: Source) -> None:
    """Read the names of all splits; MisuseError where there is nothing to validate on."""
    counts = {split: len(source.items(split)) for split in SPLITS}
    if not counts["train"] or not counts["val"]:
        raise MisuseError(
            f"the data set's split gives {counts['train']} images to train and {counts['val']} to validate."
        )


def _choose_cache(source: Source, machine: Machine) -> list[Decision]:
    needed = 0
    for item in source.items("train"):
        height, width, channels = item.image.shape
        needed += height * width * (channels * item.image.dtype.itemsize + 1)
    if needed > CACHE_FRACTION * machine.main_memory:
        reason = f"The decoded training images take {needed / 1e9:.3g} GB, too much to keep in memory."
        return [Decision("data.cache_gb", 0.0, reason)]
    reason = f"All decoded training images: {needed / 1e9:.2g} of {machine.main_memory / 1e9:.3g} GB."
    return [Decision("data.cache_gb", round(1.05 * needed / 1e9 + 0.005, 2), reason)]


def _explain_epoch(length: RunLength) -> str:
    reason = f"Samples of every image in an epoch, which so has {length.epoch} steps"
    return f"{reason} and ends with a validation." if length.epoch == length.interval else f"{reason}."
