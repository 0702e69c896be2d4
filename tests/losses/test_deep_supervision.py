"""Deep supervision: weights, resized masks, gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from segapp.losses import (
    CrossEntropy,
    DeepSupervision,
    DiceCrossEntropy,
)
from tests.losses.reference import K, pair


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
