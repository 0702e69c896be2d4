"""Which images a folder holds, and which file each becomes."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from segapp.errors import MisuseError
from segapp.io import SUFFIXES, folders_under, telling

Kind = Literal["mask", "overlay", "probability", "contours", "coco", "uncertainty"]

TIFF = (".tif", ".tiff")

MANIFEST = re.compile(r"manifest(-\d+-of-\d+)?\.csv")
MANIFEST_BEGINS = b"image,size,mtime_ns,model,status,"
"""What shows a folder to be an earlier output."""


@dataclass(frozen=True)
class Job:
    """One image and the files it becomes."""

    image: Path
    outputs: dict[Kind, Path]
    name: str = ""
    """Path relative to the folder of images, with `/`."""


def plan(images: Path, output: Path, save: Sequence[Kind]) -> list[Job]:
    """A job for every image of a folder and its sub-folders, in order of their names, or for one image file.

    One kind is written straight under `output`, several each under `output/<kind>`, sub-folders kept. Images of one
    folder that differ in their suffix alone keep it: a.png and a.jpg become a.png.png and a.jpg.png. Raises
    MisuseError when there is nothing to do, or when an output would be an input or lie outside `output`.
    """
    if output.suffix.lower() in SUFFIXES and not output.is_dir():
        raise MisuseError(f"output {output} is named like an image; give the folder to write to.")
    if output.exists() and not output.is_dir():
        raise MisuseError(f"output {output} is a file; give the folder to write to.")
    found = _found(images, output)
    if not found:
        raise MisuseError(
            f"there is no image in {images} or its sub-folders; segapp reads {', '.join(sorted(SUFFIXES))}."
        )
    kinds = list(dict.fromkeys(save))
    # COCO's parts, one per image, lie apart: what people want is the one file made of them.
    folders = {kind: output / kind if len(kinds) > 1 or kind == "coco" else output for kind in kinds}
    root = images if images.is_dir() else images.parent
    relative = [image.relative_to(root) for image in found]
    jobs = [
        Job(image, {kind: folders[kind] / f"{name}{_suffix(kind, image)}" for kind in kinds}, place.as_posix())
        for image, place, name in zip(found, relative, _names(relative), strict=True)
    ]
    _check(jobs, output)
    return jobs


def _found(images: Path, output: Path) -> list[Path]:
    if images.is_file():
        if images.suffix.lower() not in SUFFIXES:
            raise MisuseError(f"{images}: segapp reads {', '.join(sorted(SUFFIXES))}.")
        return [images]
    if not images.is_dir():
        beside = [path.name for path in images.parent.iterdir()] if images.parent.is_dir() else []
        near = get_close_matches(images.name, beside, n=1)
        hint = f" (did you mean {images.parent / near[0]}?)" if near else ""
        raise MisuseError(f"there is no folder or image {images}{hint}.")
    if output.resolve() == images.resolve():
        raise MisuseError(f"output is the images' own folder {images}; give another one.")
    return list(_walk(images, output.resolve()))


def _walk(images: Path, output: Path) -> Iterator[Path]:
    """Images below a folder, hidden files and earlier outputs left out."""
    earlier: list[Path] = [output] if output.is_relative_to(images.resolve()) else []
    for place, files in folders_under(images):
        real = place.resolve()
        if place != images and any(_is_manifest(place / name) for name in files):
            earlier.append(real)
        if any(real.is_relative_to(folder) for folder in earlier):
            continue
        for name in files:
            path = place / name
            if path.suffix.lower() in SUFFIXES and not name.startswith("."):
                yield path


def _is_manifest(path: Path) -> bool:
    if not MANIFEST.fullmatch(path.name):
        return False
    with telling(path), path.open("rb") as file:
        return file.read(len(MANIFEST_BEGINS)) == MANIFEST_BEGINS


def _names(relative: Sequence[Path]) -> list[Path]:
    """Each image's output without suffix; those that would share one keep their own suffix.

    Compared without regard to case, as some file systems do.
    """
    names = [path.with_suffix("") for path in relative]
    while True:
        taken = Counter(str(name).casefold() for name in names)
        shared = [taken[str(name).casefold()] > 1 for name in names]
        longer = [path if twice else name for path, name, twice in zip(relative, names, shared, strict=True)]
        if longer == names:
            return names
        names = longer


def _suffix(kind: Kind, image: Path) -> str:
    fixed = {"probability": ".npy", "contours": ".geojson", "coco": ".json", "overlay": ".png"}
    return fixed.get(kind, image.suffix if image.suffix.lower() in TIFF else ".png")


def _check(jobs: Sequence[Job], output: Path) -> None:
    root = output.resolve()
    inputs = {job.image.resolve(): job.image for job in jobs}
    for job in jobs:
        for path in job.outputs.values():
            real = path.parent.resolve() / path.name
            if not real.is_relative_to(root):
                raise MisuseError(f"{path} would be written outside {output}, through a link: {real}.")
            if real in inputs:
                raise MisuseError(f"the output {path} would replace the image itself; choose another --output.")
