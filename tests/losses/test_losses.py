"""Every loss against a reference in plain numpy, and the promises all of them keep."""

import copy
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonargparse import ArgumentParser
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from segapp.errors import MisuseError, SegappError
from segapp.losses import (
    ClassWeights,
    CrossEntropy,
    DeepSupervision,
    Dice,
    DiceCrossEntropy,
    Focal,
    Lovasz,
    PixelwiseLoss,
    Tversky,
)

K = 4
CLASS_WEIGHTS = [0.5, 2.0, 0.0, 1.3]
LOSSES: dict[str, Callable[[], nn.Module]] = {
    "cross-entropy": CrossEntropy,
    "weighted cross-entropy": lambda: CrossEntropy([0.5, 2.0, 0.1, 1.3]),
    "smoothed cross-entropy": lambda: CrossEntropy([0.5, 2.0, 0.1, 1.3], 0.2),
    "dice per batch": Dice,
    "dice per image": lambda: Dice("image"),
    "dice without background": lambda: Dice("image", background=0),
    "weighted dice": lambda: Dice(class_weights=[0.5, 2.0, 0.1, 1.3]),
    "tversky": lambda: Tversky(0.3, 0.7, "image", 0.1),
    "dice + cross-entropy": lambda: DiceCrossEntropy("image", 0.5, [0.5, 2.0, 0.1, 1.3], 0.1),
    "focal": Focal,
    "focal 0.5": lambda: Focal(0.5, [0.5, 2.0, 0.1, 1.3]),
    "lovasz per image": Lovasz,
    "lovasz per batch": lambda: Lovasz("batch"),
    "deep supervision": lambda: DeepSupervision(DiceCrossEntropy()),
}
every_loss = pytest.mark.parametrize("loss", [pytest.param(make(), id=name) for name, make in LOSSES.items()])


# ---------------------------------------------------------------------------------------------- references


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def valid_pixels(mask: np.ndarray) -> list[tuple[int, int, int]]:
    return [index for index in np.ndindex(*mask.shape) if mask[index] != 255]


def reference_cross_entropy(
    logits: np.ndarray, mask: np.ndarray, weights: list[float], smoothing: float = 0.0, gamma: float = 0.0
) -> float:
    """Σ w·(1 - p)^γ·(-log p) / Σ w; the smoothed share weighs every class by its own weight, as PyTorch does."""
    log_p = np.log(softmax(logits))
    total = mass = 0.0
    for n, y, x in valid_pixels(mask):
        row, truth = log_p[n, :, y, x], mask[n, y, x]
        total -= (1 - smoothing) * weights[truth] * (1 - np.exp(row[truth])) ** gamma * row[truth]
        total -= smoothing / len(row) * sum(w * value for w, value in zip(weights, row, strict=True))
        mass += weights[truth]
    return total / mass if mass else 0.0


def reference_tversky(
    logits: np.ndarray,
    mask: np.ndarray,
    alpha: float,
    beta: float,
    smooth: float,
    per_image: bool,
    weights: list[float],
) -> float:
    p = softmax(logits)
    groups = [[n] for n in range(len(mask))] if per_image else [list(range(len(mask)))]
    losses = []
    for group in groups:
        pixels = [pixel for pixel in valid_pixels(mask) if pixel[0] in group]
        for c, weight in enumerate(weights if pixels else []):
            tp = sum(p[n, c, y, x] for n, y, x in pixels if mask[n, y, x] == c)
            fp = sum(p[n, c, y, x] for n, y, x in pixels if mask[n, y, x] != c)
            fn = sum(1 - p[n, c, y, x] for n, y, x in pixels if mask[n, y, x] == c)
            losses.append((weight, 1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)))
    mass = sum(weight for weight, _ in losses)
    return sum(weight * loss for weight, loss in losses) / mass if mass else 0.0


def jaccard_loss(truth: np.ndarray, wrong: np.ndarray) -> float:
    """1 - IoU of the prediction that errs exactly at `wrong`."""
    return float(wrong.sum() / (truth | wrong).sum()) if (truth | wrong).any() else 0.0


