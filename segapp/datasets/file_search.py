"""Find the images and masks that path patterns match."""

import difflib
import glob
import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from segapp.datasets.file_patterns import (
    NAMED,
    WILDCARDS,
    check_pattern,
    compile_pattern,
    extend_to_files,
    fill_pattern,
    get_fixed_start,
    separate_parents,
    to_glob,
)
from segapp.datasets.masks.encoding import Encoding, FoundImage, MaskFile, PixelEncoding
from segapp.datasets.unsupported import describe_annotations, explain_unread
from segapp.errors import MisuseError
from segapp.io import (
    find_suffix,
    holds_arrays,
    is_image_folder,
    lies_in_image,
    list_folder_patterns,
    list_images,
    list_suffixes,
    name_image,
    remove_suffix,
    split_array,
    walk_folders,
)


def find_images(root: Path, pattern: str) -> list[FoundImage]:
    """Return images under every folder, or every file, that `pattern` (relative to root) is or matches; any order.

    A name after a colon, as in `slices/*.h5:/image`, is that of an array in files that may hold several.

    Raises MisuseError when there is none.
    """
    pattern, array = split_array(pattern)
    check_pattern("images", pattern, {"split", "name"}, PixelEncoding)  # type: ignore[type-abstract]  # not made
    require_folder(root)
    fixed = _find_start(root, pattern)
    require_folder(fixed)
    named = "{name}" in pattern
    files = extend_to_files(pattern)[0] if named else pattern
    expression = compile_pattern(files)
    found = []
    files_by_folder: dict[Path, dict[str, dict[str, str | None]]] = {}
    for match in _find_matches(root, to_glob(files)):
        relative = expression.fullmatch(match.relative_to(root).as_posix())
        is_file = not match.is_dir() or is_image_folder(match)
        if named and (relative is None or not is_file):
            continue
        values = relative.groupdict() if relative else {}
        if is_file:
            files_by_folder.setdefault(match.parent, {})[match.name] = values
            continue
        for folder, names in walk_folders(match):
            for image in list_images(folder, names):
                mask_name = name_image(image, match)
                found.append(FoundImage(image.path, name_image(image, fixed), mask_name, values.get("split")))
    for folder, matched in files_by_folder.items():
        for image in list_images(folder, matched):
            values, name = matched[image.path.name], name_image(image, fixed)
            found.append(FoundImage(image.path, name, _get_mask_name(values) if named else name, values.get("split")))
    if not found:
        raise MisuseError(
            f"{fixed}: no images ({_format_suffixes()}) match {pattern!r}; there is: {_list_folder(fixed)}."
        )
    return [replace(image, array=array) if holds_arrays(image.path) else image for image in found]


