"""Files that are no images of masks: annotations and the setting that reads them, and what is not read."""

from itertools import islice
from pathlib import Path

from segapp.io import walk_folders
from segapp.system.regular_files import describe_irregular

ANNOTATIONS = {
    ".json": "annotations in JSON are read with mask segapp.datasets.Coco, LabelMe, LabelStudio, Supervisely or Via",
    ".geojson": "GeoJSON is read with mask segapp.datasets.GeoJson in map coordinates, with QuPath in pixels",
    ".gpkg": "GeoPackages are read with mask segapp.datasets.GeoPackage",
    ".shp": "Shapefiles are read with mask segapp.datasets.Shapefile",
    ".xml": "annotations in XML are read with mask segapp.datasets.Cvat, if exported as 'CVAT for images 1.1'; convert "
    "those of other tools to masks",
    ".txt": "polygons of YOLO are read with mask segapp.datasets.Yolo",
}
"""Suffix of an annotation file → how it is read."""

UNREAD = {
    ".mat": "MATLAB files",
    ".svg": "SVG drawings",
    ".csv": "tables (CSV)",
}
"""Suffix of a file that is not read → its format."""

KEYS = {
    '"shapes"': ("LabelMe", "LabelMe"),
    '"classTitle"': ("Supervisely", "Supervisely"),
    '"region_attributes"': ("the VGG Image Annotator", "Via"),
    '"FeatureCollection"': ("QuPath (GeoJson reads map coordinates)", "QuPath"),
    '"Feature"': ("QuPath (GeoJson reads map coordinates)", "QuPath"),
    '"from_name"': ("Label Studio", "LabelStudio"),
    '"original_width"': ("Label Studio", "LabelStudio"),
    '"annotations"': ("COCO", "Coco"),
    '"file_name"': ("COCO", "Coco"),
}
"""Key in the first bytes of a JSON file → the tool that wrote it, and the class that reads it."""
HEAD_BYTES = 2**16

MAX_FOLDERS = 50  # searched for annotations


def explain_unread(suffix: str) -> str:
    """Return how a file of this suffix is read, or that it is not; empty for other suffixes."""
    if suffix in UNREAD:
        return f"{UNREAD[suffix]} are not read: convert them to masks, PNG files in which every pixel holds its class"
    return ANNOTATIONS.get(suffix, "")


def describe_annotations(folder: Path) -> str:
    """Return a message about the first JSON annotations in a folder, with a space before it; empty without any."""
    for folder_path, names in islice(walk_folders(folder), MAX_FOLDERS):
        name = next((name for name in names if name.lower().endswith((".json", ".geojson"))), None)
        if name is not None and (found := recognise_tool(folder_path / name)):
            path, (tool, kind) = folder_path / name, found
            return f" {path} holds annotations of {tool}: name it in `masks`, with mask segapp.datasets.{kind}."
    return ""


def recognise_tool(path: Path) -> tuple[str, str] | None:
    """Return the tool that wrote a JSON file, and the class that reads it; None for other files."""
    beginning = read_beginning(path)
    return next((tool for key, tool in KEYS.items() if key in beginning), None)


def read_beginning(path: Path) -> str:
    """Return the first `HEAD_BYTES` of a file as text; nothing of one that cannot be read."""
    if describe_irregular(path) is not None:
        return ""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
