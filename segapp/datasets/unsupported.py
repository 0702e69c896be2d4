"""Annotation formats that segapp does not read, and the messages that name them."""

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
"""Suffix of an annotation file → its format."""

KEYS = {
    '"shapes"': "labelme",
    '"annotations"': "COCO",
    '"FeatureCollection"': "GeoJSON",
}
"""Key in the first bytes of a JSON file → the tool that wrote it."""
HEAD_BYTES = 2**16

MAX_FOLDERS = 50  # searched for annotations


def explain_unread(suffix: str) -> str:
    """Return why a file of this suffix is no mask; empty for other suffixes."""
    what = UNREAD.get(suffix)
    return f"{what} are not read: convert them to masks, PNG files in which every pixel holds its class" if what else ""


def describe_annotations(folder: Path) -> str:
    """Return a message about the first JSON annotations in a folder, with a space before it; empty without any."""
    for folder_path, names in islice(walk_folders(folder), MAX_FOLDERS):
        name = next((name for name in names if name.lower().endswith((".json", ".geojson"))), None)
        if name is not None and (tool := _recognise_tool(folder_path / name)):
            return f" {folder_path / name} holds annotations of {tool}. {explain_unread(Path(name).suffix.lower())}."
    return ""


def _recognise_tool(path: Path) -> str | None:
    if describe_irregular(path) is not None:
        return None
    try:
        with path.open("rb") as file:
            beginning = file.read(HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return None
    return next((tool for key, tool in KEYS.items() if key in beginning), None)
