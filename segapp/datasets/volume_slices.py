"""Images that are the slices of volumes: found, and compared with their masks."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from segapp.datasets.file_search import MaskPattern
from segapp.datasets.masks.encoding import FoundImage
from segapp.datasets.problems import Problem
from segapp.errors import SegappError
from segapp.io import FilePart, explain_unlike_volumes, list_slices
from segapp.spec import SliceAxis


def expand_volumes(images: Iterable[FoundImage], axis: SliceAxis) -> Iterator[FoundImage]:
    """Yield every slice of a volume as an image, `<volume>/axial=012`; other images as they are.

    A volume that cannot be read stays one image: what reads it reports it.
    """
    for image in images:
        for file in _list_readable_slices(image, axis):
            yield replace(image, name=f"{image.name}/{file.part}", part=file.part) if file.part else image


def _list_readable_slices(image: FoundImage, axis: SliceAxis) -> tuple[FilePart, ...]:
    try:
        return list_slices(image.file, axis)
    except SegappError:
        return (image.file,)


def find_volume_problems(images: Iterable[FoundImage], pattern: MaskPattern) -> Iterator[Problem]:
    """Yield every mask file that does not have the slices of its image's file, once."""
    compared = set()
    for image in images:
        for mask in pattern.find_files(image) if image.part else ():
            if (image.path, mask.path) in compared:
                continue
            compared.add((image.path, mask.path))
            if (message := explain_unlike_volumes(image.file, mask.file)) is not None:
                yield Problem("mask", message, mask.path, "masks")
