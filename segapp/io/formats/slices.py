"""The grid of a volume: which of its axes is which anatomical direction, and where a slice lies in its array.

Slices are shown in one orientation, whatever the file's: as radiologists see them, the patient's left on the right.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from segapp.spec import SliceAxis

AXES: tuple[SliceAxis, ...] = ("sagittal", "coronal", "axial")
"""The slices across the patient's axes from right to left, front to back, feet to head, in this order."""

EQUAL = 1e-3
"""Relative difference below which two spacings are one."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Where the voxels of an array lie in the patient.

    Attributes:
        affine: (4, 4) float64 from indices of the array to LPS coordinates in mm: they grow to the patient's left, back
            and head.
        sizes: Voxels along the axes of the array, at one time.
        times: Of several, each has voxels of these sizes: the array has an axis more, the first, and the slices of a
            time follow those of the one before.
    """

    affine: np.ndarray
    sizes: tuple[int, int, int]
    times: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all axes of the array."""
        return self.sizes if self.times == 1 else (self.times, *self.sizes)

    @cached_property
    def order(self) -> tuple[int, int, int]:
        """The array's axis that is nearest to each of L, P and S."""
        scaled = np.abs(self.affine[:3, :3]) / self._spacing
        first, second, third = max(
            permutations(range(3)), key=lambda order: sum(scaled[world, axis] for world, axis in enumerate(order))
        )
        return first, second, third

    @cached_property
    def flips(self) -> tuple[bool, bool, bool]:
        """Whether indices grow against each of L, P and S."""
        first, second, third = (bool(self.affine[world, axis] < 0) for world, axis in enumerate(self.order))
        return first, second, third

    @cached_property
    def _spacing(self) -> np.ndarray:
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxels in mm along L, P and S."""
        first, second, third = (float(self._spacing[axis]) for axis in self.order)
        return first, second, third

    @property
    def upright_affine(self) -> np.ndarray:
        """The affine of the voxels once their axes are in the order and direction of L, P and S."""
        affine = np.eye(4)
        offset = np.zeros(3)
        for world, (axis, flipped) in enumerate(zip(self.order, self.flips, strict=True)):
            affine[:3, world] = self.affine[:3, axis] * (-1 if flipped else 1)
            offset[axis] = self.sizes[axis] - 1 if flipped else 0
        affine[:3, 3] = self.affine[:3, :3] @ offset + self.affine[:3, 3]
        return affine

    def choose_axis(self, axis: SliceAxis) -> SliceAxis:
        """Return the axis that `auto` stands for: that of one voxel, else of the largest spacing; axial if equal."""
        if axis != "auto":
            return axis
        sizes = [self.sizes[each] for each in self.order]
        if sizes.count(1) == 1:
            return AXES[sizes.index(1)]
        largest = max(self.spacing)
        return next(AXES[world] for world in (2, 1, 0) if self.spacing[world] >= largest * (1 - EQUAL))

    def count_slices(self, axis: SliceAxis) -> int:
        """Return how many slices there are across an axis, of all times."""
        return self.times * self.sizes[self.order[AXES.index(axis)]]

    def locate_slice(self, axis: SliceAxis, index: int) -> tuple[int, int]:
        """Return the axis that a slice lies across in the array of one time, and its place on it."""
        world = AXES.index(axis)
        across = self.order[world]
        return across, self.sizes[across] - 1 - index if self.flips[world] else index

    def find_slice(self, voxels: np.ndarray, axis: SliceAxis, index: int) -> np.ndarray:
        """Return the view (H, W, …) of a slice in an array (X, Y, Z, …), of several times (T, X, Y, Z, …), upright.

        Slices are counted from right to left, from front to back, from feet to head.
        """
        if self.times > 1:
            time, index = divmod(index, self.count_slices(axis) // self.times)
            voxels = voxels[time]
        turned = voxels.transpose(*self.order, *range(3, voxels.ndim))
        turned = turned[tuple(slice(None, None, -1 if flipped else 1) for flipped in self.flips)]
        if axis == "axial":
            return turned[:, :, index].swapaxes(0, 1)  # rows from front to back
        across = turned[index] if axis == "sagittal" else turned[:, index]
        return across.swapaxes(0, 1)[::-1]  # rows from head to feet

    def get_pixel_size(self, axis: SliceAxis) -> tuple[float, float]:
        """Return height and width of a slice's pixel in µm."""
        left, back, head = (1000 * each for each in self.spacing)
        return {"axial": (back, left), "coronal": (head, left)}.get(axis, (head, back))


def describe_difference(first: Grid, second: Grid) -> str | None:
    """Return why the slices of two volumes do not lie on each other, or None.

    Positions may differ a little, as programs round them: only where they decide which voxels belong together, because
    the arrays are stored in different orientations, must they agree to half a voxel.
    """
    if (first.times, _sort_sizes(first)) != (second.times, _sort_sizes(second)):
        return f"{_format_sizes(first)} and {_format_sizes(second)} voxels"
    if (first.order, first.flips) == (second.order, second.flips):
        return None
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float).T
    corners[:3] *= np.array(_sort_sizes(first))[:, None] - 1
    distance = np.abs(first.upright_affine @ corners - second.upright_affine @ corners)[:3].max()
    return None if distance < min(first.spacing) / 2 else f"orientations that place them {distance:.3g} mm apart"


def _sort_sizes(grid: Grid) -> tuple[int, ...]:
    return tuple(grid.sizes[axis] for axis in grid.order)


def _format_sizes(grid: Grid) -> str:
    return " x ".join(map(str, grid.shape))
