"""Lists the images of a folder, each with the files that it becomes."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from segapp.errors import MisuseError
from segapp.io import (
    FileGroup,
    FilePart,
    explain_errors,
    find_suffix,
    holds_arrays,
    is_image,
    is_image_folder,
    join_channel_files,
    list_image_files,
    list_images,
    list_suffixes,
    name_image,
    real_path,
    remove_suffix,
    split_array,
    walk_folders,
)
from segapp.prediction.writers.registry import find_writers
from segapp.system.regular_files import describe_irregular
from segapp.terminal.text import for_terminal

MANIFEST = re.compile(r"manifest(-\d+-of-\d+)?\.csv")
MANIFEST_BEGINS = b"image,size,mtime_ns,model,status,"
"""What shows a folder to be an earlier output."""


@dataclass(frozen=True)
class ImageTask:
    """One image and the files it becomes."""

    image: Path
    outputs: dict[str, Path]
    """Output file by kind, the names of `prediction.writers.registry`."""
    name: str = ""
    """Path relative to the folder of images, with `/`."""
    stem: str = ""
    """Path of the files below `<output>/<kind>`, without their suffix."""
    channel_files: tuple[Path, ...] = ()
    """The files of the other channels, where each channel of the image has a file."""
    is_renamed: bool = False
    """Whether the stem is another than the image's name, because that is taken."""
    array: str = ""
    """The name of an array in the file."""

    @property
    def file(self) -> FilePart:
        """The address of the image."""
        return FilePart(self.image, "", self.channel_files, array=self.array)


def list_tasks(
    images: Path,
    output: Path,
    save: Sequence[str],
    stems: Mapping[str, str] | None = None,
    channel_files: Sequence[str] = (),
) -> list[ImageTask]:
    """List a task for every image of a folder and its sub-folders, in order of their names, or for one image file.

    Every kind is written under `output/<kind>`, sub-folders kept. Images of one folder that differ in their suffix
    alone keep it: a.png and a.jpg become a.png.png and a.jpg.png. `stems` are those that images were given before: they
    keep them, and no other image gets them. `channel_files` are the names of the files of each channel, as
    `{name}_0000`: the files of one image are one task, and its outputs have the image's name. Raises MisuseError when
    there is nothing to do, or when an output would be an input or lie outside `output`.

    `images` may name an array after a colon, as `slices:/image`: that of files that hold several.
    """
    kinds = find_writers(save)
    if find_suffix(output) and not output.is_dir():
        raise MisuseError(f"output {output} has the name of an image; name a folder.")
    if output.exists() and not output.is_dir():
        raise MisuseError(f"output {output} is a file; name a folder.")
    images, array = split_images(images)
    found = _find_images(images, output)
    if not found:
        unread = describe_unread(images, output) or f"segapp reads {', '.join(list_suffixes())}."
        raise MisuseError(f"there is no image in {images} or its sub-folders; {unread}")
    root = images if images.is_dir() and not is_image_folder(images) else images.parent
    joined = join_channel_files([image.path for image in found], channel_files)
    files = {file.path.relative_to(root).as_posix(): file for file in joined.values()}
    series = {image.path: Path(name_image(image, root)) for image in found if image.label is not None}
    relative = [
        series.get(file.path) or _choose_name(name, file, joined).relative_to(root) for name, file in joined.items()
    ]
    tasks = [
        ImageTask(
            file.path,
            {kind.name: output / kind.name / f"{stem}{kind.choose_suffix(file.path)}" for kind in kinds},
            name,
            stem,
            file.channel_files,
            stem != remove_suffix(place).as_posix(),
            array if holds_arrays(file.path) else "",
        )
        for (name, file), place, stem in zip(
            files.items(), relative, _choose_stems(list(files), relative, stems or {}), strict=True
        )
    ]
    _check_outputs(tasks, output)
    return tasks


def split_images(images: Path) -> tuple[Path, str]:
    """Return a folder or file without the array that it names, as `slices:/image`, and the array."""
    path, array = split_array(str(images))
    return Path(path), array


def _choose_name(name: Path, file: FilePart, joined: Mapping[Path, FilePart]) -> Path:
    """Return the path that an image would have if its channels were in one file, if no other image has it."""
    complete = name if name == file.path else name.with_name(f"{name.name}{find_suffix(file.path)}")
    return file.path if complete in joined else complete


