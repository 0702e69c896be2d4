"""Choose the sizes of samples and batches, and the network, that memory and budget allow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from segapp.errors import MisuseError
from segapp.planning.augmentation import choose_augmentation
from segapp.planning.decisions import Decision, build_config
from segapp.planning.fingerprint import Fingerprint
from segapp.planning.machine import Machine
from segapp.planning.network import MIN_STEPS, Network, list_networks
from segapp.planning.run_length import Pace, count_affordable_steps
from segapp.planning.sampling import choose_loss, choose_sampling
from segapp.planning.sizes import MIN_CROP, MIN_PIXELS_PER_STEP, PIXELS_PER_STEP, PlannedSizes, choose_sizes
from segapp.planning.trial import Measurements, TooLargeError, Trial

MIN_WIDER_COST = 2
"""A step of twice the channels takes at least so many times as long."""
ENOUGH_STEPS = 500
"""Where a budget holds fewer steps, one has half the pixels (docs/plan.md has the measurements)."""
MIN_STEP_GAIN = 1.5
"""A budget must hold so many times as many steps of half the pixels; those of a GPU take nearly the same time."""


@dataclass(frozen=True)
class Candidate:
    """Sizes and a network, measured."""

    sizes: PlannedSizes
    network: Network
    pace: Pace
    steps: float
    """Those that the budget holds."""
    decisions: tuple[Decision, ...]
    """All about data."""
    training_images: int


def choose_candidate(
    start: Sequence[Decision],
    fingerprint: Fingerprint,
    machine: Machine,
    budget: float,
    measurements: Measurements,
) -> Candidate:
    """Choose sizes and a network, with half the pixels a step until one fits and the budget holds enough of them.

    Raises MisuseError where none fits into the memory.
    """

    def measure(sizes: PlannedSizes) -> Candidate:
        decisions = (
            *start,
            *sizes.decide(),
            *choose_sampling(fingerprint, sizes),
            *choose_augmentation(fingerprint),
        )
        trial = Trial(decisions, machine, measurements)
        network, pace = _measure_networks(trial, fingerprint, sizes, budget)
        steps = count_affordable_steps(pace, budget)
        return Candidate(sizes, network, pace, steps, decisions, trial.training_images)

    pixels = PIXELS_PER_STEP[machine.kind]
    while pixels >= MIN_CROP**2:
        try:
            candidate = measure(choose_sizes(fingerprint, machine.kind, pixels))
        except TooLargeError:
            pixels //= 2
            continue
        while candidate.steps < ENOUGH_STEPS and pixels > MIN_PIXELS_PER_STEP:
            pixels //= 2
            sizes = choose_sizes(fingerprint, machine.kind, pixels, longer=candidate.sizes)
            if sizes.is_reduced != candidate.sizes.is_reduced:  # a class would become too thin
                break
            smaller = measure(sizes)
            if smaller.steps < MIN_STEP_GAIN * candidate.steps:
                break
            candidate = smaller
        return candidate
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
