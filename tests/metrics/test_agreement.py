"""Scores of true and false positives and negatives against loops over pixels, and by hand at the edges."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segapp.metrics import Agreement, Evaluation, ScoreCollector
from segapp.metrics.agreement import MICRO, RATES
from tests.metrics.image_sets import CLASSES, Pair, images, mean

NAN = math.nan


def collect(pairs: list[Pair], background: int | None) -> Evaluation:
    scores = ScoreCollector(CLASSES, background, [Agreement])
    for index, (prediction, mask) in enumerate(pairs):
        scores.update(torch.from_numpy(prediction), torch.from_numpy(mask), f"{index:03}")
    return scores.compute()


def judge(predicted: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """The scores of one class from two arrays of bool, in words instead of the module's formulas."""
    n, area, found = target.size, int(target.sum()), int(predicted.sum())
    if not area and not found:
        return dict.fromkeys((*RATES, "dice", "iou"), NAN)
    both, same = int((target & predicted).sum()), (target == predicted).mean()
    chance = (area / n) * (found / n) + (1 - area / n) * (1 - found / n)
    equal = bool((target == predicted).all())
    constant = {area, found} & {0, n}
    return {
        "dice": both / ((area + found) / 2),
        "iou": both / int((target | predicted).sum()),
        "precision": both / found if found else NAN,
        "recall": both / area if area else NAN,
        "specificity": int((~target & ~predicted).sum()) / (n - area) if n > area else NAN,
        "accuracy": same,
        "mcc": float(equal) if constant else float(np.corrcoef(target, predicted)[0, 1]),
        "kappa": (same - chance) / (1 - chance) if chance < 1 else 1.0,
        "volume_similarity": 1 - abs(area - found) / (area + found),
        "area_error": abs(found - area) / area if area else NAN,
    }


def known(pairs: list[Pair]) -> tuple[np.ndarray, np.ndarray]:
    kept = [(prediction[mask != 255], mask[mask != 255]) for prediction, mask in pairs]
    return np.concatenate([p for p, _ in kept]), np.concatenate([m for _, m in kept])


def judge_overall(predicted: np.ndarray, target: np.ndarray) -> dict[str, float]:
    if not target.size:
        return dict.fromkeys(("accuracy", "mcc", "kappa"), NAN)
    same = (predicted == target).mean()
    chance = sum((predicted == c).mean() * (target == c).mean() for c in range(len(CLASSES)))
    x, y = (np.stack([values == c for c in range(len(CLASSES))], 1).astype(float) for values in (predicted, target))
    x, y = x - x.mean(0), y - y.mean(0)
    scale = math.sqrt((x * x).sum() * (y * y).sum())
    return {
        "accuracy": same,
        "mcc": (x * y).sum() / scale if scale > 1e-12 else float(same == 1),
        "kappa": (same - chance) / (1 - chance) if chance < 1 - 1e-12 else 1.0,
    }


def pool(pairs: list[Pair], counted: list[int], name: str) -> float:
    """The score of the indicators of all counted classes, laid one after another."""
    predicted, target = known(pairs)
    stacked = [np.concatenate([values == c for c in counted]) for values in (predicted, target)]
    return judge(*stacked)[name]


