"""Keep the worst, median and best predictions of a test while it runs, a few pictures at a time."""

import math
from bisect import insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from segapp.batch import IGNORE_INDEX
from segapp.report.pixels import convert_to_rgb, encode_jpeg, encode_png, paint_classes
from segapp.spec import Spec

SIDE = 768
"""Pixels of the longer side of a picture."""
OF_EACH_KIND = 4
ALPHA = 150
"""Opacity of the classes over the image, of 255."""

MISSED, INVENTED, CONFUSED = (47, 127, 193), (224, 138, 30), (200, 85, 154)
"""Colours of errors, distinct to most eyes."""
ERRORS = {"missed": MISSED, "predicted where nothing is": INVENTED, "another class": CONFUSED}
ERRORS_WITHOUT_BACKGROUND = {"another class": CONFUSED}

Key = tuple[float, str]
"""The score and the name of an image."""


@dataclass(frozen=True)
class Case:
    """One image with its score, and how it and its masks look, encoded."""

    name: str
    score: float
    width: int
    height: int
    image: bytes
    """JPEG."""
    overlays: dict[str, bytes]
    """`target`, `prediction` and `difference` as PNG, transparent where there is nothing."""

    @property
    def key(self) -> Key:
        """What cases are sorted by."""
        return self.score, self.name


class CaseKeeper:
    """Keeps a dozen cases of a stream of images, whatever their number.

    The worst and the best are exact. Those near the median were near the median of the images before them.
    """

    def __init__(self) -> None:
        self.cases: dict[Key, Case] = {}
        self._scores: list[float] = []

    def offer(self, name: str, score: float, draw: Callable[[], Case]) -> None:
        """Keep a case if it is among those to show; it is drawn only then. Images without a score are none."""
        if math.isnan(score):
            return
        insort(self._scores, score)
        key, middle = (score, name), self._scores[len(self._scores) // 2]
        chosen = {one for keys in _choose([*self.cases, key], middle).values() for one in keys}
        if key in chosen:
            self.cases[key] = draw()
        self.cases = {one: case for one, case in self.cases.items() if one in chosen}


def choose_cases(cases: Iterable[Case], scores: Sequence[float]) -> dict[str, list[Case]]:
    """Choose the cases to show of those of all processes, each once: worst, best, then those near the median.

    Args:
        cases: Those kept.
        scores: Of all images; NaN without one.
    """
    known = sorted(score for score in scores if not math.isnan(score))
    found = {case.key: case for case in cases}
    each = min(OF_EACH_KIND, max(1, len(found) // 3))
    kinds = _choose(list(found), known[len(known) // 2] if known else 0.0, each)
    return {kind: [found[key] for key in kinds[kind]] for kind in ("worst", "median", "best")}


def _choose(keys: Iterable[Key], middle: float, each: int = OF_EACH_KIND) -> dict[str, list[Key]]:
    """Choose the keys of each kind, every key once; of equal scores, the first names."""
    orders: dict[str, Callable[[Key], Key]] = {
        "worst": lambda key: key,
        "best": lambda key: (-key[0], key[1]),
        "median": lambda key: (abs(key[0] - middle), key[1]),
    }
    left, chosen = set(keys), {}
    for kind, order in orders.items():
        chosen[kind] = sorted(left, key=order)[:each]
        left -= set(chosen[kind])
    return chosen


def draw_case(
    name: str, score: float, image: np.ndarray, target: np.ndarray, prediction: np.ndarray, spec: Spec
) -> Case:
    """Draw a case from an image (C, H, W), its target and its prediction (H, W), reduced to `SIDE` pixels."""
    height, width = target.shape
    factor = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    pixels = cv2.resize(convert_to_rgb(image, spec.neighbours), size, interpolation=cv2.INTER_AREA)
    true, predicted = (
        cv2.resize(np.asarray(mask, np.uint8), size, interpolation=cv2.INTER_NEAREST) for mask in (target, prediction)
    )
    overlays = {
        "target": encode_png(paint_classes(true, spec, ALPHA)),
        "prediction": encode_png(paint_classes(predicted, spec, ALPHA)),
        "difference": encode_png(paint_errors(true, predicted, spec.background)),
    }
    return Case(name, score, width, height, encode_jpeg(pixels), overlays)


def paint_errors(target: np.ndarray, prediction: np.ndarray, background: int | None) -> np.ndarray:
    """Return (H, W, 4) RGBA: the kinds of errors in `ERRORS`, transparent where the prediction is right or ignored."""
    wrong = (target != prediction) & (target != IGNORE_INDEX)
    painted = np.zeros((*target.shape, 4), np.uint8)
    painted[wrong] = (*CONFUSED, 235)
    if background is not None:
        painted[wrong & (prediction == background)] = (*MISSED, 235)
        painted[wrong & (target == background)] = (*INVENTED, 235)
    return painted
