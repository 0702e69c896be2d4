"""What holds for every loss: gradients, ignored pixels, extreme logits, shapes, dtypes."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from jsonargparse import ArgumentParser
from torch import nn

from segapp.errors import MisuseError, SegappError
from segapp.losses import (
    ClassWeights,
    CrossEntropy,
    Dice,
    Focal,
    Tversky,
)
from tests.losses.reference import LOSSES, K, gradient, pair

every_loss = pytest.mark.parametrize("loss", [pytest.param(make(), id=name) for name, make in LOSSES.items()])


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


def test_an_absent_class_that_is_not_predicted_costs_nothing() -> None:
    logits = torch.tensor([200.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    assert float(Dice()(logits, torch.zeros(1, 4, 4, dtype=torch.long))) == 0


@every_loss
@pytest.mark.parametrize("shape", [(1, 5, 6), (3, 1, 5, 6), (3, 5, 1), (3, 6, 5)])
def test_a_mask_of_another_shape_is_refused_rather_than_broadcast(loss: nn.Module, shape: tuple[int, ...]) -> None:
    logits, _ = pair()
    with pytest.raises(SegappError, match=r"a mask \(N, H, W\), got \(3, 4, 5, 6\)"):
        loss(logits, torch.zeros(shape, dtype=torch.long))


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
        (lambda: ClassWeights("balanced").set_counts(torch.zeros(3)), "all their pixels are ignored"),
    ],
)
def test_misuse_is_said(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        make()
