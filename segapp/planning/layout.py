"""Find the patterns of `segapp.datasets.Folder` for images and masks by trying the usual ones."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from segapp.datasets.annotations.geojson import GeoJson
from segapp.datasets.annotations.qupath import QuPath
from segapp.datasets.channel_files import join_channels
from segapp.datasets.file_search import MaskPattern, find_images
from segapp.datasets.masks.encoding import Encoding, FoundImage, MaskFile, PixelEncoding
from segapp.datasets.volume_slices import expand_volumes
from segapp.errors import MisuseError
from segapp.io import FilePart, find_suffix, recognise_channel_files, remove_suffix
from segapp.planning.annotations import list_files, recognise_annotations, recognise_file
from segapp.planning.layout_advice import explain_several_pairs, explain_unpaired
from segapp.planning.layout_folders import Pair, find_only_folder, list_splits_of, propose_inner_folders, propose_pairs
from segapp.planning.layout_inference import find_shape_of_images, infer_patterns
from segapp.planning.layout_modalities import recognise_modalities
from segapp.planning.layout_patterns import (
    MAX_IMAGES,
    PLACEHOLDER,
    SPLIT_FOLDERS,
    TRAINING,
    Kind,
    describe_test_folder,
    list_candidates,
    list_matching,
    yield_split_patterns,
)
from segapp.planning.map_annotations import is_map
from segapp.planning.published_split import keep_listed

MIN_PAIRED = 0.9
"""A pattern must find the masks of this fraction of the images, or the names do not agree."""
LEVELS = 2
"""Levels of folders that are searched for those of images and masks, where one folder is given for both."""
MASKS_PER_IMAGE = 4
"""Masks of one image whose values are counted: those of one object each are all alike."""


@dataclass(frozen=True)
class FolderLayout:
    """Where the files are, as settings of `segapp.datasets.Folder`."""

    root: Path
    images: str
    masks: str
    split_folders: dict[str, str] | None
    """The names of the folders of train, val and test, where `images` has `{split}`."""
    several: bool
    """An image has several mask files: one for each object, or for each class."""
    classes: tuple[str, ...]
    """What stands for `{class}` in `masks`."""
    reason: str
    channel_files: tuple[str, ...] = ()
    """The names of the files of each channel, where the channels of an image are in several files."""
    encoding: type[Encoding] = PixelEncoding  # type: ignore[type-abstract]  # not made
    """What the masks are: images, or the annotations of a tool."""

    @cached_property
    def found(self) -> list[FoundImage]:
        """The images of all splits in the order of their names, a volume as one of them."""
        found = _find_images(self.root, self.images, self.masks, self.classes, self.kind)
        return [image for image in found if self.split_folders is None or image.split in self.split_folders.values()]

    @cached_property
    def slices(self) -> list[FoundImage]:
        """The same, with every slice of a volume as an image."""
        return list(expand_volumes(self.found, "auto"))

    def find_masks(self, images: Sequence[FoundImage]) -> list[list[FilePart]]:
        """Return the masks of each image that are images themselves; none for annotations."""
        if self.encoding.shared:
            return []
        return [[file.file for file in self.pattern.find_files(image)] for image in images]

    @cached_property
    def pattern(self) -> MaskPattern:
        """What finds the masks of an image."""
        return MaskPattern(self.root, self.masks, self.classes, self.encoding)

    @property
    def kind(self) -> Kind:
        """How files become images and masks."""
        return Kind(self.encoding, self.channel_files)


class SeveralLayoutsError(MisuseError):
    """Several folders of one may be its images and masks."""


def find_layout(images: str, masks: str, levels: int = LEVELS) -> FolderLayout:
    """Return the patterns that pair most images with masks, or raise MisuseError with what was tried.

    Args:
        images: A folder, or a pattern with * that matches folders or files.
        masks: The same, or a pattern of `segapp.datasets.Folder` with `{name}`, `{stem}` or `{parent}`.
        levels: Of folders, in which images and masks are searched for where both are one folder.
    """
    if images == masks and (only := find_only_folder(Path(images))) is not None:
        return find_layout(str(only), str(only), levels)
    root = _find_common_root(images, masks)
    relative = [os.path.relpath(Path(given).expanduser().absolute(), root) for given in (images, masks)]
    encoding = recognise_annotations(root, *relative) or PixelEncoding
    if encoding is QuPath and _has_map_coordinates(root, *relative):
        encoding = GeoJson
    kind = Kind(encoding, () if encoding.shared else _recognise_channel_files(root, *relative))
    pairs = list(yield_split_patterns(root, *relative)) or [(relative[0], relative[1], None)]
    best = _try_usual_patterns(root, pairs, kind)
    if best is not None and best[0] >= MIN_PAIRED:
        return best[2]
    folder = root / relative[0] if relative[0] == relative[1] and levels else None
    training = root / pairs[0][0] if folder and pairs[0][0] == pairs[0][1] != relative[0] else None
    layout = (
        (folder and _find_only_pair(propose_pairs(folder), levels))
        or (training and _find_only_pair(propose_pairs(training), levels))
        or (best and _leave_out_other_files(root, best[2], kind))
        or _infer_layout(root, pairs[0], kind)
        or (folder and _find_only_pair(propose_inner_folders(folder), levels))
    )
    if layout:
        return layout
    if folder and len(only_pair := propose_pairs(folder)) == 1:
        return find_layout(str(only_pair[0][0]), str(only_pair[0][1]), levels - 1)  # its message
    closest = best and (best[0], best[2].found, best[2].images, best[2].pattern)
    raise MisuseError(explain_unpaired(root, relative[0], relative[1], closest))


def _try_usual_patterns(
    root: Path, pairs: Sequence[tuple[str, str, dict[str, str] | None]], kind: Kind
) -> tuple[float, int, FolderLayout] | None:
    """Return the first layout with masks for all images, else the one of most, and how many those are."""
    best: tuple[float, int, FolderLayout] | None = None
    for image_pattern, mask_pattern, folders in pairs:
        for candidate in list_candidates(root, image_pattern, mask_pattern, folders, kind):
            tried = _try_patterns(root, *candidate, folders, kind)
            if tried is not None and (best is None or tried[:2] > best[:2]):
                best = tried
            if best is not None and best[0] == 1:
                return best
    return best


def _leave_out_other_files(root: Path, layout: FolderLayout, kind: Kind) -> FolderLayout | None:
    """Return a layout without the files of each case that are no images with masks; None where there are others."""
    if Path(layout.masks).name.startswith("*") or layout.split_folders is not None:  # any file is a mask
        return None
    has_mask = {image.path: bool(layout.pattern.find_files(image)) for image in layout.found}
    groups = [[path for path, is_paired in has_mask.items() if is_paired == wanted] for wanted in (True, False)]
    shape = find_shape_of_images(*groups)
    tried = shape and _try_patterns(root, f"{layout.images}/**/{shape}.*", layout.masks, (), None, kind)
    if not tried or tried[0] < MIN_PAIRED:
        return None
    left = ", ".join(path.name for path in groups[1][:2])
    return replace(tried[2], reason=f"{tried[2].reason} Other files beside them, such as {left}, are left out.")


def _find_only_pair(pairs: Sequence[Pair], levels: int) -> FolderLayout | None:
    """Return the layout of the only pair that is one, None without any; raise SeveralLayoutsError."""
    found: dict[Pair, FolderLayout] = {}
    known: set[Pair] = set()
    for pair in pairs:
        if pair in known:
            continue
        try:
            layout = find_layout(str(pair[0]), str(pair[1]), levels - 1)
        except SeveralLayoutsError:
            raise
        except MisuseError:
            continue
        if pair[0] != pair[1] or len(layout.found) > 1:  # not the folder of one image among others
            found[pair] = layout
            known |= list_splits_of(pair, tuple((layout.split_folders or {}).values()))
    if len(found) > 1:
        raise SeveralLayoutsError(explain_several_pairs(list(found)))
    return next(iter(found.values()), None)


def _infer_layout(root: Path, pair: tuple[str, str, dict[str, str] | None], kind: Kind) -> FolderLayout | None:
    """Return a layout by the names of all files, None where they do not agree."""
    images, masks, folders = pair
    if kind.encoding is not PixelEncoding:
        return None
    for image_pattern, mask_pattern in infer_patterns(root, images, masks, (folders or {}).get("train", "")):
        tried = _try_patterns(root, image_pattern, mask_pattern, (), folders, kind)
        if tried is not None and tried[0] >= MIN_PAIRED:
            return tried[2]
    return None


def _has_map_coordinates(root: Path, images: str, masks: str) -> bool:
    """Return whether the first GeoJSON file of `masks` is in map coordinates."""
    files = (path for path in list_files(root, masks) if recognise_file(path) is QuPath)
    found = [path for path in list_matching(root, images) if find_suffix(path)]
    return any(is_map(path, found) for path in islice(files, 1))


def list_masks(layout: FolderLayout, limit: int | None = None) -> list[FilePart]:
    """Return masks: of `limit` images or slices at most, evenly over all of them, and a few of each."""
    found = layout.slices
    if limit is not None and len(found) > limit:
        found = [found[number * len(found) // limit] for number in range(limit)]
    return [file.file for image in found for file in layout.pattern.find_files(image)[:MASKS_PER_IMAGE]]


def _recognise_channel_files(root: Path, images: str, masks: str) -> tuple[str, ...]:
    """Return the names of channels' files: nnU-Net's where the masks lack the ending, or those of modalities."""
    files = [[path for path in list_matching(root, given) if find_suffix(path)] for given in (images, masks)]
    names = [{remove_suffix(path).name for path in given} for given in files]
    return recognise_channel_files(*names) or recognise_modalities(files[0] if images == masks else ())


def _find_common_root(images: str, masks: str) -> Path:
    """Return the deepest folder that contains both and is neither of them."""
    fixed = []
    for given in (images, masks):
        parts = Path(given).expanduser().absolute().parts
        patterns = (i for i, part in enumerate(parts) if PLACEHOLDER.search(part))
        moving = next((i for i in patterns if not Path(*parts[: i + 1]).is_dir()), len(parts))  # or a folder so named
        fixed.append(Path(*parts[:moving]))
    common = Path(os.path.commonpath(fixed))
    if common in fixed and len(common.parts) > 1:
        common = common.parent
    for folder in (common, *common.parents):
        if TRAINING.fullmatch(folder.name) and any((folder.parent / name).is_dir() for name in SPLIT_FOLDERS["val"]):
            return folder.parent  # train/images beside val/images
    return common


def _try_patterns(
    root: Path, images: str, masks: str, classes: tuple[str, ...], folders: dict[str, str] | None, kind: Kind
) -> tuple[float, int, FolderLayout] | None:
    """Return the fraction of images with masks, how many masks are used, and the layout; None without any."""
    try:
        found = _find_images(root, images, masks, classes, kind)
        pattern = MaskPattern(root, masks, classes, kind.encoding)
    except MisuseError:  # a folder of this pattern does not exist
        return None
    if folders is not None:
        found = [image for image in found if image.split in folders.values()]
    files = _find_some_masks(found, pattern)
    if folders is None and not all(files):
        files = _find_some_masks(keep_listed(root, found), pattern)
    paired = sum(map(bool, files))
    is_shared = len({path.path for own in files for path in own}) < sum(map(len, files))
    if not paired or (is_shared and not pattern.is_shared):
        return None  # no mask, or one that is that of several images
    several = sum(len(own) > 1 for own in files)
    if classes and not several:
        return None
    words = f"{len(found)} images match {images!r}" + (" and have several masks each" if several else "")
    reason = f"{words}; their masks are {masks!r}."
    reason += "" if folders else describe_test_folder(root, images)
    layout = FolderLayout(root, images, masks, folders, several > 0, classes, reason, kind.channel_files, kind.encoding)
    return paired / len(files), sum(map(len, files)), layout


def _find_some_masks(images: Sequence[FoundImage], pattern: MaskPattern) -> list[list[MaskFile]]:
    """Return the masks of images, of `MAX_IMAGES` at most, evenly over all of them."""
    count = min(len(images), MAX_IMAGES)
    return [pattern.find_files(images[number * len(images) // count]) for number in range(count)]


def _find_images(root: Path, images: str, masks: str, classes: tuple[str, ...], kind: Kind) -> list[FoundImage]:
    """Return the images in order of their names, without masks that lie in the same folders."""
    joined = join_channels(find_images(root, images), kind.channel_files)
    found = sorted(joined, key=lambda image: image.name)
    everything = MaskPattern(root, masks, classes, kind.encoding).find_all_files()
    rest = [image for image in found if image.path not in everything]
    return rest if rest else found
