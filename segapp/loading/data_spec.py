"""What a network needs to know about the images that it is trained on."""

from segapp.datasets.source import Source
from segapp.loading.samples import Sampling
from segapp.spec import Blend, Spec


def describe_data(source: Source, sampling: Sampling, window: tuple[int, int], overlap: float, blend: Blend) -> Spec:
    """Return the description of a data set and its windows that checkpoints hold.

    Args:
        source: Images and classes.
        sampling: How training samples are made of images.
        window: Height and width of evaluation windows.
        overlap: Fraction of a window that the next one covers too.
        blend: How overlapping windows are weighted.
    """
    return Spec(
        classes=source.classes,
        background=source.background,
        palette=source.palette,
        channels=source.channels,
        intensity=source.intensity,
        slice_axis=source.axis,
        neighbours=source.neighbours,
        channel_files=tuple(source.channel_files),
        resolution=source.resolution,
        resize=sampling.resize,
        window=window,
        overlap=overlap,
        blend=blend,
    )
