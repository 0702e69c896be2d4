"""A data set, decoded once, on which networks of any kind are scored alike."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from kit import DEVICE
from torch import nn

from segapp.datasets.source import Item
from segapp.inference.engine import Engine
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import TorchRuntime
from segapp.loading.source_building import build_source
from segapp.metrics import ScoreCollector
from segapp.spec import Spec
from segapp.training.precision import choose_precision

BATCH, GRID, LARGEST = 16, 32, 1024


class Task:
    """The data set, decoded once for all arms.

    Args:
        data: Its section of a config.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        source = build_source("the data set", data)
        self.train, self.val, self.test = (read(source.items(split)) for split in ("train", "val", "test"))
        largest = np.max([mask.shape for _, mask in [*self.val, *self.test]], axis=0)
        window = tuple(min(-(-int(side) // GRID) * GRID, LARGEST) for side in largest)
        precision = choose_precision("auto")
        facts = {"window": window, "precision": precision, "intensity": source.intensity}
        self.spec = Spec(source.classes, source.background, source.palette, source.channels, **facts)

    def score(self, net: nn.Module, pairs: Sequence["Pair"]) -> dict[str, float]:
        """Return the scores of a network on images at their stored size."""
        training = net.training
        engine = Engine(TorchRuntime(net.eval(), DEVICE, self.spec.precision), self.spec, BATCH)

        def predict() -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
            for (image, mask), (_, blocks) in zip(pairs, engine.stream([image for image, _ in pairs]), strict=True):
                found = np.empty(mask.shape, np.uint8)
                for block in blocks:
                    part = engine.compute_indices(block)
                    found[block.y : block.y + part.shape[0], block.x : block.x + part.shape[1]] = part
                yield found, mask, image.name

        scores = self.collect(predict())
        net.train(training)
        return scores

    def collect(self, predictions: Iterable[tuple[np.ndarray, np.ndarray, str]]) -> dict[str, float]:
        """Return the scores of class indices (H, W) with their masks and names."""
        scores = ScoreCollector(self.spec.classes, self.spec.background)
        for found, mask, name in predictions:
            scores.update(torch.from_numpy(found), torch.from_numpy(mask), name)
        return scores.compute().flat


Pair = tuple[ArrayImage, np.ndarray]


def read(items: Sequence[Item]) -> list[Pair]:
    """Decode images and masks, several at once."""

    def decode(item: Item) -> Pair:
        assert item.mask is not None
        return ArrayImage(np.ascontiguousarray(item.image.read()), item.name), item.mask.read()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(decode, items))
