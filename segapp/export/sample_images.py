"""Select or generate the images on which an export is verified and calibrated."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from segapp.errors import MisuseError
from segapp.inference.readable_image import ArrayImage
from segapp.inference.resize import shrink
from segapp.inference.windows import find_image_start, pad_crop
from segapp.io import FilePart, join_channel_files, list_images, list_slices, list_suffixes, open_image, walk_folders
from segapp.prediction.intensity import require_trained_kind
from segapp.spec import Spec

MAX_SIDE = 1024
"""Larger images are cropped to their middle, to save time: their windows are alike."""

MAX_VERIFIED, MAX_CALIBRATED = 8, 32
"""Most images that are verified, and calibrated, on."""


def select_images(folder: Path, spec: Spec, calibrate: bool) -> tuple[list[ArrayImage], list[ArrayImage]]:
    """Select images to verify on, and images to calibrate on, spread evenly over a folder and its sub-folders.

    No image is in both, where there are two or more. Raises MisuseError when there is none.
    """
    if not folder.is_dir():
        raise MisuseError(f"images: there is no folder {folder}.")
    paths = sorted(image.path for place, names in walk_folders(folder) for image in list_images(place, names))
    if not paths:
        raise MisuseError(f"images: there is no image in {folder}; segapp reads {', '.join(list_suffixes())}.")
    files = list(join_channel_files(paths, spec.channel_files).values())
    if not calibrate:
        return [_read(file, spec) for file in _select_spread(files, MAX_VERIFIED)], []
    verify, other = (files[::2], files[1::2]) if len(files) > 1 else (files, files)
    chosen = _select_spread(verify, MAX_VERIFIED), _select_spread(other, MAX_CALIBRATED)
    return [_read(file, spec) for file in chosen[0]], [_read(file, spec) for file in chosen[1]]


def generate_images(spec: Spec) -> list[ArrayImage]:
    """Generate three images of soft noise with discs and edges, in the spec's channels and dtype."""
    height, width = spec.window
    sizes = (spec.window, (height + height // 3, width + width // 2), (max(8, height // 2), max(8, width // 3)))
    return [
        ArrayImage(_draw_scene(size, spec, seed), f"generated image {seed + 1}")
        for seed, size in enumerate((min(h, MAX_SIDE), min(w, MAX_SIDE)) for h, w in sizes)
    ]


def read_windows(images: Sequence[ArrayImage], spec: Spec) -> list[np.ndarray]:
    """Read the middle window of each image as the network sees it, (1, C, *spec.window)."""
    crops = []
    for stored in images:
        image = stored if spec.resize is None else ArrayImage(shrink(stored, spec.resize), stored.name)
        y, x = (max(0, (have - want) // 2) for have, want in zip(image.shape, spec.window, strict=False))
        h, w = (min(have, want) for have, want in zip(image.shape, spec.window, strict=False))
        start = find_image_start((h, w), spec.window)
        crops.append(pad_crop(image.read_window(y, x, h, w), spec.window, start).transpose(2, 0, 1)[None])
    return crops


def _read(file: FilePart, spec: Spec) -> ArrayImage:
    slices = list_slices(file, spec.slice_axis)
    image = open_image(slices[len(slices) // 2], spec.channels, spec.intensity, spec.neighbours, spec.resolution)
    require_trained_kind(image, spec.channels, "give --images like those it was trained on")
    (height, width, _), side = image.shape, MAX_SIDE if spec.resize is None else max(image.shape)
    h, w = min(height, side), min(width, side)
    return ArrayImage(image.read_window((height - h) // 2, (width - w) // 2, h, w), str(file))


def _select_spread(files: Sequence[FilePart], most: int) -> list[FilePart]:
    count = min(most, len(files))
    return [files[index * len(files) // count] for index in range(count)]


def _draw_scene(size: tuple[int, int], spec: Spec, seed: int) -> np.ndarray:
    """Draw (*size, C) uint8, or float32 in [0, 1]."""
    random = np.random.default_rng(seed)
    height, width = size
    channels = []
    for _ in range(spec.channels):
        coarse = random.random((max(2, height // 16), max(2, width // 16)), np.float32)
        channels.append(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    scene = np.stack(channels, axis=2)
    for _ in range(12):
        disc = np.zeros(size, np.uint8)
        centre = int(random.integers(width)), int(random.integers(height))
        cv2.circle(disc, centre, int(random.integers(2, 3 + min(size) // 6)), 1, -1)
        scene[disc == 1] = scene[disc == 1] * 0.3 + random.random(spec.channels, np.float32) * 0.7
    scene = np.clip(scene + random.normal(0, 0.03, scene.shape), 0, 1).astype(np.float32)
    return np.rint(scene * 255).astype(np.uint8) if spec.intensity.dtype == "uint8" else scene
