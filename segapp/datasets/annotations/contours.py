"""Contours of DICOM structure sets: laid on the slices of a series, and painted there."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segapp.datasets.annotations.fields import MAX_COORDINATE
from segapp.datasets.annotations.map_polygons import cover_centres
from segapp.datasets.annotations.shapes import Polygons, Window, bound_points
from segapp.errors import MisuseError
from segapp.io.structures import SeriesSpace

HALF = 0.501
"""Slices from a slice, up to which a contour is of it: a half, and what is rounded."""

TOGETHER = 0.05
"""Slices between contours that are of one plane."""

DIGITS = 6
"""Decimals of a pixel that are kept: borders through the centres of pixels then are alike on all slices."""


@dataclass(frozen=True, slots=True)
class Contours(Polygons):
    """A region in the coordinates of the patient; each contour is a part of one ring (N, 3)."""

    space: str = ""
    """The UID of the frame of reference; empty where it is unknown."""
    instances: frozenset[str] = frozenset()
    """The SOP instances of the images that the contours were drawn on."""


@dataclass(frozen=True, slots=True)
class CrossedPolygons(Polygons):
    """Rings on a slice that cover the pixels whose centre lies in an odd number of them.

    A contour inside another is a hole: CLOSEDPLANAR_XOR of DICOM PS3.3 C.8.8.6.3, and what most programs mean by
    CLOSED_PLANAR. A hole that a keyhole joins to its outer contour is one by the same rule.
    """

    def cover(self, window: Window) -> np.ndarray:
        """Return (h, w) bool."""
        covered = np.zeros((window.h, window.w), bool)
        for (ring,) in self.parts:
            seen = bound_points(ring).intersect(window)
            if seen.h and seen.w:
                part = covered[seen.y - window.y :, seen.x - window.x :][: seen.h, : seen.w]
                part ^= cover_centres(ring, seen)
        return covered


@dataclass
class Placement:
    """The regions of a structure set on the slices of a series.

    Attributes:
        slices: What each slice holds, in the order of the regions.
        outside: Contours beyond the first or last slice, by region.
        between: Contours that lie between those that slices show, by region.
        sparse: Regions that were drawn on every other slice or fewer → how many slices apart.
    """

    slices: dict[int, list[CrossedPolygons]] = field(default_factory=dict)
    outside: Counter[str] = field(default_factory=Counter)
    between: Counter[str] = field(default_factory=Counter)
    sparse: dict[str, int] = field(default_factory=dict)

    def describe_left_out(self, path: Path, image: Path) -> Iterator[str]:
        """Yield a message for contours that no slice shows, and for slices that may lack some."""
        for counts, where in ((self.outside, "lie on no slice"), (self.between, "lie between other contours")):
            if counts:
                yield f"{path}: contours of {_list_counts(counts)} {where} of the series {image} and are not painted."
        if self.sparse:
            yield (
                f"{path}: contours of {_list_counts(self.sparse, 'every {} slices')} leave out slices of the series "
                f"{image}, which are background there; draw or interpolate the others in the program that made them."
            )


def place_contours(path: Path, image: Path, shapes: Sequence[Contours], space: SeriesSpace) -> Placement:
    """Return regions on the slices of a series.

    Args:
        path: The structure set, for messages.
        image: The series, for messages.
        shapes: In the order in which they are painted.
        space: Where the series lies.

    Raises:
        MisuseError: They were drawn on other images, or not along the slices.
    """
    _check_references(path, image, shapes, space)
    found = Placement()
    for shape in shapes:
        slices: dict[int, list[tuple[float, np.ndarray]]] = {}
        for number, (ring,) in enumerate(shape.parts, start=1):
            voxels = space.find_voxels(ring)
            if not np.abs(voxels).max() <= MAX_COORDINATE:
                raise MisuseError(f"{path}: contour {number} of {shape.label!r} is far outside of the series {image}.")
            height = float(voxels[:, 2].mean())
            place = round(height)
            if not 0 <= place < space.count:
                found.outside[shape.label] += 1
            elif np.abs(voxels[:, 2] - place).max() > HALF:
                raise MisuseError(
                    f"{path}: contour {number} of {shape.label!r} does not lie along the slices of {image} but crosses "
                    "them; set `masks` to the structure set that was drawn on this series."
                )
            else:
                slices.setdefault(place, []).append((height, voxels[:, :2]))
        for place, contours in sorted(slices.items()):
            nearest = min((abs(height - place), height) for height, _ in contours)[1]
            kept = [ring for height, ring in contours if abs(height - nearest) <= TOGETHER]
            found.between[shape.label] += len(contours) - len(kept)
            rings = tuple((np.round(ring + 0.5, DIGITS),) for ring in kept)
            found.slices.setdefault(place, []).append(CrossedPolygons(shape.label, rings))
        gaps = np.diff(sorted(slices))
        if len(gaps) > 1 and (usual := int(np.median(gaps))) > 1:
            found.sparse[shape.label] = usual
    found.between = +found.between  # without zeros
    return found


def _check_references(path: Path, image: Path, shapes: Sequence[Contours], space: SeriesSpace) -> None:
    """Raise MisuseError for contours of other images: by their references, else by the frame of reference."""
    for shape in shapes:
        if missing := sorted(shape.instances - space.instances):
            raise MisuseError(
                f"{path}: the contours of {shape.label!r} refer to {len(missing)} images that are not in the series "
                f"{image}, such as {missing[0]}; add them, or set `masks` to the structure set of this series."
            )
        known = shape.space and space.frame_of_reference
        # Some programs refer to the right images and make up a frame of reference.
        if known and not shape.instances and shape.space != space.frame_of_reference:
            raise MisuseError(
                f"{path}: the region {shape.label!r} is in the frame of reference {shape.space}, and the series "
                f"{image} in {space.frame_of_reference}; set `masks` to the structure set of this series."
            )


def _list_counts(counts: Mapping[str, int], form: str = "{:,}") -> str:
    return ", ".join(f"{name!r} ({form.format(count)})" for name, count in list(counts.items())[:8])
