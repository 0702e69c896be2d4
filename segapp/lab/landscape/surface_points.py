"""The points of a loss surface: lines along directions, and a plane along two of them."""

from dataclasses import dataclass

import numpy as np

from segapp.lab.landscape.surface import Step

LINE = np.linspace(-1, 1, 21)
"""Positions on a line, in units of its direction."""


@dataclass(frozen=True)
class SurfacePoints:
    """All points of one landscape: the centre, lines along the first directions, and a plane along two of them.

    Attributes:
        lines: Number of lines, along directions 0 … lines - 1, at the positions of `LINE`.
        plane: Indices of the plane's two directions.
        first: Positions on its first axis, (A,); empty without a plane.
        second: On its second axis, (B,).
    """

    lines: int
    plane: tuple[int, int]
    first: np.ndarray
    second: np.ndarray

    def list_steps(self) -> list[Step]:
        """List the steps one after the other.

        Every line's positions, then the plane's, row by row (second axis first).
        """
        on_lines: list[Step] = [{line: float(t)} for line in range(self.lines) for t in LINE]
        one, two = self.plane
        return on_lines + [{one: float(a), two: float(b)} for b in self.second for a in self.first]

    def split_losses(self, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split the losses of all steps into (lines, T) and (B, A)."""
        cut = self.lines * len(LINE)
        return losses[:cut].reshape(self.lines, len(LINE)), losses[cut:].reshape(len(self.second), len(self.first))
