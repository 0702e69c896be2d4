"""Calibration against loops over pixels and torchmetrics, and the same integers however the pixels are divided."""

from functools import reduce

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from segapp.metrics import CalibrationCounts, ScoreCollector, describe_calibration, format_calibration
from segapp.metrics.calibration import count_calibration

RNG = np.random.default_rng(7)


def sample(classes: int, shape: tuple[int, ...], sharpness: float) -> np.ndarray:
    logits = RNG.normal(0, sharpness, (classes, *shape)).astype(np.float32)
    return torch.from_numpy(logits).softmax(0).numpy()


def certain(classes: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[:, RNG.integers(0, classes, shape)]


def at_edges(shape: tuple[int, ...]) -> np.ndarray:
    """Two classes, each with a probability that is a limit of a bin, or the next number below or above."""
    edges = np.float32(RNG.integers(0, 16, shape) / 15)
    near = np.nextafter(edges, np.float32(RNG.choice([0, 1, 2], shape)))
    first = np.clip(np.where(RNG.random(shape) < 0.5, edges, near), 0, 1).astype(np.float32)
    return np.stack([first, np.float32(1) - first])


CASES = {
    "random": (sample(4, (9, 11), 2.0), RNG.integers(0, 4, (9, 11))),
    "many classes": (sample(60, (8, 8), 4.0), RNG.integers(0, 60, (8, 8))),
    "one class in the target": (sample(3, (6, 7), 1.0), np.zeros((6, 7), np.int64)),
    "all certain": (certain(3, (6, 7)), RNG.integers(0, 3, (6, 7))),
    "all certain and right": (certain(3, (2, 2))[:, :1, :1].repeat(4, 1), np.zeros((4, 1), np.int64)),
    "all equal": (np.full((3, 5, 5), 1 / 3, np.float32), RNG.integers(0, 3, (5, 5))),
    "at edges": (at_edges((20, 20)), RNG.integers(0, 2, (20, 20))),
    "one pixel": (sample(5, (1, 1), 1.0), np.array([[4]])),
}


def describe(probabilities: np.ndarray, target: np.ndarray, background: int | None = None) -> dict:
    counts = count_calibration(torch.from_numpy(probabilities), torch.from_numpy(target.astype(np.uint8)))
    return describe_calibration({1.0: counts}, [f"c{index}" for index in range(len(probabilities))], background)


def compute_ece(values: np.ndarray, hits: np.ndarray) -> float:
    """A loop over the 15 bins in float64, each with its lower limit, the last one with 1 too."""
    error = 0.0
    for index in range(15):
        low, high = np.float32(index / 15), np.float32((index + 1) / 15)
        here = (values >= low) & ((values < high) | (index == 14))
        if here.any():
            error += here.sum() * abs(hits[here].mean() - values[here].astype(np.float64).mean())
    return error / len(values)


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_of_loops_over_pixels(case: str) -> None:
    probabilities, target = CASES[case]
    found = describe(probabilities, target, background=0)
    p, t = probabilities.reshape(len(probabilities), -1), target.ravel()
    one_hot = np.eye(len(p))[:, t]
    assert found["pixels"] == t.size
    assert found["ece"] == pytest.approx(compute_ece(p.max(0), p.argmax(0) == t), abs=1e-7)
    squares = ((p.astype(np.float64) - one_hot) ** 2).mean(1)
    assert found["brier"] == pytest.approx(squares.sum(), abs=1e-6)
    assert list(found["brier_per_class"].values()) == pytest.approx(squares.tolist(), abs=1e-7)
    own = np.maximum(p[t, np.arange(t.size)], np.finfo(np.float32).tiny).astype(np.float64)
    assert found["nll"] == pytest.approx(-np.log(own).mean(), rel=1e-6, abs=1e-7)
    expected = [compute_ece(p[label], t == label) for label in range(len(p))]
    assert list(found["ece_per_class"].values()) == pytest.approx(expected, abs=1e-7)
    assert found["classwise_ece"] == pytest.approx(np.mean(expected[1:]), abs=1e-7)
    assert sum(one["pixels"] for one in found["reliability"]) == t.size
    for step in found["coverage"]:
        kept = p.max(0) >= step["confidence"]
        assert step["coverage"] == kept.mean()
        assert step["accuracy"] == ((p.argmax(0) == t)[kept].mean() if kept.any() else None)


@pytest.mark.parametrize("case", ["random", "many classes", "all certain"])
def test_ece_is_that_of_torchmetrics(case: str) -> None:
    probabilities, target = (torch.from_numpy(each) for each in CASES[case])
    expected = multiclass_calibration_error(probabilities[None], target[None], len(probabilities), n_bins=15)
    assert describe(*CASES[case])["ece"] == pytest.approx(float(expected), abs=1e-6)


def test_ignored_pixels_are_left_out() -> None:
    probabilities, target = CASES["random"]
    hidden = np.where(RNG.random(target.shape) < 0.4, 255, target)
    kept = hidden != 255
    assert describe(probabilities, hidden) == describe(probabilities[:, kept], target[kept])
    nothing = describe(probabilities, np.full_like(target, 255))
    assert nothing["pixels"] == 0 and nothing["ece"] is nothing["nll"] is nothing["ece_per_class"]["c1"] is None
    assert "no pixel" in format_calibration(nothing)


def test_the_counts_do_not_depend_on_how_pixels_are_divided(monkeypatch) -> None:
    probabilities, target = (torch.from_numpy(each) for each in CASES["random"])
    together = count_calibration(probabilities, target)
    monkeypatch.setattr("segapp.metrics.calibration._CHUNK", 4 * 5)
    rows = [count_calibration(probabilities[:, row : row + 2], target[row : row + 2]) for row in range(0, 9, 2)]
    for one, other in zip(reduce(CalibrationCounts.add, reversed(rows)), together, strict=True):
        assert torch.equal(one, other) and one.dtype == torch.int64


def test_classes_that_were_not_looked_for_count_as_background() -> None:
    collector = ScoreCollector(("background", "a", "b"), 0)
    probabilities = torch.tensor([[[0.3]], [[0.3]], [[0.4]]])
    collector.count_probabilities(probabilities, torch.tensor([[0]]), torch.tensor([True, True, False]))
    found = describe_calibration(collector.compute().calibration, collector.classes, 0)
    assert found["accuracy"] == 1 and found["confidence"] == pytest.approx(0.7)


def test_a_temperature_is_described_with_what_it_changed() -> None:
    logits, target = torch.tensor([[[4.0, 1.0]], [[0.0, 0.0]]]), torch.tensor([[0, 1]])
    counted = {each: count_calibration((logits / each).softmax(0), target) for each in (1.0, 2.0)}
    found = describe_calibration(counted, ("a", "b"), None)
    assert found["temperature"] == 2 and found["accuracy"] == found["without_temperature"]["accuracy"]
    assert {"temperature": 1.0, **found["without_temperature"]} == describe_calibration({1.0: counted[1.0]}, "ab", None)
    assert found["nll"] == pytest.approx(torch.nn.functional.cross_entropy(logits[None] / 2, target[None]).item())
    assert f"{found['nll']:.4f}" in format_calibration(found).splitlines()[1]
