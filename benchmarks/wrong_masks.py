"""Measure whether `segapp check --ckpt_path` ranks damaged masks first.

    python benchmarks/wrong_masks.py --data configs/data/camvid.yaml --ckpt_path runs/camvid/best.ckpt
    python benchmarks/wrong_masks.py --data configs/data/camvid.yaml --ckpt_path runs/camvid/best.ckpt --splits train

The masks of the chosen splits, by default validation and test, are taken to be right, which is true of most. Each is
damaged in every way once:

    shift    by an eighth of height and of width
    swap     two classes are exchanged
    delete   one object of at least 1 % of the pixels is gone, or the largest one
    other    the mask of another image
    paint    a ninth of the image becomes one class

In every draw 5 % of the masks, at random, are replaced by a damaged one, and all are ranked. The images are predicted
once; the usual confidence of each class is that of the masks as they are. Prints Markdown: for each way, the fraction
of the damaged masks in the first tenth of the ranking, and of the ranking by the score of pixels alone.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from interleaved import table

from segapp.batch import IGNORE_INDEX
from segapp.checking.contradictions import (
    Contradiction,
    compare_masks,
    measure_confidence,
    open_item,
    rank_contradictions,
)
from segapp.datasets.source import SPLITS, Item
from segapp.inference.engine import Band, Engine
from segapp.inference.open import make_engine, open_networks
from segapp.inference.readable_image import ArrayImage
from segapp.planning.source import build_planned_source, describe_source
from segapp.spec import Spec

WRONG, FIRST = 0.05, 0.1
"""Fraction of the masks that are damaged, and of the ranking in which they are looked for."""
LEAST_OBJECT, LEAST_CLASS = 0.01, 0.02
"""Fractions of the pixels from which an object is deleted and a class exchanged, where there is one."""

Masks = Sequence[np.ndarray]
Damage = Callable[[np.ndarray, np.random.Generator, Masks, int | None], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a data section, as configs/data/camvid.yaml")
    parser.add_argument("--ckpt_path", required=True)
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=["val", "test"])
    parser.add_argument("--draws", type=int, default=150)
    parser.add_argument("--every", type=int, default=1, help="take every n-th image only")
    options = parser.parse_args()
    source = build_planned_source(describe_source("", "", options.data, ""))
    items = [item for split in options.splits for item in source.items(split)][:: options.every]
    engine, masks = predict_once(options.ckpt_path, items)
    found = measure_masks(engine, masks, source.background, np.random.default_rng(0))
    hits: dict[str, list[tuple[bool, bool]]] = {way: [] for way in DAMAGES}
    for seed in range(options.draws):
        for way, is_first in draw(found, list(masks), np.random.default_rng(seed)):
            hits[way].append(is_first)
    print(f"{Path(options.ckpt_path).name}, {len(masks)} images of {' and '.join(options.splits)}\n")
    hits["all"] = [one for each in hits.values() for one in each]
    rows = [[way, len(each), *(f"{part:.1%}" for part in np.mean(each, axis=0))] for way, each in hits.items() if each]
    print(table(["damage", "masks", "in the first tenth", "by pixels alone"], rows))


def predict_once(ckpt_path: str, items: Sequence[Item]) -> tuple[Engine, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return the engine, and by the images' names the network's probabilities (K, H, W) float16 and the masks."""
    networks = open_networks([ckpt_path])
    engine, known = make_engine(networks, networks.spec), {}
    opened = [open_item(item, engine) for item in items]
    for item, (image, blocks) in zip(items, engine.stream(opened), strict=True):
        values = np.zeros((engine.spec.num_classes, *image.shape[:2]), np.float16)
        for block in blocks:
            part = engine.compute_probabilities(block)
            values[:, block.y : block.y + part.shape[1], block.x : block.x + part.shape[2]] = part
        if item.mask is not None:
            known[item.name] = values, item.mask.read()
    return engine, known


