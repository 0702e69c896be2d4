"""The rules of tools that sum one confusion matrix, against their formulas; TorchGeo's against torchmetrics.

mmsegmentation: mmseg/evaluation/metrics/iou_metric.py. Cityscapes: evalPixelLevelSemanticLabeling.py. CamVid: SegNet's
compute_test_results.m.
"""

import math

import numpy as np
import pytest
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from segapp.metrics.tools.scenes import CamVid, Cityscapes, MmSegmentation, TorchGeo
from tests.metrics.tools.mask_cases import CASES, IGNORED, K, Pair, count, stack

ALL = {**CASES, **IGNORED}


def confuse(pairs: list[Pair]) -> np.ndarray:
    """(K, K): rows are the target."""
    counts = np.zeros((K, K), int)
    for prediction, target in pairs:
        np.add.at(counts, (target[target != 255], prediction[target != 255]), 1)
    return counts


def test_mmsegmentation_and_cityscapes_by_their_formulas() -> None:
    for name, pairs in ALL.items():
        counts = confuse(pairs)
        with np.errstate(invalid="ignore"):
            both, true, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
            iou, accuracy = both / (true + predicted - both), both / true
            dice = 2 * both / (true + predicted)
        found = MmSegmentation().score(count(pairs)).values
        expected = {"aAcc": both.sum() / true.sum(), "mIoU": iou, "mAcc": accuracy, "mDice": dice}
        for key, value in expected.items():
            assert found[key].mean == pytest.approx(np.nanmean(value)), (name, key)
        assert found["mIoU"].per_class == pytest.approx(iou, nan_ok=True), name
        assert Cityscapes().score(count(pairs)).flat["IoU Classes"] == pytest.approx(np.nanmean(iou)), name


def test_camvid_by_its_script() -> None:
    """A class without a row scores 0, and sums are divided by the number of classes."""
    for name, pairs in ALL.items():
        counts = confuse(pairs)
        iou, accuracy = [0.0] * K, [0.0] * K
        for c in range(K):
            if counts[c].sum() > 0:
                accuracy[c] = counts[c, c] / counts[c].sum()
                iou[c] = counts[c, c] / (counts[c].sum() + counts[:, c].sum() - counts[c, c])
        found = CamVid().score(count(pairs)).flat
        assert found["Mean Int over Union"] == pytest.approx(sum(iou) / K), name
        assert found["Class average acc"] == pytest.approx(sum(accuracy) / K), name
        assert found["Global acc"] == pytest.approx(counts.diagonal().sum() / counts.sum()), name


def test_torchgeo_is_torchmetrics_with_micro_averages() -> None:
    for name, pairs in ALL.items():
        found = TorchGeo().score(count(pairs)).flat
        for metric in (MulticlassAccuracy, MulticlassJaccardIndex):
            own = metric(num_classes=K, average="micro", ignore_index=255)
            own.update(*stack(pairs))
            assert found[metric.__name__] == pytest.approx(float(own.compute()), abs=1e-6), (name, metric)


def test_sentences_name_absent_classes() -> None:
    absent, imagined = count(CASES["absent class"]), count(CASES["never in the target"])
    assert any("class 3" in one and "left out" in one for one in MmSegmentation().explain(absent))
    assert any("class 3" in one and "counts as 0" in one for one in Cityscapes().explain(imagined))
    assert any("class 3" in one and "divided by all 4" in one for one in CamVid().explain(absent))
    macro = MmSegmentation().score(absent).flat["mIoU"]
    assert math.isfinite(macro) and any(f"{macro:.4f}" in one for one in TorchGeo().explain(absent))
