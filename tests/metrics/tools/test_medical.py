"""The rules of nnU-Net and MONAI against their formulas, image by image and class by class.

nnU-Net: nnunetv2/evaluation/evaluate_predictions.py. MONAI: monai/metrics/meandice.py, meaniou.py, utils.py.
"""

import math

import numpy as np
import pytest

from segapp.metrics.tools.medical import Monai, NnUNet
from tests.metrics.tools.mask_cases import CASES, IGNORED, K, Pair, count


def compare(pair: Pair, label: int, use: np.ndarray) -> tuple[int, int, int]:
    """True positives, predicted and true pixels of a label."""
    predicted, target = (pair[0] == label) & use, (pair[1] == label) & use
    return int((predicted & target).sum()), int(predicted.sum()), int(target.sum())


def divide(above: float, below: float) -> float:
    return above / below if below else math.nan


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("background", [None, 0, 2])
def test_nnunet_by_its_evaluator(background) -> None:
    labels = [c for c in range(K) if c != (background or 0)]
    for name, pairs in {**CASES, **IGNORED}.items():
        dice, iou = {}, {}
        for label in labels:
            each = [compare(pair, label, pair[1] != 255) for pair in pairs]
            dice[label] = np.nanmean([divide(2 * tp, found + area) for tp, found, area in each])
            iou[label] = np.nanmean([divide(tp, found + area - tp) for tp, found, area in each])
        found = NnUNet().score(count(pairs, background)).values
        assert found["Dice"].mean == pytest.approx(np.mean(list(dice.values())), nan_ok=True), name
        assert found["IoU"].mean == pytest.approx(np.mean(list(iou.values())), nan_ok=True), name
        assert [found["Dice"].per_class[c] for c in labels] == pytest.approx(list(dice.values()), nan_ok=True), name
        assert math.isnan(found["Dice"].per_class[background or 0])


@pytest.mark.parametrize("background", [None, 0])
def test_monai_by_its_metrics(background) -> None:
    labels = [c for c in range(K) if c != background]
    for name, pairs in {**CASES, **IGNORED}.items():
        of_images, of_classes = [], {c: [] for c in labels}
        for pair in pairs:
            own = []
            for label in labels:
                tp, found, area = compare(pair, label, np.ones((9, 9), bool))  # it ignores no pixels
                if area:
                    own.append(2 * tp / (found + area))
                    of_classes[label].append(own[-1])
            of_images += [np.mean(own)] if own else []
        found = Monai().score(count(pairs, background)).values["Dice"]
        assert found.mean == pytest.approx(np.mean(of_images) if of_images else 0), name
        expected = [np.mean(values) if values else 0 for values in of_classes.values()]
        assert [found.per_class[c] for c in labels] == pytest.approx(expected), name


def test_a_false_positive_in_an_empty_image_costs_nothing_in_monai_and_everything_in_nnunet() -> None:
    counts = count(CASES["single pixel"][:2], 0)  # one dot found, one imagined
    assert Monai().score(counts).flat["Dice"] == 1
    assert NnUNet().score(counts).values["Dice"].per_class[1] == 0.5
    assert any(one.startswith("Once") and "left out" in one for one in Monai().explain(counts))
    sentences = " ".join(NnUNet().explain(counts))
    assert "counts as 0" in sentences and "class 2, class 3: in no mask" in sentences and "NaN" in sentences