class Remembered:
    """An engine that knows the probabilities of all images already."""

    def __init__(self, engine: Engine, known: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        self.spec, self.known = engine.spec, known

    def stream(self, images: Iterable[ArrayImage]) -> Iterator[tuple[ArrayImage, Iterator[Band]]]:
        for image in images:
            yield image, iter([Band(0, self.known[image.name][0])])

    def compute_probabilities(self, band: Band) -> np.ndarray:
        return band.logits.astype(np.float32)


@dataclass(frozen=True)
class Known:
    """An array in place of an image or a mask."""

    array: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def read(self) -> np.ndarray:
        return self.array


def measure_masks(
    engine: Engine, known: dict[str, tuple[np.ndarray, np.ndarray]], background: int | None, rng: np.random.Generator
) -> dict[tuple[str, str], Contradiction]:
    """Return how each mask is contradicted as it is, under (name, ""), and damaged in each way that changes it."""
    masks = {(name, ""): mask for name, (_, mask) in known.items()}
    others = list(masks.values())
    for name, (_, mask) in known.items():
        for way, damage in DAMAGES.items():
            changed = damage(mask, rng, others, background)
            if (changed != mask).any():
                masks[name, way] = changed
    remembered = Remembered(engine, known)
    items = {key: make_item(key[0], mask, engine.spec) for key, mask in masks.items()}
    thresholds = measure_confidence(remembered, [item for (_, way), item in items.items() if not way])
    return dict(zip(items, compare_masks(remembered, list(items.values()), thresholds), strict=True))


def make_item(name: str, mask: np.ndarray, spec: Spec) -> Item:
    blank = np.broadcast_to(np.zeros((), spec.intensity.dtype), (*mask.shape, spec.channels))
    return Item(name, name, Known(blank), Known(mask))


def draw(
    found: dict[tuple[str, str], Contradiction], names: Sequence[str], rng: np.random.Generator
) -> Iterator[tuple[str, tuple[bool, bool]]]:
    """Replace some masks by damaged ones, rank all, and yield each way and whether that mask is in the first tenth.

    The second truth value is of the ranking by pixels alone.
    """
    chosen = dict.fromkeys(names, "")
    for name in rng.permutation(names)[: max(1, round(WRONG * len(names)))]:
        chosen[str(name)] = next((str(way) for way in rng.permutation(list(DAMAGES)) if (name, way) in found), "")
    ranking = rank_contradictions(found[name, way] for name, way in chosen.items())
    count = round(FIRST * len(names))
    by_pixels = sorted(ranking, key=lambda one: -one.score)
    first, alone = ({one.name for one in each[:count]} for each in (ranking, by_pixels))
    for name, way in chosen.items():
        if way:
            yield way, (name in first, name in alone)


def shift(
    mask: np.ndarray, rng: np.random.Generator, others: Sequence[np.ndarray], background: int | None
) -> np.ndarray:
    by = [int(rng.choice([-1, 1])) * (side // 8) for side in mask.shape]
    return np.roll(mask, by, (0, 1))


def swap(
    mask: np.ndarray, rng: np.random.Generator, others: Sequence[np.ndarray], background: int | None
) -> np.ndarray:
    counts = count(mask)
    large = np.flatnonzero(counts >= LEAST_CLASS * mask.size)
    first, second = rng.choice(large if len(large) > 1 else np.argsort(-counts)[:2], 2, replace=False)
    return np.where(mask == first, second, np.where(mask == second, first, mask)).astype(np.uint8)


def delete(
    mask: np.ndarray, rng: np.random.Generator, others: Sequence[np.ndarray], background: int | None
) -> np.ndarray:
    counts, objects = count(mask), []
    around = int(counts.argmax()) if background is None else background
    for index in np.flatnonzero(counts):
        if index != around:
            number, regions, stats, _ = cv2.connectedComponentsWithStats((mask == index).astype(np.uint8))
            objects += [(int(stats[one, cv2.CC_STAT_AREA]), regions == one) for one in range(1, number)]
    if not objects:
        return mask
    large = [inside for area, inside in objects if area >= LEAST_OBJECT * mask.size]
    inside = large[rng.integers(len(large))] if large else max(objects, key=lambda one: one[0])[1]
    border = cv2.dilate(inside.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~inside
    near = count(mask[border & (mask != mask[inside][0])])
    return np.where(inside, near.argmax() if near.any() else around, mask).astype(np.uint8)


def other(
    mask: np.ndarray, rng: np.random.Generator, others: Sequence[np.ndarray], background: int | None
) -> np.ndarray:
    chosen = others[rng.integers(len(others))]
    return cv2.resize(chosen, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)


def paint(
    mask: np.ndarray, rng: np.random.Generator, others: Sequence[np.ndarray], background: int | None
) -> np.ndarray:
    y, x = (int(rng.integers(side - side // 3 + 1)) for side in mask.shape)
    part = np.s_[y : y + mask.shape[0] // 3, x : x + mask.shape[1] // 3]
    usual = count(mask[part]).argmax()
    changed = mask.copy()
    changed[part] = rng.choice([index for index in np.flatnonzero(count(mask)) if index != usual] or [0])
    return changed


def count(mask: np.ndarray) -> np.ndarray:
    return np.bincount(mask.ravel(), minlength=IGNORE_INDEX + 1)[:IGNORE_INDEX]


DAMAGES: dict[str, Damage] = {"shift": shift, "swap": swap, "delete": delete, "other": other, "paint": paint}


if __name__ == "__main__":
    main()
