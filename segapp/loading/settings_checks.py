"""Check the settings of the data module."""

from segapp.errors import MisuseError
from segapp.loading.samples import Sampling

Size = int | tuple[int, int]


def check_settings(
    batch_size: int, sampling: Sampling, window: tuple[int, int], num_workers: int | None, cache_gb: float
) -> None:
    """Raise MisuseError for the first setting that is out of its range or excludes another.

    Args:
        batch_size: Training samples per process and step.
        sampling: How samples are taken from images.
        window: Height and width of evaluation windows.
        num_workers: Processes that prepare batches; None where the machine decides.
        cache_gb: Memory for decoded images in GB.
    """
    if batch_size < 1:
        raise MisuseError(f"batch_size is 1 or more, got {batch_size}.")
    if sampling.crop and sampling.resize:
        raise MisuseError(f"crop={sampling.crop} and resize={sampling.resize} exclude each other; set one to null.")
    for name, size in (("crop", sampling.crop), ("resize", sampling.resize), ("window", window)):
        if size is not None and min(size) < 1:
            raise MisuseError(f"{name} needs a height and width of 1 or more, got {size}.")
    if sampling.per_image < 1:
        raise MisuseError(f"crops_per_image is 1 or more, got {sampling.per_image}.")
    if not 0 <= sampling.oversample <= 1:
        raise MisuseError(f"oversample is a fraction, 0 … 1, got {sampling.oversample}.")
    if sampling.oversample and not sampling.crop:
        raise MisuseError("oversample centres crops on rare classes: set crop, or oversample to 0.")
    if sampling.seed < 0:
        raise MisuseError(f"seed is 0 or more, got {sampling.seed}.")
    if cache_gb < 0 or (num_workers or 0) < 0:
        raise MisuseError(f"cache_gb and num_workers are 0 or more, got {cache_gb} and {num_workers}.")


def check_resize(resize: tuple[int, int] | None, cuts_images: bool) -> None:
    """Raise MisuseError where blocks of images are resized: prediction would resize whole images to the same size."""
    if resize and cuts_images:
        raise MisuseError(
            f"resize={resize} is the size of a block in training and of the whole image in prediction, since the split "
            "(segapp.datasets.Blocks) cuts images; set crop instead, and resize to null."
        )


def to_pair(size: Size | None) -> tuple[int, int] | None:
    """Return height and width of a size; None for None."""
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
