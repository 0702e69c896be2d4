"""Prepare what training samples are made of: cached images, tried augmentation, and pixels to centre crops on."""

from collections.abc import Callable, Sequence

from segapp.batch import Batch
from segapp.datasets.source import Item
from segapp.errors import MisuseError
from segapp.loading.class_counts import ClassScan
from segapp.loading.messages import report
from segapp.loading.mixture import Mixture
from segapp.loading.reader import Reader
from segapp.loading.samples import Sampling, TrainSet, stack_samples
from segapp.transforms import Augmenter


def make_cached_reader(items: Sequence[Item], cache_gb: float) -> Reader:
    """Return a reader with a cache of `cache_gb` GB, and log it where not all images find room."""
    reader = Reader(items, round(cache_gb * 1e9))
    if 0 < reader.cached < len(reader) or (cache_gb and not reader.cached):
        report(
            f"cache_gb={cache_gb:g} holds {reader.cached} of {len(reader)} training images; "
            f"all of them need cache_gb={reader.bytes_needed / 1e9:.2f}."
        )
    return reader


def list_weighted_sources(items: Sequence[Item], weights: Sequence[float]) -> list[int] | None:
    """Return the number of each item's data set, where several are joined by weights."""
    return [item.source for item in items] if weights else None


def make_mixture(items: Sequence[Item], weights: Sequence[float], crops_per_image: int) -> Mixture | None:
    """Return how joined data sets share the samples of an epoch; None where they have no weights."""
    sources = list_weighted_sources(items, weights)
    return None if sources is None else Mixture(sources, weights, crops_per_image)


def try_augmenter(augmenter: Augmenter, reader: Reader, sampling: Sampling) -> None:
    """Try every transform once on noise of a sample's size and dtype; MisuseError for one that cannot be used."""
    fixed = sampling.crop or sampling.resize
    with reader.name_in_errors(0):
        size, dtype = fixed or reader.read_size(0), reader.items[0].image.dtype
    augmenter.try_once(size, dtype, size_matters=fixed is not None)


def make_train_set(
    reader: Reader, sampling: Sampling, augmenter: Augmenter, scan: Callable[[], ClassScan], background: int | None
) -> TrainSet:
    """Return the training samples, once every transform was tried.

    Args:
        reader: Reads images and masks.
        sampling: How crops are sampled.
        augmenter: Changes them.
        scan: Returns where pixels of each class are; called only where crops are centred on classes.
        background: Its class, if there is one.

    Raises:
        MisuseError: A transform cannot be used, or there is no class to centre crops on.
    """
    try_augmenter(augmenter, reader, sampling)
    if not sampling.oversample:
        return TrainSet(reader, sampling, augmenter)
    require_samples(scan(), sampling.oversample, background)
    return TrainSet(reader, sampling, augmenter, scan())


def require_samples(scan: ClassScan, oversample: float, background: int | None) -> None:
    """Raise MisuseError unless the training masks hold a class that crops can be centred on."""
    if not scan.has_samples:
        raise MisuseError(
            f"oversample={oversample:g}: the training masks have no class to centre crops on, only the "
            f"background ({background}). Check the masks and the data's `classes` and `mask`, or "
            "set oversample to 0."
        )


def stack_fixed(samples: TrainSet, count: int, batch_size: int) -> list[Batch]:
    """Return `count` samples in batches, spread over the images: the same in every call."""
    images = len(samples.reader)
    few = count < images
    keys = [(0, n * images // count) if few else divmod(n, len(samples)) for n in range(count)]
    parts = (keys[start : start + batch_size] for start in range(0, count, batch_size))
    return [stack_samples([samples[key] for key in part]) for part in parts]
