"""Describe the data set of two folders: its layout, the meaning of its masks, and the reason of each setting."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segapp.datasets.annotations.annotations import Annotations
from segapp.datasets.annotations.map_shapes import MapShapes
from segapp.datasets.file_patterns import get_fixed_start
from segapp.datasets.source import SPLITS, Item, Source
from segapp.errors import MisuseError, SegappError
from segapp.io import read_shape
from segapp.loading.source_building import build_source
from segapp.natural_order import make_natural_key
from segapp.planning.annotations import name_shapes
from segapp.planning.channels import choose_channels
from segapp.planning.decisions import Decision, build_config
from segapp.planning.fingerprint import MIN_IMAGES, Fingerprint
from segapp.planning.folder_layout import FolderLayout, list_masks
from segapp.planning.intensity import choose_intensity
from segapp.planning.large_images import LARGE_ENOUGH, choose_blocks
from segapp.planning.layout import find_layout
from segapp.planning.layout_advice import require_agreement
from segapp.planning.map_annotations import choose_map_settings
from segapp.planning.mask_meaning import MaskMeaning, infer_meaning, name_folders, name_objects
from segapp.planning.mask_values import read_mask_values
from segapp.planning.names import IGNORED, find_names, read_channel_names
from segapp.planning.published_split import find_published_split
from segapp.planning.volumes import choose_axis, choose_slices, find_volumes
from segapp.spec import find_volume_name
from segapp.system.yaml_files import read_yaml

SOURCE_KEY = "data.source.init_args"
MAX_MASKS = 5000
"""Images whose masks' values are counted."""
CHANNELS_REASON = "Each image has a file for each channel, and the masks' names lack their endings."


def describe_source(images: str, masks: str, data: str, classes: str) -> list[Decision]:
    """Return the settings of the data set that options of a command describe.

    Args:
        images: Folder of images, or a pattern.
        masks: Folder of masks, or a pattern.
        data: File with a data section, instead of the two.
        classes: Names of the classes, separated by commas.

    Raises:
        MisuseError: Options contradict each other or are missing, or the data set is not clear.
    """
    names = [name.strip() for name in classes.split(",") if name.strip()]
    if twice := [name for name in names if names.count(name) > 1 and name.lower() not in IGNORED]:
        raise MisuseError(f"--classes: {twice[0]!r} is there twice.")
    if data and (images or masks):
        raise MisuseError("--data describes images and masks itself: use either --data, or --images and --masks.")
    if data and names:
        raise MisuseError("--classes names the classes of --masks; with --data, name them in the data section.")
    if data:
        return describe_section(Path(data))
    if not images or not masks:
        raise MisuseError("--images FOLDER and --masks FOLDER are needed, or --data FILE.")
    return describe_folder(images, masks, names)


def describe_folder(images: str, masks: str, classes: Sequence[str] = ()) -> list[Decision]:
    """Return the settings of `segapp.datasets.Folder` for images and masks, all but the split.

    Raises MisuseError where the names do not agree, the masks are ambiguous or there is nothing to learn.
    """
    layout = find_layout(images, masks)
    blocks = _choose_blocks(layout) if len(layout.found) < MIN_IMAGES else []
    try:
        meaning, pixels = _read_meaning(layout, classes), _describe_pixels(layout)
    except SegappError:
        require_agreement(layout.found, layout.slices, layout.channel_files, layout.pattern)  # often the cause
        raise
    root = os.path.relpath(layout.root)
    decisions = [
        Decision("data.source.class_path", "segapp.datasets.Folder", ""),
        Decision(f"{SOURCE_KEY}.root", str(layout.root) if root.startswith("..") else root, ""),
        Decision(f"{SOURCE_KEY}.images", layout.images, layout.reason),
        Decision(f"{SOURCE_KEY}.masks", layout.masks, ""),
        Decision(f"{SOURCE_KEY}.classes", list(meaning.classes), meaning.reason),
        Decision(f"{SOURCE_KEY}.background", meaning.background, _explain_background(meaning)),
    ]
    if layout.channel_files:
        decisions.append(Decision(f"{SOURCE_KEY}.channel_files", list(layout.channel_files), CHANNELS_REASON))
    if meaning.mask is not None:
        decisions.append(Decision(f"{SOURCE_KEY}.mask", meaning.mask, ""))
    if meaning.palette is not None:
        decisions.append(Decision(f"{SOURCE_KEY}.palette", [list(colour) for colour in meaning.palette], ""))
    return [*decisions, *pixels, *(blocks or find_published_split(layout.root, layout.found, layout.split_folders))]


def _choose_blocks(layout: FolderLayout) -> list[Decision]:
    """Cut images that are too few to divide into blocks; MisuseError where these are too few as well."""
    volumes = find_volumes(layout.slices)
    if volumes:
        count = f"{len(volumes)} volume{'s are' if len(volumes) > 1 else ' is'}"
        raise MisuseError(
            f"{count} too few: training and validation need {MIN_IMAGES} or more, as no split divides a volume. Add "
            "volumes, or save its slices as images, each in a file of its own."
        )
    if layout.split_folders is None and (blocks := choose_blocks([read_shape(image.file) for image in layout.found])):
        return blocks
    raise MisuseError(
        f"{len(layout.found)} image{'s are' if len(layout.found) > 1 else ' is'} too few: training and validation "
        f"need {MIN_IMAGES} or more, or {LARGE_ENOUGH}. Add images."
    )