def expect(pairs: list[Pair], background: int | None) -> dict[str, float]:
    predicted, target = known(pairs)
    of_set = [judge(predicted == c, target == c) for c in range(len(CLASSES))]
    of_images = [[judge(p[m != 255] == c, m[m != 255] == c) for c in range(len(CLASSES))] for p, m in pairs]
    result = {f"{name}/overall": value for name, value in judge_overall(predicted, target).items()}
    everything = list(range(len(CLASSES)))
    foreground = [c for c in everything if c != background]
    for name in ("dice", "iou", *RATES):
        for ending, counted in (("", foreground), *([("_all", everything)] if background is not None else [])):
            result[f"{name}/dataset{ending}"] = mean([of_set[c][name] for c in counted])
            result[f"{name}/image{ending}"] = mean([mean([image[c][name] for c in counted]) for image in of_images])
            weights = {c: int((target == c).sum()) for c in counted if not math.isnan(of_set[c][name])}
            total = sum(weights.values())
            result[f"{name}/weighted{ending}"] = (
                sum(of_set[c][name] * weight for c, weight in weights.items()) / total if total else NAN
            )
            if name in MICRO:
                result[f"{name}/micro{ending}"] = pool(pairs, counted, name)
        for c, label in enumerate(CLASSES):
            result[f"{name}/dataset/{label}"] = of_set[c][name]
            result[f"{name}/image/{label}"] = mean([image[c][name] for image in of_images])
    return result


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([None, 0, 2]))
@settings(deadline=None, max_examples=6)
def test_every_value_is_a_loop_over_pixels(seed: int, count: int, background: int | None) -> None:
    pairs = images(seed, count)
    evaluation = collect(pairs, background)
    assert evaluation.flat == pytest.approx(expect(pairs, background), rel=1e-9, abs=1e-9, nan_ok=True)
    assert list(evaluation.flat) == list(collect([], background).flat)


def count(*numbers: int) -> list[torch.Tensor]:
    return [torch.tensor([number]) for number in numbers]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0, 9), dict.fromkeys(RATES, NAN)),  # in neither
        ((9, 0, 0, 0), {**dict.fromkeys(RATES, 1.0), "specificity": NAN, "area_error": 0}),  # both full
        ((0, 0, 4, 5), {"precision": NAN, "recall": 0, "specificity": 1, "mcc": 0, "kappa": 0, "area_error": 1}),
        ((0, 4, 0, 5), {"precision": 0, "recall": NAN, "specificity": 5 / 9, "mcc": 0, "kappa": 0, "area_error": NAN}),
        ((4, 5, 0, 0), {"precision": 4 / 9, "recall": 1, "specificity": 0, "mcc": 0, "kappa": 0, "area_error": 5 / 4}),
        ((0, 4, 5, 0), {"accuracy": 0, "mcc": -1, "kappa": -40 / 41, "volume_similarity": 1 - 1 / 9}),
    ],
)
def test_empty_full_and_missed_masks_by_hand(counts: tuple[int, ...], expected: dict[str, float]) -> None:
    found = {name: float(rate(*count(*counts))) for name, rate in RATES.items()}
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)


@given(*[st.integers(0, 2**40)] * 4)
@example(108, 296, 108, 0)  # once compared with a root rounded to an integer
@settings(max_examples=15)
def test_large_counts_are_exact_and_bounded(tp: int, fp: int, fn: int, tn: int) -> None:
    if not tp + fp + fn:
        return
    found = {name: float(rate(*count(tp, fp, fn, tn))) for name, rate in RATES.items()}
    assert found["accuracy"] == pytest.approx(float(Fraction(tp + tn, tp + fp + fn + tn)), rel=1e-12)
    scale = (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)
    if scale:
        exact = float(Fraction(2 * (tp * tn - fp * fn), scale))
        assert found["kappa"] == pytest.approx(exact, rel=1e-9, abs=1e-12)
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    if product:
        assert found["mcc"] == pytest.approx((tp * tn - fp * fn) / math.sqrt(product), rel=1e-9, abs=1e-9)
    assert -1 - 1e-12 <= found["mcc"] <= 1 + 1e-12 and 0 <= found["volume_similarity"] <= 1


def test_tables_stay_short_and_files_have_every_score() -> None:
    evaluation = collect(images(0, 3), 0)
    assert {"mcc/overall", "precision/micro_all", "recall/image/cell", "dice/weighted"} <= set(evaluation.flat)
    assert list(evaluation.brief) == ["dice/dataset", "dice/image", "iou/dataset", "iou/image"]
    assert "precision" not in str(evaluation)
    header, _ = evaluation.tabulate()
    assert header[:4] == ["name", "dice", "iou", "precision"] and len(header) == len(set(header))
    assert {"tn/cell", "mcc/cell"} <= set(header)
