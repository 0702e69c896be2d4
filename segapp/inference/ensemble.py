"""One runtime made of several: an ensemble's networks, each seeing every window flipped, turned and resized."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from segapp.inference.resize import enlarge, resize_pixels
from segapp.spec import Average, Spec, Symmetry

if TYPE_CHECKING:
    from segapp.inference.runtime import Array, Runtime

View = tuple[int, bool]
"""Turns of 90 degrees, then whether flipped left to right: one of the eight symmetries of a square."""


def list_views(symmetries: Sequence[Symmetry]) -> list[View]:
    """List all combinations of the symmetries; the unchanged image is first.

    >>> list_views(["horizontal"])
    [(0, False), (0, True)]
    >>> len(list_views(["rotations", "vertical"]))
    8
    """
    made = {(0, False)}
    moves = {"horizontal": (0, True), "vertical": (2, True), "rotations": (1, False)}
    while True:
        more = made | {_compose(view, moves[name]) for view in made for name in symmetries}
        if more == made:
            return sorted(made)
        made = more


def apply_temperature(logits: "Array", temperature: float) -> "Array":
    """Return the logits divided by the temperature, themselves where it is 1."""
    return logits if temperature == 1 else logits / temperature


def average_networks(networks: Sequence["Runtime"], spec: Spec) -> "Runtime":
    """Return the network itself, or the average over networks and views that the spec asks for."""
    if len(networks) == 1 and not spec.symmetries and spec.scales == (1.0,):
        return networks[0]
    return Averaged(networks, list_views(spec.symmetries), spec.scales, spec.average)


class Averaged:
    """Logits averaged over networks, views and scales, all with the same weight.

    `probabilities`: the mean of the softmax over classes, given as its logarithm, so that a softmax returns it.
    Networks whose logits have other scales then count alike. `logits`: the mean of the logits. Windows are blended
    afterwards. The networks' logits must be arrays of one kind.

    The logits of several networks are divided by their own temperatures first. That of a single network is left to the
    engine, so that it changes no class.
    """

    def __init__(
        self, networks: Sequence["Runtime"], seen: Sequence[View], scales: Sequence[float], average: Average
    ) -> None:
        self.networks = list(networks)
        self.views = list(seen)
        self.scales = list(scales)
        self.average = average
        first = self.networks[0]
        self.zeros, self.array, self.to_numpy = first.zeros, first.array, first.to_numpy
        self.compute_indices, self.compute_probabilities = first.compute_indices, first.compute_probabilities
        self.log, self.sum_confidence = first.log, first.sum_confidence
        self.parallel, self.share_cores = first.parallel, first.share_cores
        self.window_statistics = any(network.window_statistics for network in self.networks)
        self.temperature = first.temperature if len(self.networks) == 1 else 1.0

    def __call__(self, images: np.ndarray) -> "Array":
        """Compute (B, C, h, w) uint8, or float32 in [0, 1] → logits (B, K, h, w) float32."""
        sums: list[tuple[int, Array]] = []  # added in pairs: equal parts, by the power of two, stay exactly equal
        for part in self._compute_parts(images):
            sums.append((1, part))
            while len(sums) > 1 and sums[-1][0] == sums[-2][0]:
                (count, one), (_, other) = sums.pop(), sums.pop()
                sums.append((2 * count, other + one))
        mean = sum(total for _, total in sums) / sum(count for count, _ in sums)
        return self.log(mean) if self.average == "probabilities" else mean

    def _compute_parts(self, images: np.ndarray) -> Iterator["Array"]:
        """Compute the outputs to be averaged: of every network, scale and view."""
        for scale, view in product(self.scales, self.views):
            seen = turn(_scale(images, scale), view)
            for network in self.networks:
                logits = self._resize(turn_back(network(seen), view), (images.shape[2], images.shape[3]))
                logits = apply_temperature(logits, 1.0 if len(self.networks) == 1 else network.temperature)
                yield self.compute_probabilities(logits) if self.average == "probabilities" else logits

    def _resize(self, logits: "Array", size: tuple[int, int]) -> "Array":
        if tuple(logits.shape[2:]) == size:
            return logits
        back = self.zeros((*logits.shape[:2], *size))
        for index in range(len(logits)):
            for y, rows in enlarge(self, logits[index], size, size[0]):
                back[index, :, y : y + rows.shape[1]] = rows
        return back


def turn(images: "Array", view: View) -> "Array":
    """Turn (B, C, h, w) counter-clockwise, then flip it; the copy has the same memory layout."""
    turns, flip = view
    for _ in range(turns):
        images = _reverse(images.swapaxes(2, 3), 2)
    return _reverse(images, 3) if flip else images


def turn_back(logits: "Array", view: View) -> "Array":
    """Invert `turn`."""
    turns, flip = view
    logits = _reverse(logits, 3) if flip else logits
    for _ in range(turns):
        logits = _reverse(logits, 2).swapaxes(2, 3)
    return logits


def _compose(first: View, second: View) -> View:
    """Compose two views into one: a turn before a flip is the opposite turn after it."""
    turns = first[0] + (-second[0] if first[1] else second[0])
    return turns % 4, first[1] != second[1]


def _reverse(array: "Array", axis: int) -> "Array":
    """Reverse along an axis, by index: torch has no views of negative stride."""
    backwards = np.arange(array.shape[axis])[::-1].copy()
    return array[:, :, backwards] if axis == 2 else array[:, :, :, backwards]


def _scale(images: np.ndarray, scale: float) -> np.ndarray:
    """Scale (B, C, h, w) to another size, rounded."""
    if scale == 1:
        return images
    size = max(1, round(images.shape[2] * scale)), max(1, round(images.shape[3] * scale))
    return np.stack([resize_pixels(image.transpose(1, 2, 0), size) for image in images]).transpose(0, 3, 1, 2)
