"""Project the checkpoints of a training on the plane in which it moved (Li et al. 2018, section 7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segapp.errors import MisuseError
from segapp.lab.landscape.directions import Direction

Weights = Mapping[str, Tensor]
"""A network's parameters by name."""


@dataclass(frozen=True)
class Trajectory:
    """The two directions of largest variance among a training's checkpoints.

    Attributes:
        directions: Each of length 1 over all parameters together, so that a unit is a distance between weights.
        path: (M, 2) float64: positions of the checkpoints in the plane; the final network is at (0, 0).
        explained: Fractions of the checkpoints' variance along each, in [0, 1].
    """

    directions: tuple[Direction, Direction]
    path: np.ndarray
    explained: tuple[float, float]


def project_trajectory(final: Weights, checkpoints: Sequence[Weights]) -> Trajectory:
    """Project the checkpoints' weights on their principal components.

    These follow from the M × M products of their differences from `final`.

    That needs one copy of the parameters per checkpoint and no matrix of parameters × parameters. Raises MisuseError
    for fewer than three different checkpoints: they span no plane.
    """
    if len(checkpoints) < 3:
        raise _explain_no_plane(len(checkpoints))
    moves = [{name: (weights[name] - final[name]).float() for name in final} for weights in checkpoints]
    mean = {name: torch.stack([move[name] for move in moves]).mean(0) for name in final}
    products = np.zeros((len(moves), len(moves)))
    for name in final:
        centred = torch.stack([move[name] - mean[name] for move in moves]).reshape(len(moves), -1).double()
        products += (centred @ centred.T).numpy()
    values, vectors = np.linalg.eigh(products)
    if values[-2] <= 1e-10 * values[-1]:
        raise _explain_no_plane(len(checkpoints))
    directions, path = [], []
    for value, vector in ((values[-1], vectors[:, -1]), (values[-2], vectors[:, -2])):
        weights = torch.tensor(vector / np.sqrt(value)).float()
        direction = {name: _sum(weights, [move[name] - mean[name] for move in moves]) for name in final}
        along = np.array([_dot(move, direction) for move in moves])
        sign = -1.0 if along[0] < 0 else 1.0  # a component's sign is arbitrary: training comes from the right and top
        directions.append({name: sign * part for name, part in direction.items()})
        path.append(sign * along)
    fractions = values[[-1, -2]] / values.clip(0).sum()
    return Trajectory((directions[0], directions[1]), np.stack(path, 1), (float(fractions[0]), float(fractions[1])))


def _explain_no_plane(count: int) -> MisuseError:
    return MisuseError(
        f"{count} checkpoints do not span a plane: name three or more different ones of one training with --trajectory."
    )


def _sum(weights: Tensor, parts: Sequence[Tensor]) -> Tensor:
    return torch.tensordot(weights, torch.stack(list(parts)), dims=1)


def _dot(one: Weights, two: Weights) -> float:
    return sum(float((one[name].double() * two[name].double()).sum()) for name in one)


def make_axis(positions: np.ndarray, points: int, margin: float = 0.25) -> np.ndarray:
    """Make an axis (points,) from the smallest to the largest of the positions and 0, with a margin on both sides."""
    low, high = min(positions.min(), 0.0), max(positions.max(), 0.0)
    room = margin * (high - low)
    return np.linspace(low - room, high + room, points)