def _describe_pixels(layout: FolderLayout) -> list[Decision]:
    """Decide about axis, channels and intensity of volumes, or of other images."""
    names = read_channel_names(_list_folders(layout))
    volumes = find_volumes(layout.slices)
    images = choose_slices(volumes) if volumes else layout.found
    files, masks = [image.file for image in images], layout.find_masks(images)
    axis = choose_axis(volumes) if volumes else []
    channels = choose_channels([image.name for image in images], files, may_exclude=not volumes)
    return [*axis, *channels, *choose_intensity(files, names, masks)]


def describe_section(path: Path) -> list[Decision]:
    """Return the settings of a data section's source; its other settings are decided anew. Raises MisuseError."""
    section = read_yaml(path)
    section = section.get("data", section) if isinstance(section, dict) else section
    source = section.get("source") if isinstance(section, dict) else None
    if not isinstance(source, dict) or "class_path" not in source:
        raise MisuseError(f"{path}: has no `source` with a class_path; configs/data/mine.yaml is an example.")
    settings = dict(source.get("init_args") or {})
    note = "Kept" + (f"; {', '.join(sorted(set(section) - {'source'}))} are decided anew." if len(section) > 1 else ".")
    decisions = [Decision("data.source.class_path", source["class_path"], f"From {path}. {note}")]
    if settings.get("split") is None and source["class_path"].endswith(".Folder"):
        settings.pop("split", None)
    decisions += [Decision(f"{SOURCE_KEY}.{key}", value, "") for key, value in settings.items()]
    return [*decisions, *_propose_blocks(decisions)]


def _propose_blocks(decisions: Sequence[Decision]) -> list[Decision]:
    """Cut the images of an undivided folder into blocks, where they are few and large."""
    if not is_undivided(decisions):
        return []
    source = build_planned_source(decisions)
    try:
        names = source.item_names()
        if len(names) >= MIN_IMAGES or any(find_volume_name(name) is not None for name in names):
            return []
        return choose_blocks([item.image.shape[:2] for item in source.select(names)])
    except SegappError:
        return []  # what reads the data set reports it


def is_folder(decisions: Sequence[Decision]) -> bool:
    """Return whether the data set is a folder of images and masks."""
    return any(d.setting == "data.source.class_path" and d.value == "segapp.datasets.Folder" for d in decisions)


def is_undivided(decisions: Sequence[Decision]) -> bool:
    """Return whether a `Folder` has neither a split nor folders for the splits."""
    settings = {decision.setting: decision.value for decision in decisions}
    return (
        is_folder(decisions)
        and f"{SOURCE_KEY}.split" not in settings
        and "{split}" not in settings.get(f"{SOURCE_KEY}.images", "")
    )


def build_planned_source(decisions: Sequence[Decision]) -> Source:
    """Return the data set of decisions."""
    return build_source("the plan", build_config(decisions)["data"])


def list_items(source: Source) -> list[Item]:
    """Return the items of all splits in the order of their names."""
    items = {item.name: item for split in SPLITS for item in source.items(split)}
    return [items[name] for name in sorted(items, key=make_natural_key)]


def _read_meaning(layout: FolderLayout, classes: Sequence[str]) -> MaskMeaning:
    if issubclass(layout.encoding, Annotations):
        files = list(dict.fromkeys(file.path for file in list_masks(layout)))
        settings: dict[str, Any] = {}
        if issubclass(layout.encoding, MapShapes):
            images = (image.path for image in layout.found)
            settings = choose_map_settings(files, images, classes, layout.encoding)
        return name_shapes(files, layout.encoding, classes, settings)
    if layout.classes:
        is_folder_each = "{class}" in layout.masks.split("/")
        return name_folders(layout.classes, classes, "folder of masks" if is_folder_each else "mask of an image")
    if layout.several:
        return name_objects(classes, "An image has several masks, one for each object, which become one class.")
    values = read_mask_values(list_masks(layout, MAX_MASKS))
    return infer_meaning(values, find_names(_list_folders(layout), values.colours), classes)


def _list_folders(layout: FolderLayout) -> list[Path]:
    """Return the folders in which tables of names may be."""
    train = (layout.split_folders or {}).get("train", "")
    patterns = (pattern.replace("{split}", train) for pattern in (layout.masks, layout.images))
    folders = [layout.root, *(layout.root / get_fixed_start(pattern) for pattern in patterns)]
    return [folders[0], *(folder.parent for folder in folders[1:]), *folders[1:], layout.root.parent]


def _explain_background(meaning: MaskMeaning) -> str:
    if meaning.background is None:
        return "Every class counts in mean scores."
    return f"{meaning.classes[meaning.background]} is left out of mean scores."


def exclude_unreadable(fingerprint: Fingerprint, decisions: Sequence[Decision]) -> list[Decision]:
    """Leave out images that cannot be read, with the reason; raise MisuseError where the source is no `Folder`."""
    if not fingerprint.unreadable:
        return []
    (_, first), count = fingerprint.unreadable[0], len(fingerprint.unreadable)
    if not is_folder(decisions):
        raise MisuseError(first)
    former = next((d for d in decisions if d.setting == f"{SOURCE_KEY}.exclude"), None)
    names = [*(former.value if former else []), *(glob.escape(name) for name, _ in fingerprint.unreadable)]
    reason = f"{former.reason if former else ''} Left out, {count} of {fingerprint.total + count}: {first}"
    return [Decision(f"{SOURCE_KEY}.exclude", names, reason.strip())]
