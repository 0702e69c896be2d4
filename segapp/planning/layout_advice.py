"""Explain why images have no masks: folders that are not there, files of several arrays, a few masks missing."""

from collections.abc import Sequence
from pathlib import Path

from segapp.datasets.channel_files import find_channel_problems
from segapp.datasets.file_search import MaskPattern
from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.pairing_advice import describe_few_masks, describe_missing_masks, explain_zeros
from segapp.datasets.problems import raise_first
from segapp.datasets.unsupported import UNREAD, describe_annotations, explain_unread
from segapp.datasets.volume_slices import find_volume_problems
from segapp.errors import SegappError
from segapp.io import find_suffix, holds_arrays, is_image_folder, list_slices, read_shape, remove_suffix
from segapp.planning.layout_folders import list_deep_folders
from segapp.planning.layout_patterns import PLACEHOLDER, list_folders, list_matching

MOST = 0.5
"""Where the closest pattern finds masks of this fraction of the images, the others lack theirs."""


def explain_unpaired(
    root: Path, images: str, masks: str, closest: tuple[float, Sequence[FoundImage], str, MaskPattern] | None
) -> str:
    """Return why no pattern pairs images with masks.

    Args:
        root: The folder that all patterns are relative to.
        images: As the user gave them.
        masks: The same.
        closest: Of the pattern that pairs most: the fraction that it pairs, all images, and both patterns.
    """
    found = [list_matching(root, given) for given in (images, masks)]
    for given, option, files in zip((images, masks), ("--images", "--masks"), found, strict=True):
        if not files and "{" not in given:
            lacks = "holds no files" if (root / given).exists() else "there is no such file or folder"
            if PLACEHOLDER.search(given) and (root / given).exists():
                return f"{root / given}: *, ? and [ are those of a pattern, not of a folder; rename it for {option}."
            return f"{root / given}: {lacks}; correct {option}."
    if images == masks and holds_arrays(found[0][0]):
        return f"{root / images}: {_explain_arrays(images, found[0][0])}"
    if images == masks and found[0] and (damage := _describe_damage(found[0][0])):
        return damage
    if images == masks and (unread := _explain_files_beside(found[0])):
        return f"{root / images}: {unread}."
    if closest is None and images == masks and (inner := _list_folders_of_images(root / images)):
        own, other = list_deep_folders(root / images, root / images)
        ways = [*own, root / images / inner[0]][0], [*other, "FOLDER"][0]
        return (
            f"{root / images}: of its folders ({', '.join(inner)}) none has masks that are named after the images of "
            f"another; give both, as --images {ways[0]} --masks {ways[1]}."
        )
    annotations = explain_unread(Path(masks).suffix.lower())
    if not annotations and closest is None and (root / masks).is_dir():
        annotations = describe_annotations(root / masks).strip() or _explain_files(found[1])
    if any(annotations.startswith(kind) for kind in UNREAD.values()):
        return f"{root}: {masks!r}: {annotations}."
    if annotations:
        return f"{root}: {masks!r}: {annotations.rstrip('.')}. Write that into a data section, and name it with --data."
    names = [", ".join(path.name for path in files[:3]) or "no files" for files in found]
    stems = [remove_suffix(path).name for path in found[0] if find_suffix(path)]
    if images != masks and (renaming := explain_zeros(stems, [path for path in found[1] if find_suffix(path)])):
        return (
            f"{root}: the numbers of the masks in {masks!r} ({names[1]}) have other zeros than those of the images in "
            f"{images!r} ({names[0]}): {renaming}."
        )
    if closest is not None and closest[0] >= MOST:
        _, every, pattern_of_images, pattern = closest
        alone = [image for image in every if not pattern.find_files(image)]
        return describe_missing_masks(alone, len(every), pattern_of_images, pattern)
    if images != masks and (few := describe_few_masks(found[0], found[1], (images, masks))):
        return f"{root}: {few}; move the other images out of {images!r}, or give them masks."
    return (
        f"{root}: the masks in {masks!r} ({names[1]}) are not named after the images in {images!r} ({names[0]}). "
        "Give --masks a pattern such as 'masks/{name}_mask.png', or a data section (--data, as configs/data/mine.yaml)."
    )


def explain_several_pairs(pairs: Sequence[tuple[Path, Path]]) -> str:
    """Return which folders in one may be images and masks, where several may be."""
    ways = " or ".join(f"--images {own} --masks {other}" for own, other in pairs)
    return f"several folders may be images and their masks; give one pair, {ways}."


def _explain_files(files: Sequence[Path]) -> str:
    """Return how files that are no images are read; empty where some are images."""
    return "" if not files or any(map(find_suffix, files)) else explain_unread(files[0].suffix.lower())


def _explain_files_beside(files: Sequence[Path]) -> str:
    """Return how files are read of which there is one for most images; empty where there are fewer."""
    others = [path for path in files if path.suffix.lower() in (".xml", *UNREAD)]
    is_one_each = len(others) >= MOST * sum(bool(find_suffix(path)) for path in files)
    return explain_unread(others[0].suffix.lower()) if others and is_one_each else ""


def _describe_damage(file: Path) -> str:
    """Return why an array cannot be read, as one of several in a file of NumPy; empty where it can."""
    if find_suffix(file) != ".npz":
        return ""
    try:
        read_shape(file)
    except SegappError as error:
        return str(error)
    return ""


def _list_folders_of_images(folder: Path) -> list[str]:
    """Return the names of folders in one that hold images; none where the folder itself holds some."""
    if not folder.is_dir() or any(find_suffix(path) for path in folder.iterdir() if path.is_file()):
        return []
    return sorted(entry.name for entry in list_folders(folder) if any(map(find_suffix, list_matching(entry, "."))))


def _explain_arrays(folder: str, first: Path) -> str:
    """Return how to name images and masks that are arrays of one file, or images of one folder."""
    if is_image_folder(first):
        return (
            f"images and masks are the same; name the label image in each, as --images '{folder}/*.zarr' --masks "
            f"'{folder}/{{name}}.zarr/labels/NAME'."
        )
    suffix = first.suffix
    return (
        f"images and masks are the same; name the array of each, as --images '{folder}/*{suffix}:/image' --masks "
        f"'{folder}/{{name}}{suffix}:/label'."
    )


def require_agreement(
    images: Sequence[FoundImage], slices: Sequence[FoundImage], channel_files: Sequence[str], pattern: MaskPattern
) -> None:
    """Raise an error where an image lacks a channel, a volume is damaged, or it and its mask have other voxels."""
    raise_first(find_channel_problems(images, channel_files))
    for image in images:
        list_slices(image.file, "auto")  # names the slices of a series that are missing, or the arrays of a file
    raise_first(find_volume_problems(slices, pattern))
