"""RT structure sets of DICOM, on the slices of a DICOM series."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.contour_mask import ContourMask, SeriesPainter
from segapp.datasets.annotations.contours import Contours
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.masks.encoding import FoundFiles, Labels
from segapp.datasets.problems import Problem
from segapp.datasets.source import MaskReference
from segapp.errors import MisuseError, SegappError
from segapp.io import FilePart
from segapp.io.structures import read_structure_set

AREAS = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
"""Geometric types of contours that are areas."""


class RtStruct(Annotations):
    """Regions of interest (ROI) of DICOM RT structure sets, painted on the slices of DICOM series.

    Pixels whose centre lies in an odd number of a region's contours are covered; later regions in the file are above
    earlier ones. Contours are matched with the slices by position.

    Args:
        labels: Name of a region → class of the data set, `ignore`, or null to leave the region out. Names that are not
            listed are classes themselves.
    """

    suffixes = (".dcm", ".dicom", ".ima")
    by_location = True
    of_volumes = True

    def __init__(self, labels: dict[str, str | None] | None = None) -> None:
        super().__init__(labels)
        self._painters: dict[tuple[Path, Path], SeriesPainter] = {}

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the one entry of a file, whose shapes are its regions."""
        try:
            regions = read_structure_set(path)
        except SegappError as error:
            raise MisuseError(str(error)) from error
        skipped: Counter[str] = Counter()
        shapes = []
        for region in regions:
            areas = [each for each in region.contours if each.kind in AREAS and len(each.points) > 2]
            skipped.update(_describe_kind(each.kind) for each in region.contours if each not in areas)
            if areas:
                instances = frozenset(instance for each in areas for instance in each.instances)
                parts = tuple((each.points,) for each in areas)
                shapes.append(Contours(region.name, parts, space=region.space, instances=instances))
        yield Entry("", tuple(shapes), skipped=skipped)

    def find_problems(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> Iterator[Problem]:
        """Yield what others do, and structure sets that do not lie on their series."""
        yield from super().find_problems(names, found, labels)
        try:
            indices = self._list_indices(labels)
        except MisuseError:
            return  # reported already
        yield from self._find_misplaced(names, found, indices, labels.background)

    def open_masks(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> dict[str, MaskReference]:
        """Return the mask of each slice; contours that are left out are logged once."""
        self._log(self._find_misplaced(names, found, self._list_indices(labels), labels.background))
        return super().open_masks(names, found, labels)

    def _find_misplaced(
        self, names: Sequence[str], found: FoundFiles, indices: Mapping[str, int | None], background: int
    ) -> Iterator[Problem]:
        for path, own in self._group_by_file(names, found).items():
            try:
                entry = next(iter(self._match(path, found).entries.values()))
            except MisuseError:
                continue  # reported already
            series = {found.images[name].path: found.images[name] for name in own}
            for image in series.values():
                painter = self._find_painter(image.file, path, entry, indices, background)
                try:
                    messages = list(painter.placement.describe_left_out(path, image.path))
                except SegappError as error:
                    yield Problem("mask", str(error), path, "masks")
                    continue
                for message in messages:
                    yield Problem("mask", message, path, "masks", "warning")

    def _make_mask(
        self, image: FilePart, path: Path, entry: Entry, indices: Mapping[str, int | None], background: int
    ) -> MaskReference:
        return ContourMask(image, self._find_painter(image, path, entry, indices, background))

    def _find_painter(
        self, image: FilePart, path: Path, entry: Entry, indices: Mapping[str, int | None], background: int
    ) -> SeriesPainter:
        """Return what paints all slices of a series, the same for each of them."""
        known = self._painters.get((image.path, path))
        if known is None or known.entry is not entry or (known.indices, known.background) != (indices, background):
            known = self._painters[image.path, path] = SeriesPainter(image, path, entry, indices, background)
        return known


def _describe_kind(kind: str) -> str:
    if kind in AREAS:
        return "contours of one or two points"
    return {"POINT": "points", "OPEN_PLANAR": "open contours", "OPEN_NONPLANAR": "open contours"}.get(
        kind, f"contours of the type {kind[:16] or '(none)'}"
    )
