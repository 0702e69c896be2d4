"""Choose how volumes are cut into slices, and describe their grids."""

from collections.abc import Sequence

import numpy as np

from segapp.datasets.masks.encoding import FoundImage
from segapp.io import list_slices, read_header
from segapp.planning.decisions import Decision

MAX_VOLUMES = 60
"""Volumes whose spacing is read."""
SLICES = 3
"""Slices of each volume whose values are read: at a quarter, the half and three quarters of it."""
NO_NEIGHBOURS = (
    "Slices alone: whether the slices before and after as channels (2.5-D) help is not measured here, and they make a "
    "step slower; compare a run with `neighbours: 1`."
)


def find_volumes(images: Sequence[FoundImage]) -> dict[str, list[FoundImage]]:
    """Return the slices of each volume; empty where the images are no volumes."""
    volumes: dict[str, list[FoundImage]] = {}
    for image in images:
        if image.part:
            volumes.setdefault(image.file_name, []).append(image)
    return volumes


def choose_slices(volumes: dict[str, list[FoundImage]]) -> list[FoundImage]:
    """Return a few slices of every volume, evenly over it."""
    return [
        slices[place]
        for slices in volumes.values()
        for place in sorted({len(slices) * step // (SLICES + 1) for step in range(1, SLICES + 1)})
    ]


def choose_axis(volumes: dict[str, list[FoundImage]], prefix: str = "data.source.init_args") -> list[Decision]:
    """Cut volumes across the axis of the largest spacing, where it is the same in all of them."""
    every = list(volumes.values())
    chosen = every[:: max(1, len(every) // MAX_VOLUMES)]
    axes = sorted({list_slices(slices[0].file, "auto")[0].part.partition("=")[0] for slices in chosen})
    grids = [read_header(slices[0].file).meta["volume"].grid for slices in chosen]
    spacing = np.array([grid.spacing for grid in grids])
    median = " x ".join(f"{value:.3g}" for value in np.median(spacing, axis=0))
    spread = spacing.max(axis=0) / spacing.min(axis=0)
    note = (
        "" if spread.max() < 1.01 else f" (they differ by up to a factor of {spread.max():.2g}; nothing is resampled)"
    )
    count = sum(map(len, every))
    reason = (
        f"{len(every)} volumes of {count} slices; voxels of {median} mm from right to left, front to back and feet to "
        f"head{note}."
    )
    if len(axes) == 1:
        reason += " Slices are across the largest spacing; of equal spacings they are axial."
    else:
        reason += f" Each volume is cut across its largest spacing, which makes {' and '.join(axes)} slices."
    axis = axes[0] if len(axes) == 1 else "auto"
    return [Decision(f"{prefix}.axis", axis, reason), Decision(f"{prefix}.neighbours", 0, NO_NEIGHBOURS)]