class MaskPattern:
    """Finds the masks of an image; directories are listed once.

    Args:
        root: The folder that the pattern is relative to.
        pattern: The setting `masks`.
        classes: What `{class}` stands for.
        encoding: Says which files are masks. Default: images.
    """

    def __init__(
        self, root: Path, pattern: str, classes: Sequence[str], encoding: type[Encoding] = PixelEncoding
    ) -> None:
        self.pattern = pattern
        pattern, self._array = split_array(pattern)
        check_pattern("masks", pattern, {"split", "name", "stem", "parent", "file", "class"}, encoding)
        self.root, self.classes = root, classes
        self.is_shared = encoding.shared and encoding.reads(Path(pattern)) and not NAMED.search(pattern)
        self._reads = encoding.reads
        if self.is_shared and get_fixed_start(pattern) == Path(pattern).as_posix():
            require_folder((root / pattern).parent, root)
            _require_file(root / pattern)
        else:
            require_folder(_find_start(root, pattern), root)
        self._patterns = tuple(
            extended
            for named in list_folder_patterns(pattern)
            for extended in extend_to_files(separate_parents(named), encoding)
        )
        self._listings: dict[Path, list[str]] = {}

    def find_files(self, image: FoundImage) -> list[MaskFile]:
        """Return the mask files in order of the classes, then of the names; none where there are none."""
        return [
            MaskFile(path, class_name, image.part, image.path, array)
            for class_name, filled in self._fill_patterns(_get_placeholder_values(image), glob.escape)
            for path in self._find_matching(filled)
            for array in [self._array if holds_arrays(path) else ""]
            if (path, array) != (image.path, image.array)
        ]

    def list_tried_paths(self, image: FoundImage) -> list[str]:
        """Return the paths at which masks of an image are searched for, relative to root."""
        return [filled for _, filled in self._fill_patterns(_get_placeholder_values(image), str)]

    def find_all_files(self) -> set[Path]:
        """Return every file that may be some image's mask."""
        every = (to_glob(filled) for _, filled in self._fill_patterns({}, glob.escape))
        found = {path for filled in every for path in _find_matches(self.root, filled) if self._reads(path)}
        return {path for path in found if path.is_file() or is_image_folder(path)}

    def _fill_patterns(self, values: dict[str, str], escape: Callable[[str], str]) -> Iterator[tuple[str | None, str]]:
        for name in self.classes if "{class}" in self.pattern else [None]:
            known = values if name is None else values | {"class": name}
            for pattern in self._patterns:
                yield name, fill_pattern(pattern, known, escape)

    def _find_matching(self, pattern: str) -> list[Path]:
        folder, _, last = pattern.rpartition("/")
        if WILDCARDS.search(folder.replace("[[]", "").replace("[?]", "").replace("[*]", "")):
            return [path for path in _find_matches(self.root, pattern) if self._reads(path)]
        directory = self.root / re.sub(r"\[([*?\[])\]", r"\1", folder)
        return [directory / name for name in self._iterate_listing(directory, last)]

    def _iterate_listing(self, directory: Path, pattern: str) -> Iterator[str]:
        names = self._listings.get(directory)
        if names is None:
            names = sorted(entry.name for entry in os.scandir(directory)) if directory.is_dir() else []
            self._listings[directory] = names
        start = WILDCARDS.split(pattern, maxsplit=1)[0]
        for name in names[bisect_left(names, start) :]:
            if not name.startswith(start):
                return
            if self._reads(Path(name)) and _is_match(name, pattern):
                yield name


def _find_start(root: Path, pattern: str) -> Path:
    """Return the folder below which a pattern matches; that of the file, where it is one."""
    start = root / get_fixed_start(pattern)
    is_file = (start.is_file() and bool(find_suffix(start))) or is_image_folder(start)
    return start.parent if is_file else start


def require_folder(folder: Path, root: Path | None = None) -> None:
    """Raise MisuseError unless `folder` is a folder.

    The message lists what its parent holds, and annotations under `root` that segapp does not read.
    """
    if folder.is_dir():
        return
    if folder.exists():
        note = f" {message}." if (message := explain_unread(folder.suffix.lower())) else ""
        raise MisuseError(f"{folder}: is a file; a folder is needed.{note}")
    parent = next(p for p in folder.absolute().parents if p.is_dir())
    missing = folder.absolute().relative_to(parent).parts[0]
    names = sorted(entry.name for entry in parent.iterdir())
    near = difflib.get_close_matches(missing, names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise MisuseError(
        f"{folder}: there is no such folder{hint}; {parent} holds: {_list_folder(parent)}."
        f"{describe_annotations(root) if root and root.is_dir() else ''}"
    )


def _list_folder(folder: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    return ", ".join(names[:8]) + (f" … ({len(names)} in all)" if len(names) > 8 else "") or "nothing"


def _format_suffixes() -> str:
    return ", ".join(list_suffixes())


def _get_placeholder_values(image: FoundImage) -> dict[str, str]:
    parent, _, stem = image.mask_name.rpartition("/")
    return {
        "name": image.mask_name,
        "stem": stem,
        "parent": parent,
        "file": image.path.name,
        "split": image.split or "",
    }


def _get_mask_name(values: dict[str, str | None]) -> str:
    return values.get("name") or f"{values.get('parent') or ''}{values.get('stem') or ''}"


def _find_matches(root: Path, pattern: str) -> Iterable[Path]:
    pattern = pattern.strip("/")
    if pattern in ("", "."):
        return [root]
    return (path for path in root.glob(pattern) if not lies_in_image(path.relative_to(root)))


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise MisuseError(f"{path}: there is no such file; {path.parent} holds: {_list_folder(path.parent)}.")


def _is_match(name: str, pattern: str) -> bool:
    if pattern.endswith(".*"):  # 'a.*' is a.png, not a.b.png, which belongs to the image a.b
        path = Path(name)
        stem = remove_suffix(path).name if find_suffix(path) else path.stem
        return fnmatchcase(stem, pattern.removesuffix(".*"))
    return fnmatchcase(name, pattern)
