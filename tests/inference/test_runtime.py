"""The torch runtime: precision, memory layout, ties."""

import numpy as np
import pytest
import torch
from torch import nn

from segapp.errors import MisuseError
from segapp.inference.exported_runtime import NumpyRuntime
from segapp.inference.runtime import TorchRuntime, choose_device, choose_usable_precision, has_native_bf16

CPU = torch.device("cpu")


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1)

    def forward(self, images):
        self.seen = images.dtype, images.is_contiguous(memory_format=torch.channels_last)
        out = self.conv(images.float())
        self.computed = out.dtype
        return out


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_logits_are_float32_whatever_the_precision(precision):
    net = Scale().eval()
    logits = TorchRuntime(net, CPU, precision)(np.ones((1, 3, 4, 5), np.uint8))
    assert logits.dtype == torch.float32
    assert logits.shape == (1, 2, 4, 5)
    assert not logits.requires_grad
    assert net.computed == (torch.bfloat16 if precision == "bf16-mixed" else torch.float32)


def test_images_keep_their_dtype_and_go_in_channels_last():
    net = Scale().eval()
    TorchRuntime(net)(np.ones((2, 4, 5, 3), np.uint8).transpose(0, 3, 1, 2))
    assert net.seen == (torch.uint8, True)


def test_fp32_stays_fp32_inside_anothers_autocast():
    net = Scale().eval()
    with torch.autocast("cpu", torch.bfloat16):
        TorchRuntime(net)(np.ones((1, 3, 4, 5), np.uint8))
    assert net.computed == torch.float32


def test_the_first_of_equal_logits_wins():
    logits = torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]], [[-1.0, 2.0]]])
    found = TorchRuntime(nn.Identity()).compute_indices(logits)
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 2]]


def test_indices_are_the_largest_logits():
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(255, 9, 7)).astype(np.float32))
    assert (TorchRuntime(nn.Identity()).compute_indices(logits) == logits.numpy().argmax(0)).all()


def test_precision_falls_back_to_fp32_where_the_device_cannot(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert has_native_bf16(CPU)
    assert choose_usable_precision("bf16-mixed", CPU) == "bf16-mixed"
    assert choose_usable_precision("16-mixed", CPU) == "32-true"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert choose_usable_precision("bf16-mixed", CPU) == "32-true"
    assert choose_usable_precision("32-true", CPU) == "32-true"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(MisuseError, match="no GPU"):
        choose_device("cuda")


def test_the_confidence_is_the_sum_of_the_largest_probabilities():
    logits = torch.randn(3, 5, 7)
    expected = float(logits.double().softmax(0).amax(0).sum())
    assert TorchRuntime(torch.nn.Identity()).sum_confidence(logits) == pytest.approx(expected, rel=1e-6)
    assert NumpyRuntime().sum_confidence(logits.numpy()) == pytest.approx(expected, rel=1e-6)
