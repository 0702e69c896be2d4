"""Where images and masks lie on disk: patterns with wildcards and placeholders."""

import difflib
import glob
import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from segapp.datasets.masks.encoding import MaskFile
from segapp.datasets.unsupported import UNREAD, annotations_under, unread_format
from segapp.errors import MisuseError
from segapp.io import find_suffix, list_suffixes, walk_folders

WILDCARDS = re.compile(r"[*?\[]")
PLACEHOLDERS = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True)
class Found:
    """One image file and the words its masks' pattern is filled with."""

    path: Path
    name: str
    """Unique: relative to the fixed start of the images' pattern, without suffix."""
    inner: str
    """What `{name}` of the images' pattern stands for, else relative to the folder it names, without suffix."""
    split: str | None


def find_images(root: Path, pattern: str) -> list[Found]:
    """Return images under every folder, or every file, that `pattern` (relative to root) matches; any order.

    Raises MisuseError when there is none.
    """
    _check_pattern("images", pattern, {"split", "name"})
    require_folder(root)
    fixed = root / fixed_start(pattern)
    require_folder(fixed)
    named = "{name}" in pattern
    files = _down_to_files(pattern)[0] if named else pattern
    expression = _compile_pattern(files)
    found = []
    for match in _matches(root, _as_glob(files)):
        relative = expression.fullmatch(match.relative_to(root).as_posix())
        if named and (relative is None or match.is_dir()):
            continue
        words = relative.groupdict() if relative else {}
        folder = match if match.is_dir() else fixed
        paths = _find_images(match) if match.is_dir() else [match]
        for path in filter(_is_image, paths):
            inner = _inner(words) if named else _name(path, folder)
            found.append(Found(path, _name(path, fixed), inner, words.get("split")))
    if not found:
        raise MisuseError(
            f"{fixed}: no images ({_format_suffixes()}) match {pattern!r}; there is: {_list_folder(fixed)}."
        )
    return found


class MaskPattern:
    """Finds the masks of an image; directories are listed once."""

    def __init__(self, root: Path, pattern: str, classes: Sequence[str]) -> None:
        _check_pattern("masks", pattern, {"split", "name", "stem", "parent", "class"})
        require_folder(root / fixed_start(pattern), root)
        self.root, self.classes, self.pattern = root, classes, pattern
        self._patterns = _down_to_files(_with_parents(pattern))
        self._listings: dict[Path, list[str]] = {}

    def files(self, image: Found) -> list[MaskFile]:
        """Return the mask files in order of the classes, then of the names; none where there are none."""
        return [
            MaskFile(path, class_name)
            for class_name, filled in self._iterate_classes(_words(image), glob.escape)
            for path in self._find_matching(filled)
            if path != image.path
        ]

    def paths_tried(self, image: Found) -> list[str]:
        """Return where masks of an image are looked for, relative to root."""
        return [filled for _, filled in self._iterate_classes(_words(image), str)]

    def everything(self) -> set[Path]:
        """Return every file that may be some image's mask."""
        every = (_as_glob(filled) for _, filled in self._iterate_classes({}, glob.escape))
        return {p for filled in every for p in _matches(self.root, filled) if _is_image(p) and p.is_file()}

    def _iterate_classes(self, words: dict[str, str], escape: Callable[[str], str]) -> Iterator[tuple[str | None, str]]:
        for name in self.classes if "{class}" in self.pattern else [None]:
            known = words if name is None else words | {"class": name}
            for pattern in self._patterns:
                yield name, _fill(pattern, known, escape)

    def _find_matching(self, pattern: str) -> list[Path]:
        folder, _, last = pattern.rpartition("/")
        if WILDCARDS.search(folder.replace("[[]", "").replace("[?]", "").replace("[*]", "")):
            return [path for path in _matches(self.root, pattern) if _is_image(path)]
        directory = self.root / re.sub(r"\[([*?\[])\]", r"\1", folder)
        return [directory / name for name in self._listed(directory, last)]

    def _listed(self, directory: Path, pattern: str) -> Iterator[str]:
        names = self._listings.get(directory)
        if names is None:
            names = sorted(entry.name for entry in os.scandir(directory)) if directory.is_dir() else []
            self._listings[directory] = names
        start = WILDCARDS.split(pattern, maxsplit=1)[0]
        for name in names[bisect_left(names, start) :]:
            if not name.startswith(start):
                return
            if _fits(name, pattern):
                yield name


