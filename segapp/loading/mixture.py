"""How many training samples of an epoch come from each of several joined data sets, and which ones."""

from collections.abc import Sequence

import numpy as np

from segapp.errors import MisuseError


class Mixture:
    """The samples of an epoch: from each data set a number by its weight, from each of its images equally many.

    An epoch has as many samples as there are. A sample that is needed again has a larger index, of the same image:
    what is random in it differs.

    Args:
        sources: Number of the data set of each training image.
        weights: Of each data set.
        crops_per_image: Samples of each image in an epoch without weights.
    """

    def __init__(self, sources: Sequence[int], weights: Sequence[float], crops_per_image: int) -> None:
        origins = np.tile(np.asarray(sources), crops_per_image)
        self.samples = len(origins)
        self._members = [np.flatnonzero(origins == number) for number in range(len(weights))]
        self.counts = _divide(self.samples, weights)
        """Samples of each data set in an epoch."""
        for number, (members, count) in enumerate(zip(self._members, self.counts, strict=True)):
            if not len(members):
                raise MisuseError(f"weights: data set {number + 1} of `sources` has no training images to draw from.")
            if not count:
                raise MisuseError(
                    f"weights: {weights[number]:g} of {sum(weights):g} is less than one of the {self.samples} samples "
                    f"of an epoch for data set {number + 1} of `sources`; raise it, or data.crops_per_image."
                )

    def sample_epoch(self, rng: np.random.Generator) -> np.ndarray:
        """Return the indices of an epoch's samples in random order, (samples,) int64, none twice."""
        return rng.permutation(
            np.concatenate([self._sample(*one, rng) for one in zip(self._members, self.counts, strict=True)])
        )

    def _sample(self, members: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return all members as often as they fit into `count`, and random ones for the rest."""
        rounds = -(-count // len(members))
        return np.concatenate([rng.permutation(members) + turn * self.samples for turn in range(rounds)])[:count]


def _divide(total: int, weights: Sequence[float]) -> list[int]:
    """Divide a whole number by weights: round down, and give what is left to the largest remainders."""
    exact = np.asarray(weights) / sum(weights) * total
    counts = np.floor(exact + 1e-9).astype(int)
    for number in np.argsort(counts - exact, kind="stable")[: total - counts.sum()]:
        counts[number] += 1
    return list(counts.tolist())
