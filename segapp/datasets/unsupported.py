"""Annotations that are not read: said by their format, so that nobody looks for a mistake elsewhere."""

from itertools import islice
from pathlib import Path

from segapp.io import walk_folders
from segapp.system.regular_files import describe_irregular

UNREAD = {
    ".json": "JSON annotations, such as those of COCO and labelme,",
    ".geojson": "GeoJSON annotations",
    ".xml": "XML annotations, such as those of Pascal VOC and CVAT,",
    ".mat": "MATLAB files",
    ".npy": "NumPy arrays",
    ".npz": "NumPy arrays",
    ".svg": "SVG drawings",
}
"""Suffixes under which people keep annotations."""

KEYS = {
    '"shapes"': "labelme",
    '"annotations"': "COCO",
    '"FeatureCollection"': "GeoJSON",
}
"""What the JSON of a tool begins with, within so many bytes."""
BEGINNING = 2**16

FOLDERS = 50  # that are looked into


def unread_format(suffix: str) -> str:
    """Return why a file of this suffix is no mask; empty for other suffixes."""
    what = UNREAD.get(suffix)
    return f"{what} are not read: convert them to masks, PNG files in which every pixel holds its class" if what else ""


def annotations_under(folder: Path) -> str:
    """Return a message about the first JSON annotations in a folder, with a space before it; empty without any."""
    for place, names in islice(walk_folders(folder), FOLDERS):
        name = next((name for name in names if name.lower().endswith((".json", ".geojson"))), None)
        if name is not None and (tool := _tool_of(place / name)):
            return f" {place / name} holds annotations of {tool}. {unread_format(Path(name).suffix.lower())}."
    return ""


def _tool_of(path: Path) -> str | None:
    if describe_irregular(path) is not None:
        return None
    try:
        with path.open("rb") as file:
            beginning = file.read(BEGINNING).decode("utf-8", "replace")
    except OSError:
        return None
    return next((tool for key, tool in KEYS.items() if key in beginning), None)
