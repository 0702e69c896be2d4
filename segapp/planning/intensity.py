"""Choose how stored values become the network's range, and how they are normalised."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.errors import SegappError
from segapp.io import read_raw
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import Fingerprint

CT_VALUE = -700
"""Hounsfield units below which only air and lungs are: images with lower values are taken for CT."""
MAX_IMAGES = 24
"""Images whose stored values are read."""
MIN_STD = 0.02
"""Smallest standard deviation that normalisation divides by: a constant channel stays constant."""


def choose_intensity(paths: Sequence[Path], prefix: str = "data.source.init_args") -> list[Decision]:
    """Choose how stored values are scaled from those of some images; nothing where all of them have 8 bits."""
    images = _read_sample(paths)
    dtypes = sorted({str(image.dtype) for image in images})
    if dtypes == ["uint8"]:
        return []
    lows = [float(image.min()) for image in images]
    if np.median(lows) <= CT_VALUE and not any(str(image.dtype).startswith("uint") for image in images):
        low, high = (float(np.mean([np.percentile(image, q) for image in images])) for q in (0.5, 99.5))
        reason = (
            f"The values ({', '.join(dtypes)}) go down to {min(lows):.0f}, as Hounsfield units do, which mean the "
            "same in every image: the percentiles 0.5 and 99.5 of the data set become 0 and 1."
        )
        return [Decision(f"{prefix}.intensity", _make_part("range", low, high), reason)]
    highs = [float(image.max()) for image in images]
    reason = (
        f"The values ({', '.join(dtypes)}) reach from {min(lows):.4g} to {max(highs):.4g}, with maxima of "
        f"{min(highs):.4g} … {max(highs):.4g}: the percentiles 0.5 and 99.5 of each image become 0 and 1."
    )
    return [Decision(f"{prefix}.intensity", _make_part("percentile", 0.5, 99.5), reason)]


def _read_sample(paths: Sequence[Path]) -> list[np.ndarray]:
    """Return images, evenly over the list, without those that cannot be read; raise the error if none can."""
    count = min(MAX_IMAGES, len(paths))
    images, failed = [], []
    for number in range(count):
        try:
            images.append(read_raw(paths[number * len(paths) // count]))
        except SegappError as error:
            failed.append(error)
    if not images:
        raise failed[0]
    return images


def choose_normalisation(fingerprint: Fingerprint) -> list[Decision]:
    """Normalise by the mean and standard deviation of the data set, channel by channel."""
    mean = [round(float(value), 4) for value in fingerprint.mean]
    std = [round(max(MIN_STD, float(value)), 4) for value in fingerprint.std]
    reason = f"Mean and standard deviation of {len(fingerprint.images)} images, in units of [0, 1]."
    return [Decision("model.net.init_args.mean", mean, reason), Decision("model.net.init_args.std", std, "")]


def _make_part(kind: str, low: float, high: float) -> dict[str, str | float]:
    return {"kind": kind, "low": low, "high": high}
