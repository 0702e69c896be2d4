"""The base of all kinds of annotations in map coordinates: areas that lie on georeferenced images."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.entry import Entry
from segapp.datasets.annotations.georeferenced_mask import GeoreferencedMask, describe_crs, place_shapes, read_crs
from segapp.datasets.annotations.shapes import Polygons
from segapp.datasets.masks.encoding import FoundFiles, Labels
from segapp.datasets.problems import Problem
from segapp.datasets.source import MaskReference
from segapp.errors import MisuseError
from segapp.io import FilePart

LARGEST = 1e9
"""The largest coordinate: metres on a map are 4e7 at most."""
SHOWN = 8
CHECKED = 50
"""Images whose georeference is read before training."""

FindLabel = Callable[[Mapping[str, Any]], str]
"""Returns the class name that the properties of a feature give."""


@dataclass
class MapFile:
    """The content of a file.

    Attributes:
        path: The file.
        shapes: Polygons in the order of the file.
        skipped: What is no area, as points → how many.
        fields: The names of the properties.
        crs: The coordinate system as the file names it; None where it names none.
    """

    path: Path
    shapes: list[Polygons] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    fields: Sequence[str] = ()
    crs: object = None


class MapShapes(Annotations):
    """Areas in map coordinates, painted on the grid of every georeferenced image that they lie on.

    Pixels whose centre lies inside are covered; later features in the file are above earlier ones. Pixels that the
    image marks as not measured (nodata) are ignored. One file may be of many images.

    Args:
        labels: Name in the files → class of the data set, `ignore`, or null to leave the shapes out. Names that are not
            listed are classes themselves.
        class_field: The property of a feature that holds the name of its class. Default: all have the empty name, as
            in labels: {"": building}.
        crs: The coordinate system of files that name none, as EPSG:32633.
    """

    by_location = True

    def __init__(
        self, labels: dict[str, str | None] | None = None, class_field: str | None = None, crs: str | None = None
    ) -> None:
        super().__init__(labels)
        self.class_field = class_field
        self.crs = None if crs is None else read_crs(crs, "mask.crs")

    @abstractmethod
    def read(self, path: Path, find_label: FindLabel, fields: Sequence[str] | None) -> MapFile:
        """Read a file; raise MisuseError for a damaged one.

        Args:
            path: The file.
            find_label: Names the class of every feature.
            fields: The properties that `find_label` uses; None for all.
        """

    def parse(self, path: Path) -> Iterator[Entry]:
        """Yield the one entry of a file; raise MisuseError where no feature has the `class_field`."""
        name = self.class_field

        def find_label(properties: Mapping[str, Any]) -> str:
            return _format_name(properties.get(name)) if name else ""

        found = self.read(path, find_label, [name] if name else [])
        if name and found.shapes and name not in found.fields:
            held = ", ".join(found.fields[:SHOWN]) or "none"
            raise MisuseError(
                f"{path}: no feature has the property {name!r} (mask.class_field); properties are: {held}."
            )
        yield Entry("", tuple(found.shapes), skipped=found.skipped, crs=self._find_crs(found))

    def find_problems(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> Iterator[Problem]:
        """Yield what others do, images without a georeference, and files of which nothing lies on their images."""
        yield from super().find_problems(names, found, labels)
        yield from self._find_misplaced(names, found)

    def open_masks(self, names: Sequence[str], found: FoundFiles, labels: Labels) -> dict[str, MaskReference]:
        """Return the mask of each image; files of which nothing lies on their images are logged once."""
        self._log(self._find_misplaced(names, found))
        return super().open_masks(names, found, labels)

    def _find_misplaced(self, names: Sequence[str], found: FoundFiles) -> Iterator[Problem]:
        """Yield problems of the first images and their files: the others are of the same kind."""
        for path, own in self._group_by_file(names[:CHECKED], found).items():
            try:
                matched = self._match(path, found)
            except MisuseError:
                continue  # reported already
            entry = next(iter(matched.entries.values()), None)
            if entry is not None and entry.shapes:
                yield from _find_unplaced(path, entry, [found.images[name].path for name in own])

    def _find_crs(self, found: MapFile) -> str:
        """Return the coordinate system of a file; raise MisuseError where neither it nor `crs` names one."""
        if found.crs is not None:
            return str(found.crs)
        if self.crs is None:
            raise MisuseError(
                f"{found.path}: names no coordinate system; set mask.crs to the one of its coordinates, as EPSG:32633."
            )
        return self.crs

    def _make_mask(
        self, image: FilePart, path: Path, entry: Entry, indices: Mapping[str, int | None], background: int
    ) -> MaskReference:
        return GeoreferencedMask(image.path, path, entry, indices, background)


def _find_unplaced(path: Path, entry: Entry, images: Sequence[Path]) -> Iterator[Problem]:
    """Yield the error of an image without a place, or a warning where nothing of a file lies on its images."""
    for image in images:
        try:
            if next(place_shapes(image, path, entry), None) is not None:
                return
        except MisuseError as error:
            yield Problem("image", str(error), image, "mask")
            return
    which = f"the {len(images)} images that were looked at" if len(images) > 1 else images[0].name
    message = (
        f"{path}: none of its {len(entry.shapes):,} shapes lies on {which}. Its coordinates are taken as "
        f"{describe_crs(entry.crs or '')}; set mask.crs if that is wrong. Are latitude and longitude exchanged?"
    )
    yield Problem("mask", message, path, "mask", "warning")


def _format_name(value: object) -> str:
    """Return the name that a property gives; empty for nothing. Whole numbers are written without a fraction."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)
