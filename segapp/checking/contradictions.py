"""Ranks masks by how confidently a trained network contradicts them: the first places to look for wrong labels."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import TypeVar

import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.checking.contradicted_objects import (
    DeniedObjects,
    Region,
    describe_region,
    find_denied_objects,
    weigh_objects,
)
from segapp.checking.facts import MAX_PIXELS
from segapp.datasets.source import Item
from segapp.datasets.value_counts import count_values
from segapp.errors import FatalError, SegappError
from segapp.inference.engine import Band, Engine
from segapp.inference.readable_image import ArrayImage, ReadableImage
from segapp.io import FilePart
from segapp.prediction.intensity import convert_pixels
from segapp.prediction.stored_image import UnreadableImage, open_stored

Result = TypeVar("Result")

SAMPLE = 200
"""Images from which the usual confidence of every class is measured."""
RAREST = 1e-4
"""Rate below which confusions of two classes are not told apart: a data set may have too few pixels to know it."""
LEAST_CLASS = 0.05
"""Fraction of an image's labelled pixels that each class counts as at least, so that a few pixels do not lead."""
FAR_OUT = 3.0
"""Distances between quartiles above the third from which an object is unusually denied (Tukey, see mask_rules.py)."""
THICKNESS = 3
"""Pixels: regions that are thinner are borders drawn a little differently, not wrong labels."""


@dataclass(frozen=True)
class Contradiction:
    """How confidently a network contradicts the mask of one image."""

    name: str
    score: float = 0.0
    """Of all contradicted pixels; 0 or more, without a unit."""
    object_score: float = 0.0
    """Of the most strongly denied object; 0 or more, without a unit."""
    fraction: float = 0.0
    """Of the labelled pixels: those in contradicted regions."""
    region: Region = field(default_factory=Region)
    """The largest region, or the denied object where that gives the mask its place in the ranking."""
    margins: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """Margins of probability, summed over the contradicted regions, for pairs of the mask's class and the network's."""
    deep_margins: Mapping[tuple[int, int], float] = field(default_factory=dict)
    """The same, each pixel weighted by its distance in pixels to the outside of its region."""
    pixels: Mapping[int, int] = field(default_factory=dict)
    """Labelled pixels of each class in the mask."""
    objects: DeniedObjects = field(default_factory=DeniedObjects)
    """Objects that the network sees and the mask lacks, or the other way round."""


@dataclass(frozen=True)
class Doubts:
    """Where a network contradicts a mask, pixel by pixel."""

    predicted: np.ndarray
    """(H, W) uint8: the network's classes."""
    likelier: np.ndarray
    """(H, W) uint8: the class that contradicts the mask's, 255 where none does."""
    margin: np.ndarray
    """(H, W) float32: by how much it is more probable."""


