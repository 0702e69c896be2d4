"""Find the patterns of `segapp.datasets.Folder` for images and masks by trying the usual ones."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NoReturn

from segapp.datasets.annotations.geojson import GeoJson
from segapp.datasets.annotations.qupath import QuPath
from segapp.datasets.masks.encoding import PixelEncoding
from segapp.errors import MisuseError
from segapp.io import find_suffix, recognise_channel_files, remove_suffix
from segapp.planning.annotations import list_files, recognise_annotations, recognise_file
from segapp.planning.folder_layout import FolderLayout, Tried, try_patterns
from segapp.planning.layout_advice import MOST, explain_several_pairs, explain_unpaired
from segapp.planning.layout_folders import (
    Pair,
    find_only_folder,
    list_splits_of,
    propose_deep_pairs,
    propose_inner_folders,
    propose_pairs,
)
from segapp.planning.layout_inference import find_shape_of_images, infer_patterns
from segapp.planning.layout_modalities import recognise_modalities
from segapp.planning.layout_patterns import (
    PLACEHOLDER,
    SPLIT_FOLDERS,
    TRAINING,
    Kind,
    list_candidates,
    list_matching,
    yield_split_patterns,
)
from segapp.planning.map_annotations import is_map

MIN_PAIRED = 0.9
"""A pattern must find the masks of this fraction of the images, or the names do not agree."""
LEVELS = 2
"""Levels of folders that are searched for those of images and masks, where one folder is given for both."""
SplitPatterns = tuple[str, str, dict[str, str] | None]
"""Patterns of images and masks, and what `{split}` in them stands for."""


class SeveralLayoutsError(MisuseError):
    """Several folders of one may be its images and masks."""


class MissingMasksError(MisuseError):
    """Most images have masks, and the others lack theirs."""


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
    pairs += [_keep_training(*pair) for pair in pairs if pair[2] and "{split}" not in images]
    tried: list[Tried] = []
    missing: list[MisuseError] = []
    folder = root / relative[0] if relative[0] == relative[1] and levels else None
    training = root / pairs[0][0] if folder and pairs[0][0] == pairs[0][1] != relative[0] else None
    layout = (
        _first(_keep_best(tried, _try_usual_patterns(root, pair, kind)) for pair in pairs)
        or (folder and _find_only_pair(propose_pairs(folder), levels, missing))
        or (training and _find_only_pair(propose_pairs(training), levels, missing))
        or (tried and _leave_out_other_files(root, _choose_best(tried)[2], kind))
        or _keep_best(tried, _infer_layout(root, pairs[0], kind))
        or (folder and _find_only_pair(propose_inner_folders(folder), levels, missing))
        or _first(_keep_best(tried, _infer_layout(root, pair, kind)) for pair in pairs[1:])
    )
    if layout:
        return layout
    is_near = bool(missing) or any(each[0] >= MOST for each in tried)
    if levels and not is_near:
        layout = _find_only_pair(propose_deep_pairs(*(root / given for given in relative)), 1, missing)
    if layout:
        return layout
    if folder and len(only_pair := propose_pairs(folder)) == 1:
        return find_layout(str(only_pair[0][0]), str(only_pair[0][1]), levels - 1)  # its message
    best = _choose_best(tried) if tried else None
    if missing and (best is None or best[0] < MOST):
        raise missing[0]
    closest = best and (best[0], best[2].found, best[2].images, best[2].pattern)
    kind_of_error = MissingMasksError if is_near else MisuseError
    raise kind_of_error(explain_unpaired(root, relative[0], relative[1], closest))


def _first(layouts: Iterable[FolderLayout | None]) -> FolderLayout | None:
    return next(filter(None, layouts), None)


def _choose_best(tried: Sequence[Tried]) -> Tried:
    return max(tried, key=lambda each: each[:2])


def _keep_best(tried: list[Tried], best: Tried | None) -> FolderLayout | None:
    """Add what was tried to the others; return its layout where that has masks for enough images."""
    if best is None:
        return None
    tried.append(best)
    return best[2] if best[0] >= MIN_PAIRED else None


def _keep_training(images: str, masks: str, folders: dict[str, str] | None) -> SplitPatterns:
    """Return patterns of the images of training alone, as those of other splits may have no masks."""
    train = (folders or {}).get("train", "")
    return images.replace("{split}", train), masks.replace("{split}", train), None


def _try_usual_patterns(root: Path, pair: SplitPatterns, kind: Kind) -> Tried | None:
    """Return the first layout with masks for all images, else the one of most; none without any."""
    images, masks, folders = pair
    best: Tried | None = None
    for candidate in list_candidates(root, images, masks, folders, kind):
        tried = try_patterns(root, *candidate, folders, kind)
        if tried is not None and (best is None or tried[:2] > best[:2]):
            best = tried
        if best is not None and best[0] == 1:
            break
    return best


def _leave_out_other_files(root: Path, layout: FolderLayout, kind: Kind) -> FolderLayout | None:
    """Return a layout without the files of each case that are no images with masks; None where there are others."""
    if Path(layout.masks).name.startswith("*") or layout.split_folders is not None:  # any file is a mask
        return None
    has_mask = {image.path: bool(layout.pattern.find_files(image)) for image in layout.found}
    groups = [[path for path, is_paired in has_mask.items() if is_paired == wanted] for wanted in (True, False)]
    shape = find_shape_of_images(*groups)
    tried = shape and try_patterns(root, f"{layout.images}/**/{shape}.*", layout.masks, (), None, kind)
    if not tried or tried[0] < MIN_PAIRED:
        return None
    left = ", ".join(path.name for path in groups[1][:2])
    return replace(tried[2], reason=f"{tried[2].reason} Other files beside them, such as {left}, are left out.")


def _find_only_pair(pairs: Sequence[Pair], levels: int, missing: list[MisuseError]) -> FolderLayout | None:
    """Return the layout of the only pair that is one, None without any; raise SeveralLayoutsError.

    Adds to `missing` what is wrong with pairs in which some images have no mask.
    """
    found: dict[Pair, FolderLayout] = {}
    known: set[Pair] = set()
    for pair in pairs:
        if pair in known:
            continue
        try:
            layout = find_layout(str(pair[0]), str(pair[1]), levels - 1)
        except SeveralLayoutsError:
            raise
        except MissingMasksError as error:
            missing.append(error)
            continue
        except MisuseError:
            continue
        if pair[0] != pair[1] or len(layout.found) > 1:  # not the folder of one image among others
            found[pair] = layout
            known |= list_splits_of(pair, [word for words in SPLIT_FOLDERS.values() for word in words])
    painted = {pair[0] for pair, layout in found.items() if layout.encoding is PixelEncoding}
    found = {
        pair: layout for pair, layout in found.items() if pair[0] not in painted or layout.encoding is PixelEncoding
    }
    if len(found) > 1:
        return _join_layouts(list(found.values())) or _refuse_several(list(found))
    return next(iter(found.values()), None)


def _refuse_several(pairs: Sequence[Pair]) -> NoReturn:
    raise SeveralLayoutsError(explain_several_pairs(pairs))


def _join_layouts(layouts: Sequence[FolderLayout]) -> FolderLayout | None:
    """Return one layout of folders that are alike but for one name, as those of cities; None where images share names.

    The same names in two folders may be one data set in two formats.
    """
    names = [{image.path.stem for image in layout.found} for layout in layouts]
    if len(set.union(*names)) < sum(map(len, names)):
        return None
    patterns = [
        _join_paths([Path(layout.root, pattern) for layout, pattern in zip(layouts, own, strict=True)])
        for own in ([layout.images for layout in layouts], [layout.masks for layout in layouts])
    ]
    try:
        return find_layout(patterns[0], patterns[1], levels=0) if all(patterns) else None
    except MisuseError:
        return None


def _join_paths(paths: Sequence[Path]) -> str:
    """Return paths that differ in one part as a pattern with a star; nothing where they differ more."""
    columns = [set(column) for column in zip(*(path.parts for path in paths), strict=False)]
    is_alike = len({len(path.parts) for path in paths}) == 1 and sum(len(column) > 1 for column in columns) == 1
    return str(Path(*("*" if len(column) > 1 else column.pop() for column in columns))) if is_alike else ""


def _infer_layout(root: Path, pair: SplitPatterns, kind: Kind) -> Tried | None:
    """Return the first layout by the names of all files that has masks for most images, else the one of most."""
    images, masks, folders = pair
    best: Tried | None = None
    if kind.encoding is not PixelEncoding:
        return None
    for image_pattern, mask_pattern in infer_patterns(root, images, masks, (folders or {}).get("train", "")):
        tried = try_patterns(root, image_pattern, mask_pattern, (), folders, kind)
        if tried is not None and (best is None or tried[0] > best[0]):
            best = tried
        if best is not None and best[0] >= MIN_PAIRED:
            break
    return best


def _has_map_coordinates(root: Path, images: str, masks: str) -> bool:
    """Return whether the first GeoJSON file of `masks` is in map coordinates."""
    files = (path for path in list_files(root, masks) if recognise_file(path) is QuPath)
    found = [path for path in list_matching(root, images) if find_suffix(path)]
    return any(is_map(path, found) for path in islice(files, 1))


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
