"""Uncertainty: the entropy over the classes, as a grey image."""

from pathlib import Path

import numpy as np

from segapp.io import find_mask_suffix
from segapp.prediction.writers.plane import PlaneWriter
from segapp.prediction.writers.writer import ImageInfo, OutputBlock


class UncertaintyWriter(PlaneWriter):
    """The entropy of every pixel's probabilities: 0 certain, 255 all classes equally probable."""

    name = "uncertainty"
    help = "grey image of the entropy over the classes, 0 certain, 255 all classes equally probable"
    uses_probabilities = True

    def __init__(self, path: Path, image: ImageInfo) -> None:
        super().__init__(path, image)
        self._values = np.zeros((0, 0) if image.streamed else image.size, np.uint8)

    @classmethod
    def choose_suffix(cls, image: Path) -> str:
        """Return the image's own suffix if grey values can be written in its format, else `.png`."""
        return find_mask_suffix(image, grey=True)

    def add(self, block: OutputBlock) -> None:
        """Take the next block; a streamed one goes to the file."""
        assert block.probabilities is not None
        values = measure_uncertainty(block.probabilities)
        if self.image.streamed:
            self.stream(block.x, values)
        else:
            self._values[block.y : block.y + len(values), block.x : block.x + values.shape[1]] = values

    def finish(self, mask: np.ndarray) -> None:
        """Write the values of an image that was not streamed."""
        if not self.image.streamed:
            self.write_plane(self._values)


def measure_uncertainty(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy of (K, h, w) probabilities over its largest value, log K: (h, w) uint8, 0 … 255 for 0 … 1."""
    terms = probabilities * np.log(np.maximum(probabilities, 1e-12))
    return np.rint(terms.sum(axis=0) * (-255 / np.log(len(probabilities)))).clip(0, 255).astype(np.uint8)
