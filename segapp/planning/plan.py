"""Make all decisions of a plan, from data and a budget."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from segapp.datasets.source import SPLITS, Source
from segapp.errors import MisuseError
from segapp.planning.augmentation import choose_augmentation
from segapp.planning.decisions import Decision, build_config
from segapp.planning.fingerprint import MIN_IMAGES, Fingerprint, read_fingerprint
from segapp.planning.intensity import choose_normalisation
from segapp.planning.large_images import LARGE_ENOUGH
from segapp.planning.machine import Machine
from segapp.planning.network import MIN_STEPS, Network, list_networks
from segapp.planning.run_length import Pace, RunLength, choose_run_length, count_affordable_steps, decide_training
from segapp.planning.sampling import choose_loss, choose_sampling
from segapp.planning.sizes import MIN_CROP, PIXELS_PER_STEP, PlannedSizes, choose_sizes
from segapp.planning.source import SOURCE_KEY, build_planned_source, is_folder, is_undivided, list_items
from segapp.planning.splitting import choose_split
from segapp.planning.trial import Measurements, TooLargeError, Trial

CACHE_FRACTION = 0.25
"""Fraction of the main memory that decoded images may take."""
MIN_WIDER_COST = 2
"""A step of twice the channels takes at least so many times as long."""


@dataclass(frozen=True)
class Plan:
    """A complete configuration, and the measurements behind it."""

    name: str
    decisions: tuple[Decision, ...]
    fingerprint: Fingerprint
    sizes: PlannedSizes
    source: Source
    machine: Machine
    paces: tuple[Pace | None, ...]
    """The times that were measured."""


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
    decided = [*source_decisions, *_exclude_unreadable(fingerprint, source_decisions)]
    grey = _merge_grey_channels(fingerprint, source_decisions)
    decided += grey
    fingerprint = fingerprint.convert_to_grey() if grey else fingerprint
    if is_undivided(decided):
        decided += choose_split(fingerprint)
    source = build_planned_source(decided)
    _require_splits(source)
    start = [Decision("name", name, ""), Decision("seed_everything", 0, ""), *decided]
    measurements = Measurements(paces)
    sizes, network, pace, decisions, trial = _fit_into_memory(start, fingerprint, machine, budget, measurements)
    length = choose_run_length(pace, budget, trial.training_images, sizes.batch_size)
    data = [
        Decision("data.crops_per_image", length.crops_per_image, _explain_epoch(length)),
        *_choose_cache(source, machine),
    ]
    model = [*network.decide(), *([] if network.has_statistics else choose_normalisation(fingerprint))]
    model += choose_loss(fingerprint, network.deep_supervision)
    training = decide_training(length, pace, budget, trial.training_images, sizes.batch_size)
    made = (*decisions, *data, *model, *training)
    return Plan(name, made, fingerprint, sizes, source, machine, tuple(measurements.taken))


def _fit_into_memory(
    start: Sequence[Decision],
    fingerprint: Fingerprint,
    machine: Machine,
    budget: float,
    measurements: Measurements,
) -> tuple[PlannedSizes, Network, Pace, list[Decision], Trial]:
    """Choose sizes and a network, with half the pixels a step until a step fits; MisuseError where none does."""
    pixels = PIXELS_PER_STEP[machine.kind]
    while pixels >= MIN_CROP**2:
        sizes = choose_sizes(fingerprint, machine.kind, pixels)
        decisions = [
            *start,
            *sizes.decide(),
            *choose_sampling(fingerprint, sizes),
            *choose_augmentation(fingerprint),
        ]
        trial = Trial(decisions, machine, measurements)
        try:
            network, pace = _measure_networks(trial, fingerprint, sizes, budget)
        except TooLargeError:
            pixels //= 2
            continue
        return sizes, network, pace, decisions, trial
    raise MisuseError(
        f"{machine.name} has {machine.memory / 1e9:.2g} GB of memory, too little to train on a crop of {MIN_CROP} x "
        f"{MIN_CROP} pixels; use another machine, or train a smaller network with configs/unet.yaml."
    )


def _measure_networks(
    trial: Trial, fingerprint: Fingerprint, sizes: PlannedSizes, budget: float
) -> tuple[Network, Pace]:
    """Measure the cheapest network, and a wider one where the budget may hold enough steps of it."""
    networks = list_networks(fingerprint, sizes, trial.training_images, trial.machine.kind)
    chosen = networks[-1]
    pace = trial.measure(chosen.settings, _build_loss(fingerprint, chosen))
    for network in reversed(networks[:-1]):
        steps = count_affordable_steps(pace, budget)
        if steps < MIN_WIDER_COST * MIN_STEPS:
            more = f"With twice the channels the budget would hold too few steps ({steps:.0f} of this network fit)."
            return replace(chosen, reason=f"{chosen.reason} {more}"), pace
        wider = trial.measure(network.settings, _build_loss(fingerprint, network))
        if count_affordable_steps(wider, budget) < MIN_STEPS:
            break
        chosen, pace = network, wider
    return chosen, pace


def _build_loss(fingerprint: Fingerprint, network: Network) -> dict[str, Any]:
    loss: dict[str, Any] = build_config(choose_loss(fingerprint, network.deep_supervision))["model"]["loss"]
    return loss


def _exclude_unreadable(fingerprint: Fingerprint, decisions: Sequence[Decision]) -> list[Decision]:
    """Leave out images that cannot be read, with the reason; raise MisuseError where the source is no `Folder`."""
    if not fingerprint.unreadable:
        return []
    (_, first), count = fingerprint.unreadable[0], len(fingerprint.unreadable)
    if not is_folder(decisions):
        raise MisuseError(first)
    former: list[str] = next((d.value for d in decisions if d.setting == f"{SOURCE_KEY}.exclude"), [])
    names = [*former, *(glob.escape(name) for name, _ in fingerprint.unreadable)]
    return [Decision(f"{SOURCE_KEY}.exclude", names, f"Left out, {count} of {fingerprint.total + count}: {first}")]


def _merge_grey_channels(fingerprint: Fingerprint, decisions: Sequence[Decision]) -> list[Decision]:
    """Read one channel where all are equal in every image."""
    if not fingerprint.is_grey or len(fingerprint.mean) == 1:
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
