"""Write example predictions: image, target, and the prediction with its errors marked."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.datasets import Item
from segapp.errors import MisuseError
from segapp.inference.engine import Engine
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import TorchRuntime, choose_device, choose_usable_precision
from segapp.io import shorten_name, write_atomically, write_image, write_mask
from segapp.loading.source_building import build_source
from segapp.palette import choose_error_colour

MAX_SIDE = 320
"""Larger images are cropped to their middle, at full resolution."""

Palette = Sequence[tuple[int, int, int]]

LEGEND = "legend.json"
"""File with the colours (RGB) of the classes and of wrong predictions."""


def write_examples(checkpoint: Path, names: Sequence[str], folder: Path, allowed: Sequence[str] = ()) -> None:
    """Write `<name>-image.jpg`, `<name>-target.png` and `<name>-prediction.png` of images of the checkpoint's data.

    Errors are marked in a colour that stands out from the classes'; `legend.json` lists the colours. Raises MisuseError
    when the data are not there.
    """
    spec, net, record = load_checkpoint(checkpoint, allowed)
    source = build_source(str(checkpoint), record["config"]["data"], allowed)
    items = {item.name: item for split in ("train", "val", "test") for item in source.items(split)}
    device = choose_device("auto")
    engine = Engine(TorchRuntime(net, device, choose_usable_precision(spec.precision, device)), spec)
    for name in names:
        if name not in items:
            raise MisuseError(f"{checkpoint}: the image {name!r}, on which it was scored, is missing; restore it.")
        pixels = items[name].image.read()
        write_example(items[name], pixels, engine.segment(ArrayImage(pixels, name)), folder, spec.palette)
    write_legend(folder, spec.classes, spec.palette)


def write_legend(folder: Path, classes: Sequence[str], palette: Palette) -> None:
    """Write the colours of the classes and of wrong predictions beside examples."""
    colours = {"classes": list(zip(classes, palette, strict=True)), "wrong": choose_error_colour(palette)}
    with write_atomically(folder / LEGEND) as temporary:
        temporary.write_text(json.dumps(colours), encoding="utf-8")


def make_slug(name: str) -> str:
    """Make one file name from an image's name."""
    return shorten_name(re.sub(r"[^\w.=+-]+", "_", name))


def write_example(item: Item, pixels: np.ndarray, prediction: np.ndarray, folder: Path, palette: Palette) -> None:
    """Write image, target and prediction of one image, larger ones cropped to their middle.

    Args:
        item: For its name and its target.
        pixels: The image (H, W, C), uint8 or float32 in [0, 1].
        prediction: Class indices (H, W) uint8.
        folder: Where to write.
        palette: The colours of the classes.
    """
    stem = folder / make_slug(item.name)
    target = np.full(prediction.shape, IGNORE_INDEX, np.uint8) if item.mask is None else item.mask.read()
    rows, columns = (
        slice((side - min(side, MAX_SIDE)) // 2, (side + min(side, MAX_SIDE)) // 2) for side in target.shape
    )
    pixels, prediction, target = pixels[rows, columns], prediction[rows, columns], target[rows, columns]
    marked = np.where((prediction != target) & (target != IGNORE_INDEX), len(palette), prediction).astype(np.uint8)
    write_image(stem.with_name(f"{stem.name}-image.jpg"), _to_rgb(pixels))
    write_mask(stem.with_name(f"{stem.name}-target.png"), target, palette)
    write_mask(stem.with_name(f"{stem.name}-prediction.png"), marked, [*palette, choose_error_colour(palette)])


def _to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Convert pixels to (h, w, 3) uint8: grey is repeated, and of more channels the first three are taken."""
    shown = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    return shown if shown.dtype == np.uint8 else np.rint(shown.clip(0, 1) * 255).astype(np.uint8)