def _find_images(images: Path, output: Path) -> list[FileGroup]:
    if images.is_file() or is_image_folder(images):
        if not is_image(images):
            raise MisuseError(f"{images}: not an image that segapp reads; it reads {', '.join(list_suffixes())}.")
        return [FileGroup(images)]
    if not images.is_dir():
        beside = [path.name for path in images.parent.iterdir()] if images.parent.is_dir() else []
        near = get_close_matches(images.name, beside, n=1)
        hint = f" (did you mean {images.parent / near[0]}?)" if near else ""
        raise MisuseError(f"there is no folder or image {images}{hint}.")
    if real_path(output) == real_path(images):
        raise MisuseError(f"output is the folder of the images, {images}; name another one.")
    found = (list_images(place, names) for place, names in _walk(images, real_path(output)))
    return [image for several in found for image in several]


def describe_unread(images: Path, output: Path) -> str | None:
    """Return one line on the files of a folder whose suffix is of no format that is read; None if there is none."""
    images, _ = split_images(images)
    if not images.is_dir() or is_image_folder(images):
        return None
    files = [place / name for place, names in _walk(images, real_path(output)) for name in names]
    unread = [path for path in files if not is_image(path)]
    if unread:  # voxels beside their header
        used = {file for path in files if is_image(path) for file in list_image_files(path)}
        unread = [path for path in unread if path not in used]
    if not unread:
        return None
    suffixes = Counter(path.suffix.lower() or "without suffix" for path in unread)
    counted = ", ".join(f"{count} {for_terminal(suffix)}" for suffix, count in suffixes.most_common(6))
    names = ", ".join(for_terminal(str(path.relative_to(images))) for path in unread[:3])
    return (
        f"left out: {counted}{' …' if len(suffixes) > 6 else ''} ({names}{' …' if len(unread) > 3 else ''}); "
        f"segapp reads {', '.join(list_suffixes())}."
    )


def _walk(images: Path, output: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folders below a folder with the names of their files, without hidden ones and earlier outputs."""
    earlier: list[Path] = [output] if output.is_relative_to(real_path(images)) else []
    for place, files in walk_folders(images):
        if place != images and any(_is_manifest(place / name) for name in files):
            earlier.append(real_path(place))
        real = real_path(place) if earlier else place
        if any(real.is_relative_to(folder) for folder in earlier):
            continue
        yield place, [name for name in files if not name.startswith(".")]


def _is_manifest(path: Path) -> bool:
    if not MANIFEST.fullmatch(path.name) or describe_irregular(path) is not None:
        return False
    with explain_errors(path), path.open("rb") as file:
        return file.read(len(MANIFEST_BEGINS)) == MANIFEST_BEGINS


def _choose_stems(names: Sequence[str], relative: Sequence[Path], given: Mapping[str, str]) -> list[str]:
    """Return each image's stem: the one given before, else its own unless another image was given that.

    Processes that share a folder get the same ones, whatever the others have written down of theirs meanwhile: what a
    stem must avoid is among the images' own stems and those given before, and an image avoids its own only where it
    was given to another.
    """
    owners = {stem.casefold(): image.casefold() for image, stem in given.items()}
    own = [name.as_posix() for name in _remove_suffixes(relative)]
    taken = {*owners, *(stem.casefold() for stem in own)}
    stems = []
    for image, path, stem in zip(names, relative, own, strict=True):
        if image in given:
            stem = given[image]
        elif owners.get(stem.casefold(), image.casefold()) != image.casefold():
            while stem.casefold() in taken:
                stem += find_suffix(path)
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _remove_suffixes(relative: Sequence[Path]) -> list[Path]:
    """Return each image's path without suffix; those that would share one keep their own suffix.

    Compared without regard to case, as some file systems do.
    """
    names = [Path(remove_suffix(path)) for path in relative]
    while True:
        taken = Counter(str(name).casefold() for name in names)
        shared = [taken[str(name).casefold()] > 1 for name in names]
        longer = [path if twice else name for path, name, twice in zip(relative, names, shared, strict=True)]
        if longer == names:
            return names
        names = longer


def _check_outputs(tasks: Sequence[ImageTask], output: Path) -> None:
    root = real_path(output)
    inputs = {real_path(file): file for task in tasks for file in (task.image, *task.channel_files)}
    for task in tasks:
        for path in task.outputs.values():
            real = real_path(path.parent) / path.name
            if not real.is_relative_to(root):
                raise MisuseError(
                    f"{path} would be written outside {output}, because of a link to {real}; remove the link."
                )
            if real in inputs:
                raise MisuseError(f"the output {path} would replace the image itself; choose another --output.")