def choquet(truth: np.ndarray, errors: np.ndarray) -> float:
    """The Lovász extension of the Jaccard loss as its integral ∫ Δ({errors ≥ t}) dt: no sorting, no gradient."""
    levels = np.unique(np.concatenate([[0.0], errors]))
    return sum(
        float(high - low) * jaccard_loss(truth, errors > (low + high) / 2) for low, high in itertools.pairwise(levels)
    )


def reference_lovasz(logits: np.ndarray, mask: np.ndarray, per_image: bool) -> float:
    p = np.moveaxis(softmax(logits), 1, -1)
    groups = list(zip(p, mask, strict=True)) if per_image else [(p, mask)]
    means = []
    for probabilities, labels in groups:
        valid = labels != 255
        present = np.unique(labels[valid])
        if len(present):
            truths = {c: labels[valid] == c for c in present}
            values = [choquet(t, np.abs(t - probabilities[valid][:, c])) for c, t in truths.items()]
            means.append(np.mean(values))
    return float(np.mean(means)) if means else 0.0


# ---------------------------------------------------------------------------------------------- inputs


def pair(seed: int = 0, n: int = 3, h: int = 5, w: int = 6, k: int = K, ignored: float = 0.3) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, k, (n, h, w))
    mask[rng.random(mask.shape) < ignored] = 255
    return torch.from_numpy(rng.normal(0, 2, (n, k, h, w))), torch.from_numpy(mask)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Small float64 logits and masks: ignored images, absent classes, one-pixel images, certain and equal logits."""
    seed, k = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 5))
    n, h, w = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    logits, mask = pair(seed, n, h, w, k, draw(st.sampled_from([0.0, 0.3, 0.9, 1.0])))
    logits = logits * draw(st.sampled_from([0.0, 0.1, 1.0, 10.0]))
    if draw(st.booleans()):
        mask = torch.where(mask == draw(st.integers(0, k - 1)), 255, mask)
    if draw(st.booleans()):
        mask[draw(st.integers(0, n - 1))] = draw(st.sampled_from([0, k - 1, 255]))
    return logits, mask


def gradient(loss: nn.Module, logits: Tensor, mask: Tensor) -> tuple[float, Tensor]:
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, mask)
    assert value.shape == ()
    value.backward()
    assert logits.grad is not None
    return float(value.detach()), logits.grad


# ---------------------------------------------------------------------------------------------- values


@given(batches(), st.sampled_from([0.0, 0.1, 0.6]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_cross_entropy_is_the_reference(batch: tuple[Tensor, Tensor], smoothing: float, weighted: bool) -> None:
    logits, mask = batch
    weights = [0.3, 1.7, 0.2, 2.0, 1.0][: logits.shape[1]] if weighted else None
    expected = reference_cross_entropy(logits.numpy(), mask.numpy(), weights or [1.0] * logits.shape[1], smoothing)
    assert float(CrossEntropy(weights, smoothing)(logits, mask)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 0.1, 1.3]])
def test_cross_entropy_is_pytorchs_mean(weights: list[float] | None, smoothing: float) -> None:
    logits, mask = pair(h=40, w=50)
    loss = CrossEntropy(weights, smoothing)
    tensor = None if weights is None else torch.tensor(weights)

    class PyTorch(nn.Module):
        def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
            return F.cross_entropy(logits, mask, tensor, ignore_index=255, label_smoothing=smoothing)

    value, slope = gradient(loss, logits.float(), mask)
    expected, expected_slope = gradient(PyTorch(), logits.float(), mask)
    assert value == pytest.approx(expected, rel=3e-7)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-6, atol=1e-10)


def test_smoothing_over_pixels_of_weight_zero_counts_for_nothing() -> None:
    logits, _ = pair()
    value, slope = gradient(CrossEntropy(CLASS_WEIGHTS, 0.1), logits, torch.full((3, 5, 6), 2))
    assert value == 0 and not slope.any()


@given(batches(), st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
@settings(deadline=None, max_examples=60)
def test_focal_is_the_reference(batch: tuple[Tensor, Tensor], gamma: float) -> None:
    logits, mask = batch
    weights = [0.3, 1.7, 0.2, 2.0, 1.0][: logits.shape[1]]
    expected = reference_cross_entropy(logits.numpy(), mask.numpy(), weights, 0.0, gamma)
    assert float(Focal(gamma, weights)(logits, mask)) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@given(
    batches(),
    st.booleans(),
    st.sampled_from([(0.5, 0.5), (0.3, 0.7), (1.0, 0.0)]),
    st.sampled_from([1e-3, 1.0]),
    st.booleans(),
)
@settings(deadline=None, max_examples=80)
def test_tversky_is_the_reference(
    batch: tuple[Tensor, Tensor], per_image: bool, rates: tuple[float, float], smooth: float, background: bool
) -> None:
    logits, mask = batch
    weights = [0.3, 1.7, 0.2, 2.0, 1.0][: logits.shape[1]]
    loss = Tversky(*rates, "image" if per_image else "batch", smooth, 0 if background else None, weights)
    counted = [0.0, *weights[1:]] if background else weights
    expected = reference_tversky(logits.numpy(), mask.numpy(), *rates, smooth, per_image, counted)
    assert float(loss(logits, mask)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_dice_by_hand() -> None:
    logits = torch.tensor([[[[0.0, 30.0]], [[0.0, -30.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])
    mask = torch.tensor([[[1, 0]], [[255, 1]]])
    # Image 0: p₁ = (½, 0), g₁ = (1, 0); p₀ = (½, 1), g₀ = (0, 1). Image 1: one pixel, p = ½, truth 1.
    first = 1 - (2 * 1 + 2) / (1.5 + 1 + 2), 1 - (2 * 0.5 + 2) / (0.5 + 1 + 2)
    second = 1 - (0 + 2) / (0.5 + 0 + 2), 1 - (2 * 0.5 + 2) / (0.5 + 1 + 2)
    batch = 1 - (2 * 1 + 2) / (2 + 1 + 2), 1 - (2 * 1 + 2) / (1 + 2 + 2)
    assert float(Dice("image")(logits, mask)) == pytest.approx((sum(first) + sum(second)) / 4)
    assert float(Dice("image", background=0)(logits, mask)) == pytest.approx((first[1] + second[1]) / 2)
    assert float(Dice("batch")(logits, mask)) == pytest.approx(sum(batch) / 2)
    assert float(Dice()(logits, mask)) == float(Dice("batch")(logits, mask))


def test_dice_per_image_leaves_out_images_without_a_valid_pixel() -> None:
    logits, mask = pair()
    mask[1] = 255
    whole, kept = Dice("image")(logits, mask), Dice("image")(logits[[0, 2]], mask[[0, 2]])
    assert float(whole) == pytest.approx(float(kept))


def test_dice_and_cross_entropy_is_their_sum() -> None:
    logits, mask = pair()
    parts = 0.7 * Dice("image", background=0)(logits, mask) + CrossEntropy(CLASS_WEIGHTS, 0.1)(logits, mask)
    both = DiceCrossEntropy("image", 0.7, CLASS_WEIGHTS, 0.1, background=0)
    assert float(both(logits, mask)) == pytest.approx(float(parts))


@given(batches(), st.booleans())
@settings(deadline=None, max_examples=80)
def test_lovasz_is_the_integral_of_the_jaccard_loss(batch: tuple[Tensor, Tensor], per_image: bool) -> None:
    logits, mask = batch
    expected = reference_lovasz(logits.numpy(), mask.numpy(), per_image)
    assert float(Lovasz("image" if per_image else "batch")(logits, mask)) == pytest.approx(expected, abs=1e-9)


def test_lovasz_of_a_certain_prediction_is_one_minus_iou() -> None:
    rng = np.random.default_rng(1)
    mask, guess = torch.from_numpy(rng.integers(0, 3, (2, 1, 8, 8)))
    logits = 60.0 * F.one_hot(guess, 3).movedim(-1, 1)
    ious = [((mask == c) & (guess == c)).sum() / ((mask == c) | (guess == c)).sum() for c in range(3)]
    assert float(Lovasz()(logits, mask)) == pytest.approx(1 - float(np.mean(ious)), abs=1e-6)


def test_lovasz_gradient_of_a_large_image_is_not_lost_to_rounding() -> None:
    logits, mask = pair(n=1, h=600, w=600)
    _, exact = gradient(Lovasz(), logits, mask)
    _, single = gradient(Lovasz(), logits.float(), mask)
    assert ((single - exact).abs().sum() / exact.abs().sum()) < 1e-4


# ---------------------------------------------------------------------------------------------- promises of all


@every_loss
def test_gradient_is_the_slope(loss: nn.Module) -> None:
    logits, mask = pair(2, n=2, h=3, w=3)
    assert torch.autograd.gradcheck(lambda x: loss(x, mask), (logits.requires_grad_(),), eps=1e-7, atol=1e-6)


@every_loss
def test_ignored_pixels_are_as_if_cropped(loss: nn.Module) -> None:
    logits, mask = pair(ignored=0.0)
    mask[:, :2], mask[:, :, 4:] = 255, 255
    value, slope = gradient(loss, logits, mask)
    cropped, cropped_slope = gradient(loss, logits[:, :, 2:, :4], mask[:, 2:, :4])
    assert value == pytest.approx(cropped, rel=1e-12)
    torch.testing.assert_close(slope[:, :, 2:, :4], cropped_slope, rtol=1e-9, atol=1e-12)
    assert not slope[:, :, :2].any() and not slope[:, :, :, 4:].any()


@every_loss
def test_what_ignored_pixels_predict_changes_nothing(loss: nn.Module) -> None:
    logits, mask = pair()
    wild = torch.where((mask == 255)[:, None], torch.randn_like(logits) * 1e4, logits)
    value, slope = gradient(loss, logits.float(), mask)
    other, other_slope = gradient(loss, wild.float(), mask)
    assert value == other
    torch.testing.assert_close(slope, other_slope, rtol=0, atol=0)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_batch_ignored_throughout_is_zero_with_zero_gradient(loss: nn.Module, dtype: torch.dtype) -> None:
    logits, mask = pair(ignored=1.0)
    value, slope = gradient(loss, logits.to(dtype), mask)
    assert value == 0 and not slope.any()


@every_loss
@pytest.mark.parametrize("scale", [0.0, 1e3, 1e30])
def test_extreme_logits_have_finite_gradients(loss: nn.Module, scale: float) -> None:
    logits, mask = pair()
    value, slope = gradient(loss, (logits * scale).float(), mask)
    assert math.isfinite(value) and slope.isfinite().all()


@every_loss
def test_every_valid_pixel_and_class_learns(loss: nn.Module) -> None:
    logits, mask = pair()
    _, slope = gradient(loss, logits, mask)
    learnt = slope != 0
    assert (learnt.all(1) == (mask != 255)).all()


@every_loss
def test_false_positives_of_an_absent_class_are_unlearnt(loss: nn.Module) -> None:
    """Class 3 is nowhere true and strongly predicted: every valid pixel of it has a gradient, and they lower it."""
    logits, mask = pair()
    mask[mask == 3] = 1
    logits[:, 3] += 3
    _, slope = gradient(loss, logits, mask)
    assert ((slope[:, 3] != 0) == (mask != 255)).all()
    assert slope[:, 3].sum() > 0


def test_dice_alone_unlearns_an_absent_class() -> None:
    """Of class 1 there is nothing but false positives: its own term of the loss has the gradient."""
    logits = torch.zeros(1, 2, 4, 4)
    mask = torch.zeros(1, 4, 4, dtype=torch.long)
    for reduce in ("image", "batch"):
        value, slope = gradient(Dice(reduce, background=0), logits, mask)
        assert value == pytest.approx(1 - 2 / (8 + 2))
        assert (slope[:, 1] > 0).all()


def test_an_absent_class_that_is_not_predicted_costs_nothing() -> None:
    logits = torch.tensor([200.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    assert float(Dice()(logits, torch.zeros(1, 4, 4, dtype=torch.long))) == 0


@every_loss
@pytest.mark.parametrize("shape", [(1, 5, 6), (3, 1, 5, 6), (3, 5, 1), (3, 6, 5)])
def test_a_mask_of_another_shape_is_refused_rather_than_broadcast(loss: nn.Module, shape: tuple[int, ...]) -> None:
    logits, _ = pair()
    with pytest.raises(SegappError, match=r"a mask \(N, H, W\), got \(3, 4, 5, 6\)"):
        loss(logits, torch.zeros(shape, dtype=torch.long))


@pytest.mark.parametrize("loss", [CrossEntropy(label_smoothing=0.1), CrossEntropy([0.5, 2.0, 0.1, 1.3]), Focal()])
def test_sums_of_parts_give_value_and_gradient_of_the_whole(loss: PixelwiseLoss) -> None:
    """What processes with 1 and 2 images, differently ignored, reduce to be exact."""
    logits, mask = pair()
    mask[0, :4] = 255
    logits.requires_grad_()
    parts = [loss.sums(logits[part], mask[part]) for part in (slice(0, 1), slice(1, 3))]
    total, weight = (sum(values, start=torch.tensor(0)) for values in zip(*parts, strict=True))
    value, slope = gradient(loss, logits, mask)
    assert float((total / weight).detach()) == pytest.approx(value, rel=1e-12)
    (found,) = torch.autograd.grad(total / weight, logits)
    torch.testing.assert_close(found, slope, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("CrossEntropy", {"class_weights": "balanced", "label_smoothing": 0.1}),
        ("CrossEntropy", {"class_weights": [1, 2.5]}),
        ("Dice", {"reduce": "image", "smooth": 0.1, "background": 0}),
        ("DiceCrossEntropy", {}),
        ("Focal", {"gamma": 1.5}),
        ("Tversky", {"alpha": 0.3, "beta": 0.7}),
        ("Lovasz", {"reduce": "batch"}),
        ("DeepSupervision", {"loss": {"class_path": "segapp.losses.Dice"}}),
    ],
)
def test_a_config_builds_it_by_class_path(name: str, settings: dict[str, Any]) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--loss", type=nn.Module)
    config = parser.parse_object({"loss": {"class_path": f"segapp.losses.{name}", "init_args": settings}})
    assert type(parser.instantiate(config).loss).__name__ == name


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_computed_in_float32(loss: nn.Module, dtype: torch.dtype) -> None:
    logits, mask = pair(h=16, w=16)
    half = logits.to(dtype)
    value, slope = gradient(loss, half, mask)
    expected, expected_slope = gradient(loss, half.float(), mask)
    assert loss(half, mask).dtype == torch.float32
    assert value == expected
    assert slope.dtype == dtype
    torch.testing.assert_close(slope, expected_slope.to(dtype), rtol=1e-2, atol=1e-7)


@every_loss
def test_autocast_changes_nothing(loss: nn.Module) -> None:
    logits, mask = pair(h=16, w=16)
    plain = gradient(loss, logits.float(), mask)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = gradient(loss, logits.float(), mask)
    assert plain[0] == mixed[0]
    torch.testing.assert_close(plain[1], mixed[1], rtol=0, atol=0)


@every_loss
def test_memory_layout_changes_nothing(loss: nn.Module) -> None:
    logits, mask = pair(h=16, w=16)
    last = logits.to(memory_format=torch.channels_last)
    assert float(loss(last, mask)) == pytest.approx(float(loss(logits, mask)), rel=1e-12)


@every_loss
def test_a_perfect_prediction_costs_nothing_and_a_wrong_one_more(loss: nn.Module) -> None:
    _, mask = pair()
    right = 40.0 * F.one_hot(torch.where(mask == 255, 0, mask), K).movedim(-1, 1).double()
    wrong = right.roll(1, dims=1)
    smoothed = any(getattr(part, "label_smoothing", 0) for part in loss.modules())
    assert smoothed or float(loss(right, mask)) == pytest.approx(0, abs=1e-6)
    assert float(loss(wrong, mask)) > float(loss(right, mask)) + 0.3


# ---------------------------------------------------------------------------------------------- class weights


def test_balanced_weights_by_hand() -> None:
    weights = ClassWeights("balanced")
    weights.set_counts(torch.tensor([600, 0, 300, 100]))
    assert weights(torch.zeros(1, 4, 1, 1)).tolist() == pytest.approx([1000 / 1800, 1, 1000 / 900, 1000 / 300])


def test_a_handful_of_pixels_does_not_steer_a_batch() -> None:
    weights = ClassWeights("balanced")
    weights.set_counts(torch.tensor([10**12, 1]))
    assert weights(torch.zeros(1, 2, 1, 1)).tolist() == [0.5, 100.0]


@given(st.lists(st.one_of(st.just(0), st.integers(10**10, 10**12)), min_size=1, max_size=255).filter(any))
def test_balanced_weights_weigh_a_pixel_by_one_on_average(counts: list[int]) -> None:
    weights = ClassWeights("balanced")
    weights.set_counts(torch.tensor(counts))
    values = weights(torch.zeros(1, len(counts), 1, 1)).double().numpy()
    assert np.isfinite(values).all() and (values > 0).all()
    assert (values[np.array(counts) == 0] == 1).all()
    assert np.average(values, weights=counts) == pytest.approx(1, rel=1e-5)


def test_balanced_weights_are_asked_for_before_they_are_known() -> None:
    logits, mask = pair()
    with pytest.raises(MisuseError, match="when training starts"):
        CrossEntropy("balanced")(logits, mask)


@pytest.mark.parametrize("before", [None, [5, 5], [1, 2, 3, 4, 5, 6], [7, 1, 1, 1]])
def test_balanced_weights_travel_with_the_state(before: list[int] | None) -> None:
    logits, mask = pair()
    trained, fresh = DiceCrossEntropy(class_weights="balanced"), DiceCrossEntropy(class_weights="balanced")
    trained.cross_entropy.class_weights.set_counts(torch.tensor([10, 0, 30, 400]))
    if before is not None:
        fresh.cross_entropy.class_weights.set_counts(torch.tensor(before))
    fresh.load_state_dict(copy.deepcopy(trained.state_dict()))
    assert float(fresh(logits, mask)) == float(trained(logits, mask))
    again = DiceCrossEntropy(class_weights="balanced")
    again.load_state_dict(fresh.state_dict())
    assert float(again(logits, mask)) == float(trained(logits, mask))


def test_what_is_typed_beats_what_was_stored() -> None:
    trained = CrossEntropy("balanced")
    trained.class_weights.set_counts(torch.tensor([10, 20, 30, 400]))
    logits, mask = pair()
    for weights in (None, CLASS_WEIGHTS):
        typed = CrossEntropy(weights)
        typed.load_state_dict(trained.state_dict())
        assert float(typed(logits, mask)) == float(CrossEntropy(weights)(logits, mask))


def test_a_state_without_weights_leaves_those_of_the_data() -> None:
    logits, mask = pair()
    for state in (CrossEntropy().state_dict(), CrossEntropy([1, 2, 3, 4]).state_dict(), unset().state_dict()):
        loss = CrossEntropy("balanced")
        loss.class_weights.set_counts(torch.tensor([10, 20, 30, 400]))
        before = float(loss(logits, mask))
        loss.load_state_dict(state)
        assert float(loss(logits, mask)) == before


def unset() -> nn.Module:
    return CrossEntropy("balanced")


def test_a_moving_average_copied_before_training_does_not_lose_the_weights() -> None:
    """Lightning copies the model for the average, then lets it learn the class weights; validation swaps buffers."""
    logits, mask = pair()
    loss = CrossEntropy("balanced")
    average = AveragedModel(loss, use_buffers=True)
    loss.class_weights.set_counts(torch.tensor([10, 20, 30, 400]))
    expected = float(loss(logits, mask))
    for _ in range(3):
        for ours, theirs in zip(average.module.buffers(), loss.buffers(), strict=True):
            saved = ours.clone()
            ours.copy_(theirs)
            theirs.copy_(saved)
            assert float(loss(logits, mask)) == expected
            theirs.copy_(ours)
            ours.copy_(saved)
        average.update_parameters(loss)
        restored = CrossEntropy("balanced")
        restored.load_state_dict(average.module.state_dict())
        assert float(restored(logits, mask)) == expected


def test_unweighted_losses_add_nothing_to_a_checkpoint() -> None:
    for make in LOSSES.values():
        assert not make().state_dict()


def test_integer_and_single_weights_are_numbers_too() -> None:
    logits, mask = pair()
    assert float(CrossEntropy([1, 1, 1, 1])(logits, mask)) == pytest.approx(float(CrossEntropy()(logits, mask)))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: CrossEntropy([1, -1]), "≥ 0"),
        (lambda: CrossEntropy([0, 0]), "not all 0"),
        (lambda: CrossEntropy([]), "not all 0"),
        (lambda: CrossEntropy([1, math.nan]), "finite"),
        (lambda: Focal(class_weights=[math.inf]), "finite"),
        (lambda: Dice(class_weights="balance"), "'balanced'"),
        (lambda: CrossEntropy(label_smoothing=1.0), "label_smoothing"),
        (lambda: Focal(-1), "gamma"),
        (lambda: Tversky(smooth=0), "smooth"),
        (lambda: Tversky(0, 0), "alpha"),
        (lambda: Dice(background=4)(*pair()), "background"),
        (lambda: Dice(background=-1)(*pair()), "background"),
        (lambda: CrossEntropy([1.0, 2.0, 3.0])(*pair()), "3 numbers for 4 classes"),
        (lambda: ClassWeights([1.0]).set_counts(torch.ones(1)), "balanced"),
        (lambda: ClassWeights("balanced").set_counts(torch.zeros(3)), "no pixel"),
    ],
)
def test_misuse_is_said(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        make()


# ---------------------------------------------------------------------------------------------- deep supervision


def test_deep_supervision_weighs_by_halves() -> None:
    """Mask 4×4 → 2×2 → 1×1, the pixel under each centre: rows and columns 1 and 3, and 2."""
    outputs = [torch.randn(2, K, size, size, dtype=torch.float64) for size in (4, 2, 1)]
    _, mask = pair(5, n=2, h=4, w=4)
    masks = [mask, mask[:, 1::2, 1::2], mask[:, 2:3, 2:3]]
    loss = CrossEntropy()
    levels = [float(loss(output, small)) for output, small in zip(outputs, masks, strict=True)]
    expected = (levels[0] + levels[1] / 2 + levels[2] / 4) / 1.75
    assert float(DeepSupervision(loss)(outputs, mask)) == pytest.approx(expected)
    assert float(DeepSupervision(loss)(outputs[0], mask)) == levels[0]
    assert float(DeepSupervision(loss)(outputs[:1], mask)) == levels[0]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_deep_supervision_resizes_the_mask_by_nearest(height: int, width: int, h: int, w: int) -> None:
    class Keep(nn.Module):
        def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
            assert mask.dtype == torch.int64
            self.mask = mask
            return logits.sum()

    keep = Keep()
    mask = torch.randint(0, 256, (2, height, width))
    DeepSupervision(keep)([torch.zeros(2, K, h, w)], mask)
    rows = [int((i + 0.5) * height / h + 1e-9) for i in range(h)]
    columns = [int((i + 0.5) * width / w + 1e-9) for i in range(w)]
    np.testing.assert_array_equal(keep.mask.numpy(), mask.numpy()[:, rows][:, :, columns])


def test_deep_supervision_gives_every_output_its_gradient() -> None:
    outputs = [torch.randn(2, K, size, size + 1, requires_grad=True) for size in (9, 5, 3)]
    _, mask = pair(5, n=2, h=9, w=10, ignored=0.1)
    DeepSupervision(DiceCrossEntropy())(outputs, mask).backward()
    for output in outputs:
        assert output.grad is not None and output.grad.any()


def test_deep_supervision_of_an_ignored_batch_is_zero() -> None:
    outputs = [torch.randn(2, K, size, size, requires_grad=True) for size in (8, 4)]
    value = DeepSupervision(DiceCrossEntropy())(outputs, torch.full((2, 8, 8), 255))
    value.backward()
    assert float(value.detach()) == 0
    assert all(output.grad is not None and not output.grad.any() for output in outputs)


@pytest.mark.parametrize(
    ("loss", "even", "equal"),
    [(CrossEntropy(), True, True), (CrossEntropy(), False, False), (Dice("image"), False, True), (Dice(), True, False)],
    ids=["mean over even pixels", "mean over uneven pixels", "of images", "of the batch"],
)
def test_accumulated_batches_are_the_larger_batch_only_for_means_of_equal_weight(loss, even, equal):
    """As docs/training.md says."""
    torch.manual_seed(0)
    logits = torch.randn(8, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    mask = torch.randint(0, 3, (8, 8, 8))
    mask[:, :2] = 255
    mask[4:, : 2 if even else 7] = 255
    (whole,) = torch.autograd.grad(loss(logits, mask), logits)
    halves = (loss(logits[:4], mask[:4]) + loss(logits[4:], mask[4:])) / 2
    (accumulated,) = torch.autograd.grad(halves, logits)
    assert torch.allclose(whole, accumulated, rtol=0, atol=1e-12) == equal
