"""Recognise the annotations of tools by their content, and name the classes that they hold."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from segapp import datasets
from segapp.datasets.annotations.annotations import IGNORE, Annotations
from segapp.datasets.file_patterns import to_glob
from segapp.datasets.unsupported import read_beginning, recognise_tool
from segapp.errors import MisuseError
from segapp.io import find_suffix, is_image_folder, walk_folders
from segapp.io.structures import recognise_structure_set
from segapp.natural_order import make_natural_key
from segapp.planning.map_annotations import DEGREES
from segapp.planning.mask_meaning import MaskMeaning
from segapp.planning.names import BACKGROUND, IGNORED

MAX_FILES = 200
"""Files of a folder among which one of annotations is searched for."""
UNNAMED = "object"
"""The class of shapes that have no name."""
BY_SUFFIX: dict[str, type[Annotations]] = {".gpkg": datasets.GeoPackage, ".shp": datasets.Shapefile}
"""What reads files whose suffix alone says what they are."""
SHOWN = 8
"""Classes that a reason counts the shapes of."""


def recognise_annotations(root: Path, images: str, masks: str) -> type[Annotations] | None:
    """Return what reads the annotations that `masks` names, or None where it names images.

    A folder that holds images is one of masks, unless it is the folder of the images too.

    Args:
        root: The folder that both are relative to.
        images: The folder of images, or a pattern.
        masks: A file, a folder or a pattern.
    """
    files = list(islice(list_files(root, masks), MAX_FILES))
    if images != masks and any(find_suffix(path) and recognise_file(path) is None for path in files):
        return None
    return next((found for path in files if (found := recognise_file(path)) is not None), None)


def recognise_file(path: Path) -> type[Annotations] | None:
    """Return what reads a file of annotations, by its content; None for other files."""
    suffix = path.suffix.lower()
    if suffix in BY_SUFFIX:
        return BY_SUFFIX[suffix]
    if suffix in (".json", ".geojson") and (tool := recognise_tool(path)) is not None:
        kind: type[Annotations] = getattr(datasets, tool[1])
        return kind if kind.reads(path) else None
    if suffix in datasets.RtStruct.suffixes and recognise_structure_set(path):
        return datasets.RtStruct
    if suffix == ".xml" and "<annotations" in read_beginning(path):
        return datasets.Cvat
    if suffix == ".txt" and datasets.Yolo.reads(path) and read_beginning(path).lstrip()[:1].isdigit():
        try:
            return (
                datasets.Yolo if any(entry.shapes or entry.skipped for entry in datasets.Yolo().parse(path)) else None
            )
        except MisuseError:  # another text
            return None
    return None


def list_annotation_files(folder: Path, kind: type[Annotations]) -> list[Path]:
    """Return the first files in a folder that may hold annotations of a kind; none for a file or a pattern."""
    if not folder.is_dir():
        return []
    return [path for path in islice(_walk(folder), MAX_FILES) if kind.reads(path)]


def name_shapes(
    files: Sequence[Path], kind: type[Annotations], classes: Sequence[str], settings: Mapping[str, Any] | None = None
) -> MaskMeaning:
    """Return the classes of the shapes in annotation files, in alphabetical order after the background.

    Args:
        files: All of the data set.
        kind: Reads them.
        classes: The user's choice of them; shapes of other names are left out. Empty for all.
        settings: Further arguments of `kind`.

    Raises:
        MisuseError: A file is damaged, or there is no shape to learn from.
    """
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    settings = dict(settings or {})
    reader, images = kind(**settings), 0
    for path in files:
        for entry in reader.parse(path):
            images += 1
            counts.update(shape.label for shape in entry.shapes if not shape.ignored)
            skipped.update(entry.skipped)
    labels: dict[str, str | None] = {name: IGNORE for name in counts if name.lower() in IGNORED}
    labels |= {name: "background" for name in counts if name.lower() in BACKGROUND}
    if "" in counts:  # of shapes without a name
        labels[""] = UNNAMED
        counts[UNNAMED] += counts[""]
    names = sorted((name for name in counts if name not in labels), key=make_natural_key)
    if not names:
        held = ", ".join(f"{count:,} {what}" for what, count in skipped.items()) or "no shapes"
        raise MisuseError(f"{files[0]}: the annotations hold {held}, and nothing that covers an area.")
    chosen = _choose_names(names, classes)
    left_out: dict[str, str | None] = {name: None for name in names if name not in chosen}
    left_out |= {"": None} if "" in counts and UNNAMED not in chosen else {}
    labels = {name: value for name, value in {**labels, **left_out}.items() if name != value}
    settings |= {"labels": labels} if labels else {}
    mask: dict[str, Any] = {"class_path": f"segapp.datasets.{kind.__name__}"}
    mask |= {"init_args": settings} if settings else {}
    shown = ", ".join(f"{name} ({counts[name]:,})" for name in chosen[:SHOWN])
    more = f" and {len(chosen) - SHOWN} more" if len(chosen) > SHOWN else ""
    reason = f"Shapes of {kind.__name__} for {images} images: {shown}{more}. {_explain(kind, settings)}"
    return MaskMeaning(mask, ("background", *chosen), 0, reason)


def _explain(kind: type[Annotations], settings: Mapping[str, Any]) -> str:
    text = f"Pixels that none covers are background; where shapes overlap, {kind.above} is painted over the other."
    if "class_field" in settings:
        text += f" The class is in their property {settings['class_field']!r}."
    if "crs" in settings:
        degrees = settings["crs"] == DEGREES
        text += (
            f" The file names no coordinate system; its numbers may be degrees, so they are in {DEGREES}."
            if degrees
            else f" Coordinates are no degrees, so they are in {settings['crs']} of the images."
        )
    return text


def _choose_names(names: Sequence[str], classes: Sequence[str]) -> list[str]:
    wanted = [name for name in classes if name.lower() not in BACKGROUND]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise MisuseError(f"--classes: {unknown[0]!r} is none of the names in the annotations: {', '.join(names)}.")
    return wanted or list(names)


def list_files(root: Path, masks: str) -> Iterator[Path]:
    """Yield the files that a file, a folder or a pattern names, those of sub-folders too."""
    for match in sorted(root.glob(to_glob(masks))) if set(masks) & set("*?[{") else [root / masks]:
        if match.is_dir() and not is_image_folder(match):
            yield from _walk(match)
        elif match.is_file():
            yield match


def _walk(folder: Path) -> Iterator[Path]:
    for place, names in walk_folders(folder):
        yield from (place / name for name in sorted(names) if not name.startswith("."))
