"""Choose how stored values become the network's range, and how they are normalised."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segapp.errors import MisuseError, SegappError
from segapp.io import FilePart, Image, as_file_part, read_measured_window, read_raw, read_shape
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import Fingerprint

CT_VALUE = -700
"""Hounsfield units below which only air and lungs are: images with lower values are taken for CT, unless they are
maps."""
AIR = -1024
"""Lowest value of air in Hounsfield units, with which CT is padded too."""
FAR = 0.5
"""Of the range of all other values: a value that lies further below them means that nothing was measured."""
CT = "ct"
"""The name of CT channels in the tables of nnU-Net and the Decathlon, in lower case."""
MIN_LABELLED = 1000
"""Fewest labelled pixels whose values are taken for those of the objects."""
Pixels = tuple[np.ndarray, np.ndarray | None]
"""The stored values of an image, and those of its labelled pixels: measured and finite ones."""
MAX_IMAGES = 24
"""Images whose stored values are read."""
MIN_STD = 0.02
"""Smallest standard deviation that normalisation divides by: a constant channel stays constant."""


def choose_intensity(
    files: Sequence[Path | FilePart],
    names: Sequence[str] = (),
    masks: Sequence[Sequence[FilePart]] = (),
    prefix: str = "data.source.init_args",
) -> list[Decision]:
    """Choose how stored values are scaled from those of some images; nothing where all have 8 bits and none is a slice.

    Args:
        files: Images, or slices of volumes.
        names: Of the channels, as the data set's table has them: all CT, or another.
        masks: The masks of each file; of CT, the values of labelled pixels (not 0) count.
        prefix: The data set in the configuration.
    """
    pixels, undeclared = _leave_out_nodata(_read_sample(files, masks))
    dtypes = sorted({str(image.dtype) for image, _ in pixels})
    whole = "volume" if any(as_file_part(file).part for file in files) else "image"
    if dtypes == ["uint8"] and whole == "image":
        return []
    lows, highs = ([float(end(image)) for image, _ in pixels] for end in (np.min, np.max))
    is_named = bool(names) and all(name.strip().lower() == CT for name in names)
    is_like = np.median(lows) <= CT_VALUE and not any(dtype.startswith("uint") for dtype in dtypes)
    if is_named or (is_like and not names and not _is_map(files)):
        found = f"({', '.join(dtypes)}) go down to {min(lows):.0f}"
        return [_choose_window(pixels, found, is_named, prefix, _describe_nodata(undeclared))]
    reason = (
        f"The values ({', '.join(dtypes)}) reach from {min(lows):.4g} to {max(highs):.4g}, with maxima of "
        f"{min(highs):.4g} … {max(highs):.4g}: the percentiles 0.5 and 99.5 of each {whole} become 0 and 1."
    )
    if undeclared:
        reason += (
            f"{_describe_nodata(undeclared)} The percentiles count it as long as the files do not declare it: "
            f"`gdal_edit.py -a_nodata {undeclared[0]:.17g} FILE` for TIFF."
        )
    return [Decision(f"{prefix}.intensity", _make_part("percentile", 0.5, 99.5), reason)]


def _is_map(files: Sequence[Path | FilePart]) -> bool:
    """Return whether the first readable image lies on a map, where values below 0 are depths of water and the like."""
    for file in files:
        try:
            return "crs" in Image(file).meta
        except SegappError:
            continue  # passed over, as its values are
    return False


def _describe_nodata(undeclared: Sequence[float]) -> str:
    if not undeclared:
        return ""
    values = " and ".join(f"{value:.17g}" for value in undeclared)
    return f" {values}, far below all other values, is taken for pixels without a measurement."


def _choose_window(pixels: Sequence[Pixels], range_of_values: str, is_named: bool, prefix: str, note: str) -> Decision:
    """Return one range of Hounsfield units for all images: that of the labelled pixels, where there are enough."""
    labelled = [values for _, values in pixels if values is not None and values.size]
    is_enough = sum(values.size for values in labelled) >= MIN_LABELLED
    samples = labelled if is_enough else [image for image, _ in pixels]
    low, high = (float(np.mean([np.percentile(values, q) for values in samples])) for q in (0.5, 99.5))
    known = "and the channels are named CT" if is_named else "and are taken for Hounsfield units"
    reason = (
        f"The values {range_of_values}, {known}; they mean the same in every image: the percentiles 0.5 and 99.5 of "
        f"{'the labelled pixels' if is_enough else 'the data set'} become 0 and 1.{note}"
    )
    return Decision(f"{prefix}.intensity", _make_part("range", low, max(high, low + 1)), reason)


def _read_sample(files: Sequence[Path | FilePart], masks: Sequence[Sequence[FilePart]]) -> list[Pixels]:
    """Return the values of images, evenly over the list; raise the error if none can be read."""
    count = min(MAX_IMAGES, len(files))
    images: list[Pixels] = []
    failed = []
    for number in range(count):
        place = number * len(files) // count
        try:
            image, is_measured = _read_measured(files[place])
            if not (values := image[is_measured].ravel()).size:
                raise MisuseError(
                    f"{files[place]}: holds nothing but NaN, infinite values or nodata; replace the file."
                )
            images.append((values, _read_labelled(image, is_measured, masks[place]) if masks else None))
        except SegappError as error:
            failed.append(error)
    if not images:
        raise failed[0]
    return images


def _read_measured(file: Path | FilePart) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W, C) and (H, W, C) bool: which of these values were measured and are finite."""
    pixels, missing = read_measured_window(file, 0, 0, *read_shape(file))
    is_measured = np.isfinite(pixels)
    return pixels, is_measured if missing is None else is_measured & ~missing[..., None]


def _read_labelled(image: np.ndarray, is_measured: np.ndarray, masks: Sequence[FilePart]) -> np.ndarray | None:
    """Return the values where a mask is not 0; None without one mask of the image's size."""
    mask = read_raw(masks[0]) if len(masks) == 1 else None
    if mask is None or mask.shape != image.shape[:2]:
        return None
    return image[is_measured & (mask != 0)[..., None]]


def _leave_out_nodata(pixels: Sequence[Pixels]) -> tuple[list[Pixels], list[float]]:
    """Return the values without those that mean that nothing was measured, and these."""
    found = sorted({value for values, _ in pixels for value in _find_nodata(values)})
    kept = [
        (values[~np.isin(values, found)], None if labelled is None else labelled[~np.isin(labelled, found)])
        for values, labelled in (pixels if found else ())
    ]
    return [pair for pair in kept if pair[0].size] or list(pixels), found


def _find_nodata(values: np.ndarray) -> list[float]:
    """Return values that each lie far below all others, as -9999 does; those that pad CT do not."""
    found: list[float] = []
    while (low := float(values.min())) < AIR and (others := values[values > low]).size:
        bottom, top = np.percentile(others, (0.5, 99.5))
        if float(others.min()) - low <= FAR * float(top - bottom):
            break
        found.append(low)
        values = others
    return found


def choose_normalisation(fingerprint: Fingerprint) -> list[Decision]:
    """Normalise by the mean and standard deviation of the data set, channel by channel."""
    mean = [round(float(value), 4) for value in fingerprint.mean]
    std = [round(max(MIN_STD, float(value)), 4) for value in fingerprint.std]
    reason = f"Mean and standard deviation of {len(fingerprint.images)} images, in units of [0, 1]."
    return [Decision("model.net.init_args.mean", mean, reason), Decision("model.net.init_args.std", std, "")]


def _make_part(kind: str, low: float, high: float) -> dict[str, str | float]:
    return {"kind": kind, "low": low, "high": high}