def require_folder(folder: Path, root: Path | None = None) -> None:
    """Raise MisuseError, with what is there instead, unless `folder` is one; annotations under `root` are named."""
    if folder.is_dir():
        return
    if folder.exists():
        note = f" {message}." if (message := unread_format(folder.suffix.lower())) else ""
        raise MisuseError(f"{folder}: is a file; a folder is needed.{note}")
    parent = next(p for p in folder.absolute().parents if p.is_dir())
    missing = folder.absolute().relative_to(parent).parts[0]
    names = sorted(entry.name for entry in parent.iterdir())
    near = difflib.get_close_matches(missing, names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise MisuseError(
        f"{folder}: there is no such folder{hint}; {parent} holds: {_list_folder(parent)}."
        f"{annotations_under(root) if root and root.is_dir() else ''}"
    )


def _list_folder(folder: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    return ", ".join(names[:8]) + (f" … ({len(names)} in all)" if len(names) > 8 else "") or "nothing"


def _format_suffixes() -> str:
    return ", ".join(list_suffixes())


def _check_pattern(setting: str, pattern: str, known: set[str]) -> None:
    unknown = sorted(set(PLACEHOLDERS.findall(pattern)) - known)
    if unknown:
        names = ", ".join(f"{{{name}}}" for name in sorted(known))
        raise MisuseError(f"{setting}={pattern!r}: {{{unknown[0]}}} is not one of the placeholders {names}.")
    parts = Path(pattern).parts
    if Path(pattern).is_absolute() or ".." in parts:
        raise MisuseError(f"{setting}={pattern!r}: write it relative to root, and inside it.")
    if mixed := [part for part in parts if "**" in part and part != "**"]:
        raise MisuseError(f"{setting}={pattern!r}: ** stands for folders; write * in {mixed[0]!r}.")
    suffix = Path(pattern).suffix.lower()
    if suffix in UNREAD:
        raise MisuseError(f"{setting}={pattern!r}: {unread_format(suffix)}.")


def fixed_start(pattern: str) -> str:
    """Return the folders before the first wildcard or placeholder."""
    parts = Path(pattern).parts
    moving = next((i for i, part in enumerate(parts) if WILDCARDS.search(part) or "{" in part), len(parts))
    return "/".join(parts[:moving])


def _words(image: Found) -> dict[str, str]:
    parent, _, stem = image.inner.rpartition("/")
    return {"name": image.inner, "stem": stem, "parent": parent, "split": image.split or ""}


def _with_parents(pattern: str) -> str:
    """Write `mask_{name}` as `{parent}/mask_{stem}`: what stands before a name stands before its last part."""
    parts = []
    for part in pattern.split("/"):
        inside = part.find("{name}") > 0
        parts += ["{parent}", part.replace("{name}", "{stem}")] if inside else [part]
    return "/".join(parts)


def _as_glob(pattern: str) -> str:
    """Replace every placeholder by what it may stand for; `{name}` and `{parent}` may hold folders."""
    parts = []
    for part in _with_parents(pattern).split("/"):
        if part == "{parent}":
            parts.append("**")
            continue
        folders = ["**"] if "{name}" in part or "{parent}" in part else []
        parts += [*folders, PLACEHOLDERS.sub("*", part)]
    return re.sub(r"\*\*/(\*\*/)+", "**/", "/".join(parts))


def _inner(words: dict[str, str | None]) -> str:
    return words.get("name") or f"{words.get('parent') or ''}{words.get('stem') or ''}"


def _down_to_files(pattern: str) -> list[str]:
    """Extend a pattern that ends in a folder.

    It continues with the image's name, or with all files where the folder is the image's own.
    """
    last = Path(pattern).name
    if WILDCARDS.search(last) or find_suffix(Path(last)):
        return [pattern]
    pattern = pattern.rstrip("/")
    if "{name}" in last or "{stem}" in last:
        return [f"{pattern}.*", f"{pattern}/*"]
    own = any(f"{{{word}}}" in pattern for word in ("name", "stem", "parent"))
    return [f"{pattern}/*" if own else f"{pattern}/{{name}}.*"]


def _fill(pattern: str, words: dict[str, str], escape: Callable[[str], str]) -> str:
    filled = PLACEHOLDERS.sub(
        lambda m: escape(words[m[1]]) if m[1] in words else m[0],
        pattern,
    )
    return re.sub(r"/+", "/", filled).strip("/")


PIECES = {
    "**/": "(?:.*/)?",
    "**": ".*",
    "*": "[^/]*",
    "?": "[^/]",
    "{parent}/": "(?P<parent>(?:.*/)?)",
    "{split}": "(?P<split>[^/]+)",
    "{stem}": "(?P<stem>[^/]+)",
    "{name}": "(?P<name>.+)",
}


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a regular expression whose groups are what stands for the placeholders."""
    seen: set[str] = set()

    def replace_piece(match: re.Match[str]) -> str:
        word = match[0].strip("{}/")
        if match[0].startswith("{") and match[0] in PIECES:
            if word in seen:
                return f"(?P={word})"
            seen.add(word)
        return PIECES.get(match[0]) or re.escape(match[0])

    return re.compile(
        re.sub(r"\{parent\}/|\{\w+\}|\*\*/|\*\*|\*|\?|.", replace_piece, _with_parents(pattern.strip("/")))
    )


def _matches(root: Path, pattern: str) -> Iterable[Path]:
    pattern = pattern.strip("/")
    return [root] if pattern in ("", ".") else root.glob(pattern)


def _find_images(folder: Path) -> Iterator[Path]:
    for directory, names in walk_folders(folder):
        yield from (directory / name for name in names)


def _is_image(path: Path) -> bool:
    return bool(find_suffix(path)) and not path.name.startswith(".")


def _fits(name: str, pattern: str) -> bool:
    path = Path(name)
    if not _is_image(path):
        return False
    if pattern.endswith(".*"):  # 'a.*' is a.png, not a.b.png, which belongs to the image a.b
        return fnmatchcase(path.stem, pattern.removesuffix(".*"))
    return fnmatchcase(name, pattern)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
