"""Refuses images of another depth than a network was trained on, and parses the option that scales them."""

from typing import get_args

import numpy as np

from segapp.errors import MisuseError, SegappError
from segapp.io import Image
from segapp.spec import Intensity, IntensityKind

MOST_CHANNELS = 16
"""Most channels of a network."""

NUMBERS = {"range": 2, "percentile": 2}
"""The count of numbers after each kind."""


def parse_intensity(text: str) -> Intensity:
    """Parse `percentile,1,99`, `range,0,65535`, `zscore` or `stored`; raise MisuseError for other text."""
    kind, *numbers = (part.strip() for part in text.split(","))
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = []
    if kind not in get_args(IntensityKind) or len(values) != NUMBERS.get(kind, 0) or len(values) != len(numbers):
        raise MisuseError(f"intensity must be percentile,LOW,HIGH or range,LOW,HIGH or zscore or stored, got {text!r}.")
    return Intensity(kind, *values)  # type: ignore[arg-type]


def require_trained_kind(image: Image, channels: int, remedy: str) -> None:
    """Raise SegappError for an image whose channels or depth the network was not trained on.

    Args:
        image: The image, with the network's intensity.
        channels: The channels of the network.
        remedy: What to do about values of another depth, with `{low}` and `{high}` for those its type can hold.
    """
    try:
        _ = image.shape
    except SegappError as error:
        found = _count_channels(image)
        if found in (None, channels):  # something else is wrong with the file
            raise
        raise SegappError(
            f"{image.file}: has {found} channel{'s' if found > 1 else ''}, but the network was trained on images of "
            f"{channels}; save an image with these channels only."
        ) from error
    stored, intensity = image.stored_dtype, image.intensity
    low, high = (0.0, 1.0) if stored.kind == "f" else (np.iinfo(stored).min, np.iinfo(stored).max)
    if intensity.kind == "stored" and stored != np.uint8:
        trained = "8-bit images, used unchanged"
    elif intensity.kind == "range" and stored.kind != "f" and high <= (intensity.low + intensity.high) / 2:
        trained = f"values of {intensity.low:g} … {intensity.high:g}, half of which its type cannot hold"
    else:
        return
    raise SegappError(
        f"{image.file}: holds {stored}, but the network was trained on {trained}; "
        f"{remedy.format(low=f'{low:g}', high=f'{high:g}')}."
    )


def _count_channels(image: Image) -> int | None:
    """Return the channels of a file, the pages of a stack counted; None where it cannot be read at all."""
    for asked in (None, *range(2, MOST_CHANNELS + 1)):
        try:
            return Image(image.file, asked).shape[2]
        except SegappError:
            continue
    return None


def convert_pixels(pixels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Convert pixels, uint8 or float32 in [0, 1], to the one of these types that the network takes."""
    if pixels.dtype == dtype:
        return pixels
    if dtype == np.uint8:
        return np.rint(pixels * 255).astype(np.uint8)
    return pixels.astype(np.float32) / 255
