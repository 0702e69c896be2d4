"""The rules of torchmetrics and SMP against the libraries themselves, those of scikit-learn against its formulas."""

import numpy as np
import pytest
import torch
from segmentation_models_pytorch.metrics import f1_score, get_stats, iou_score
from torchmetrics.segmentation import DiceScore, MeanIoU

from segapp.metrics.tools.libraries import SciKitLearn, Smp, TorchMetrics
from tests.metrics.tools.mask_cases import CASES, IGNORED, K, count, encode, stack


@pytest.mark.parametrize("background", [None, 0])
def test_torchmetrics_is_torchmetrics(background) -> None:
    for name, pairs in {**CASES, **IGNORED}.items():
        options = {"num_classes": K, "include_background": background is None, "input_format": "one-hot"}
        metrics = {
            "MeanIoU": MeanIoU(**options),
            "per class": MeanIoU(**options, per_class=True),
            "DiceScore": DiceScore(**options),
            "dice per class": DiceScore(**options, average="none"),
        }
        for prediction, target in zip(*stack(pairs), strict=True):
            for metric in metrics.values():
                metric.update(encode(prediction[None]), encode(target[None]))
        found = TorchMetrics().score(count(pairs, background)).values
        expected = {key: metric.compute().numpy() for key, metric in metrics.items()}
        for key, classes in (("MeanIoU", "per class"), ("DiceScore", "dice per class")):
            assert found[key].mean == pytest.approx(float(expected[key]), abs=1e-6, nan_ok=True), (name, key)
            per_class = found[key].per_class[0 if background is None else 1 :]
            assert per_class == pytest.approx(expected[classes].tolist(), abs=1e-6, nan_ok=True), (name, classes)


def test_smp_is_smp_in_all_reductions() -> None:
    for name, pairs in {**CASES, **IGNORED}.items():
        stats = get_stats(*stack(pairs), mode="multiclass", num_classes=K, ignore_index=255)
        pixels = (stats[0] + stats[2]).sum(0)
        found = Smp().score(count(pairs)).flat
        for score in (iou_score, f1_score):
            for reduction in ("micro", "macro", "weighted", "micro-imagewise", "macro-imagewise", "weighted-imagewise"):
                weights = pixels.tolist() if "weighted" in reduction else None
                expected = float(score(*stats, reduction=reduction, class_weights=weights))
                key = f"{score.__name__}/{reduction}"
                assert found[key] == pytest.approx(expected, abs=1e-6, nan_ok=True), (name, key)
    assert Smp().score(count(CASES["perfect"])).flat["iou_score/weighted-imagewise"] == pytest.approx(1 / K)


def test_scikit_learn_by_its_definitions() -> None:
    """jaccard_score and f1_score take `labels` from what occurs in either array; undefined ones do not exist then."""
    for name, pairs in {**CASES, **IGNORED}.items():
        predicted, target = (torch.cat([mask.flatten() for mask in masks]).numpy() for masks in stack(pairs))
        predicted, target = predicted[target != 255], target[target != 255]
        labels = np.union1d(predicted, target)
        both = {c: int(((predicted == c) & (target == c)).sum()) for c in labels}
        areas = {c: (int((predicted == c).sum()), int((target == c).sum())) for c in labels}
        jaccard = {c: both[c] / (sum(areas[c]) - both[c]) for c in labels}
        f1 = {c: 2 * both[c] / sum(areas[c]) for c in labels}
        found = SciKitLearn().score(count(pairs)).flat
        assert found["jaccard_score/macro"] == pytest.approx(np.mean(list(jaccard.values()))), name
        assert found["f1_score/macro"] == pytest.approx(np.mean(list(f1.values()))), name
        weights = [areas[c][1] for c in labels]
        assert found["f1_score/weighted"] == pytest.approx(np.average(list(f1.values()), weights=weights)), name
        assert found["f1_score/micro"] == found["accuracy_score"] == pytest.approx((predicted == target).mean()), name


def test_sentences_name_what_happened() -> None:
    counts = count(IGNORED["ignored region"])
    pixels = f"{3 * 4 * 9} ignored pixels"
    assert any(pixels in one and "wrong" in one for one in TorchMetrics().explain(counts))
    assert any(pixels in one and "left out" in one for one in Smp().explain(counts))
    absent = " ".join(TorchMetrics().explain(count(CASES["absent class"])))
    assert "class 3" in absent and "-1" in absent