def find_contradictions(engine: Engine, items: Sequence[Item]) -> Iterator[Contradiction | None]:
    """Yield for every image, in order, how confidently the network contradicts its mask; None if it cannot be read.

    A pixel is contradicted where the network finds another class at least as probable as it finds that class on average
    where it is labelled (confident learning: Northcutt et al. 2021, "Confident Learning: Estimating Uncertainty in
    Dataset Labels", JAIR 70). Regions thinner than `THICKNESS` do not count, and images of more than `MAX_PIXELS` are
    not looked at.

    Args:
        engine: Computes the probabilities.
        items: Images with masks. The network should not have been trained on them: it may have learned the errors of
            its training masks.
    """
    yield from compare_masks(engine, items, measure_confidence(engine, items[:: max(1, len(items) // SAMPLE)]))


def compare_masks(engine: Engine, items: Sequence[Item], thresholds: np.ndarray) -> Iterator[Contradiction | None]:
    """Yield what `find_contradictions` yields, with the usual confidence of every class given, (K,) float64."""

    def compare(item: Item, mask: np.ndarray, blocks: Iterable[Band]) -> Contradiction:
        doubts = _find_doubts(engine, mask, blocks, thresholds)
        return measure_contradiction(item.name, mask, doubts, engine.spec.background)

    yield from _predict(engine, items, compare)


def rank_contradictions(found: Iterable[Contradiction | None]) -> list[Contradiction]:
    """Return the contradictions with their scores, the most contradicted first; None is left out.

    There are two rankings, by the score and by the score of the most strongly denied object (`weigh_objects`). A mask
    has its place in the first, or a better one in the second if its object is far more strongly denied than is usual:
    a missing object is a small part of an image that the sum over pixels overlooks.

    A score is a sum over pairs of classes: the deep margins, per pixel of the smaller class in this mask, by
    sqrt(rate). The rate of a pair is the sum of its margins over all images, per pixel that has one of the two classes
    in the masks: what the network confuses in many images is its own weakness, and counts little; what it contradicts
    in few images may be a wrong mask. Depth tells regions from borders that were drawn otherwise.
    """
    known = [one for one in found if one is not None]
    sums: defaultdict[tuple[int, ...], float] = defaultdict(float)
    pixels: Counter[int] = Counter()
    for one in known:
        pixels.update(one.pixels)
        for pair, margin in one.margins.items():
            sums[tuple(sorted(pair))] += margin
    weights = {
        pair: 1 / sqrt(max(RAREST, total / sum(pixels[index] for index in pair))) for pair, total in sums.items()
    }
    scored = [_score(one, weights) for one in known]
    objects = weigh_objects([one.objects for one in known])
    values = [score for score, _ in objects]
    by_pixels, by_objects = _find_places([one.score for one in scored]), _find_places(values)
    low, high = np.percentile(values, [25, 75]) if values else (0.0, 0.0)
    unusual = high + FAR_OUT * (high - low)
    ranked: list[tuple[float, Contradiction]] = []
    for one, (score, region), place, other in zip(scored, objects, by_pixels, by_objects, strict=True):
        is_object = score > unusual and other < place
        chosen = replace(one, object_score=score, region=region if is_object else one.region)
        ranked.append((other + 0.5 if is_object else place, chosen))
    return [one for _, one in sorted(ranked, key=lambda each: each[0])]


def _find_places(scores: Sequence[float]) -> np.ndarray:
    """Return the place of each score, 0 for the highest."""
    return np.argsort(np.argsort(-np.array(scores), kind="stable"), kind="stable")


def _score(one: Contradiction, weights: Mapping[tuple[int, ...], float]) -> Contradiction:
    labelled = sum(one.pixels.values())
    score = 0.0
    for pair, margin in one.deep_margins.items():
        smaller = max(LEAST_CLASS * labelled, min(one.pixels.get(index, 0) for index in pair))
        score += weights[tuple(sorted(pair))] * margin / smaller
    return replace(one, score=score / sqrt(max(1, labelled)))  # distances grow with the image's side


def predict_classes(engine: Engine, item: Item) -> np.ndarray:
    """Return the network's classes of an image, (H, W) uint8; raise SegappError if it cannot be read."""
    return engine.segment(open_item(item, engine))


def measure_confidence(engine: Engine, items: Sequence[Item]) -> np.ndarray:
    """Return (K,) float64: the mean probability of each class where it is labelled; infinite where it never is."""
    classes = engine.spec.num_classes
    sums, counts = np.zeros(classes), np.zeros(classes)

    def add(item: Item, mask: np.ndarray, blocks: Iterable[Band]) -> None:
        for block in blocks:
            probabilities = engine.compute_probabilities(block)
            given = mask[_locate(block, probabilities)]
            for index in np.unique(given[given < classes]):
                own = probabilities[index][given == index]
                sums[index] += own.sum(dtype=np.float64)
                counts[index] += own.size

    for _ in _predict(engine, items, add):
        pass
    return np.divide(sums, counts, out=np.full(classes, np.inf), where=counts > 0)


def measure_contradiction(name: str, mask: np.ndarray, doubts: Doubts, background: int | None) -> Contradiction:
    """Measure how much of a mask is contradicted.

    Args:
        name: The image's name.
        mask: (H, W) uint8 class indices, 255 where nothing is labelled.
        doubts: Where the network contradicts it.
        background: The class that has no objects.
    """
    labelled = mask != IGNORE_INDEX
    pixels = {index: int(count) for index, count in enumerate(count_values(mask)[:IGNORE_INDEX]) if count}
    square = np.ones((THICKNESS, THICKNESS), np.uint8)
    found = cv2.morphologyEx(((doubts.likelier != IGNORE_INDEX) & labelled).astype(np.uint8), cv2.MORPH_OPEN, square)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=4)
    if count == 1:
        return Contradiction(name, pixels=pixels)
    inside, margin = found.astype(bool), doubts.margin
    likelier = np.where(inside, doubts.likelier, IGNORE_INDEX).astype(np.uint8)
    depth = cv2.distanceTransform(found, cv2.DIST_L2, cv2.DIST_MASK_3)
    pairs = mask[inside].astype(np.int64) * 256 + likelier[inside]
    largest = regions == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return Contradiction(
        name,
        fraction=float(inside.sum() / labelled.sum()),
        region=describe_region(largest, mask, likelier),
        margins=_sum_by_pair(pairs, margin[inside]),
        deep_margins=_sum_by_pair(pairs, (margin * depth)[inside]),
        pixels=pixels,
        objects=find_denied_objects(mask, doubts.predicted, likelier, margin, background),
    )


def _sum_by_pair(pairs: np.ndarray, values: np.ndarray) -> dict[tuple[int, int], float]:
    """Return the sum of the values of each pair, which is 256 x the first class + the second."""
    sums = np.bincount(pairs, values)
    return {(int(pair) // 256, int(pair) % 256): float(sums[pair]) for pair in np.unique(pairs)}


def _find_doubts(engine: Engine, mask: np.ndarray, blocks: Iterable[Band], thresholds: np.ndarray) -> Doubts:
    predicted, likelier = np.zeros(mask.shape, np.uint8), np.full(mask.shape, IGNORE_INDEX, np.uint8)
    margin = np.zeros(mask.shape, np.float32)
    for block in blocks:
        probabilities = engine.compute_probabilities(block)
        at = _locate(block, probabilities)
        confident = np.where(probabilities >= thresholds[:, None, None], probabilities, -1.0)
        best, given = confident.argmax(axis=0), mask[at]
        top = np.take_along_axis(confident, best[None], axis=0)[0]
        own = np.take_along_axis(probabilities, np.minimum(given, len(probabilities) - 1)[None].astype(int), axis=0)[0]
        other = (top > own) & (best != given) & (given != IGNORE_INDEX)
        predicted[at] = probabilities.argmax(axis=0)
        likelier[at][other] = best[other]
        margin[at][other] = (top - own)[other]
    return Doubts(predicted, likelier, margin)


def _locate(block: Band, probabilities: np.ndarray) -> tuple[slice, slice]:
    height, width = probabilities.shape[1:]
    return slice(block.y, block.y + height), slice(block.x, block.x + width)


def _predict(
    engine: Engine, items: Sequence[Item], use: Callable[[Item, np.ndarray, Iterable[Band]], Result]
) -> Iterator[Result | None]:
    """Yield what `use` makes of every image, its mask and the blocks of its prediction; None if one is unreadable."""
    opened = (open_item(item, engine) for item in items)
    for item, (image, blocks) in zip(items, engine.stream(opened), strict=True):
        try:
            mask = item.mask.read() if item.mask is not None else np.empty((0, 0), np.uint8)
            yield use(item, mask, blocks) if mask.shape == image.shape[:2] else None
        except FatalError:
            raise
        except SegappError:  # reported by the rules
            yield None


def open_item(item: Item, engine: Engine) -> ReadableImage:
    """Return the image as the network is to see it, whatever the data set's own settings are."""
    dtype, file = np.dtype(engine.spec.intensity.dtype), getattr(item.image, "file", None)
    try:
        height, width, _ = item.image.shape
        if height * width > MAX_PIXELS:
            raise SegappError(f"{item.name}: more than {MAX_PIXELS:,} pixels.")
        if isinstance(file, FilePart):
            return open_stored(file, engine.spec, dtype)
        return ArrayImage(convert_pixels(item.image.read(), dtype), item.name)
    except SegappError as error:
        return UnreadableImage(item.name, error)
