"""What one image and its mask are like: all that the rules of `segapp check` ask, without the pixels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from PIL import Image as PillowImage

from segapp.checking.alignment import SIDE, Edges, Fit, measure_fit
from segapp.datasets.class_presence import map_in_threads
from segapp.datasets.item_checks import check_item, find_path
from segapp.datasets.problems import Problem
from segapp.datasets.source import Item, LayeredMask, SplitName
from segapp.errors import SegappError
from segapp.planning.fingerprint import ImageFacts, average_channels, describe_item, reduce_image

MAX_PIXELS = 2**26
"""Height x width that is described (8,192 x 8,192); of larger images only size and values are checked."""


@dataclass(frozen=True)
class ItemFacts:
    """One image of a data set and its mask."""

    name: str
    split: SplitName
    group: str
    path: Path | None
    mask_path: Path | None
    problems: tuple[Problem, ...]
    """What is wrong with the image or the mask by itself."""
    stored: str = ""
    """Kind of number in the file, such as uint16."""
    channels: int = 0
    """Channels in the file."""
    orientation: int = 1
    """EXIF's 1 … 8."""
    mask_orientation: int = 1
    pixel_size: tuple[float, float] | None = None
    """Height and width of a pixel in µm, where the file says so."""
    described: ImageFacts | None = None
    """None for what could not be read, and for what is too large."""
    is_constant: bool = False
    """All values of each channel are equal."""
    digest: bytes = b""
    """Of all pixels: equal for equal images, whatever files they are in."""
    mask_digest: bytes = b""
    look: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    """(64,) bool perceptual hash: nearly equal for images that look alike."""
    overlap: int = 0
    """Pixels that lie in several classes, of which the mask shows one."""
    fit: Fit | None = None
    edges: Edges | None = None


def read_facts(
    items: Mapping[SplitName, Sequence[Item]], num_classes: int, background: int | None = None
) -> Iterator[ItemFacts]:
    """Read every image and every mask once, in threads, and yield what they are like, in order."""
    all_items = [(split, item) for split, members in items.items() for item in members]
    yield from map_in_threads(lambda one: _describe(one[1], one[0], num_classes, background), all_items)


def _describe(item: Item, split: SplitName, num_classes: int, background: int | None) -> ItemFacts:
    checked = check_item(item, num_classes, MAX_PIXELS)
    mask_path = None if item.mask is None else find_path(item.mask)
    names = {"name": item.name, "split": split, "group": item.group, "path": find_path(item.image)}
    found: dict[str, Any] = {**names, "mask_path": mask_path, "problems": tuple(checked.problems)}
    if checked.size is not None:
        found |= _read_header_facts(item)
    if checked.image is not None:
        small = reduce_image(checked.image, SIDE)  # by averaging, which takes less time than to convert all pixels
        found |= _describe_image(checked.image, small)
        if checked.mask is not None:
            found["described"] = describe_item(item, checked.image, checked.mask, num_classes, background, False)
            found["mask_digest"] = _compute_digest(checked.mask)
            found["overlap"] = item.mask.count_overlaps() if isinstance(item.mask, LayeredMask) else 0
            found["fit"], found["edges"] = measure_fit(small, checked.mask)
    return ItemFacts(**found)


def _describe_image(image: np.ndarray, small: np.ndarray) -> dict[str, Any]:
    few = image[::8, ::8]
    return {
        "is_constant": bool((few == image[0, 0]).all()) and bool((image == image[0, 0]).all()),
        "digest": _compute_digest(image),
        "look": _compute_look(average_channels(small)),
    }


def _read_header_facts(item: Item) -> dict[str, Any]:
    """Return what the headers of the files say, where the references know files."""
    image = item.image
    try:
        mask_orientation = getattr(item.mask, "orientation", 1)
    except SegappError:
        mask_orientation = 1  # the problem of the mask is in `problems`
    meta = getattr(image, "meta", None) or {}
    return {
        "stored": str(getattr(image, "stored_dtype", image.dtype)),
        "channels": getattr(image, "stored_channels", image.shape[2]),
        "orientation": getattr(image, "orientation", 1),
        "mask_orientation": mask_orientation,
        "pixel_size": meta.get("pixel_size"),
    }


def _compute_digest(pixels: np.ndarray) -> bytes:
    seen = sha256(repr((pixels.shape, pixels.dtype.str)).encode())  # in hardware, the fastest one
    seen.update(np.ascontiguousarray(pixels).data)
    return seen.digest()[:16]


def _compute_look(grey: np.ndarray) -> np.ndarray:
    """Return the perceptual hash of a grey image (H, W): signs of its low frequencies, as `imagehash.phash` has it."""
    low, high = float(grey.min()), float(grey.max())
    scaled = np.zeros(grey.shape, np.uint8) if high <= low else ((grey - low) * (255 / (high - low))).astype(np.uint8)
    return np.asarray(imagehash.phash(PillowImage.fromarray(scaled)).hash).ravel()
