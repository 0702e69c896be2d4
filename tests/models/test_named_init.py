"""Initial weights depend on the seed and the name, and keep their initialiser's distribution."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from segapp.models import BlockStyle, NamedInit, PlainEncoder, UNet
from segapp.models.named_init import derive_seed


def drawn(make, seed=0, torch_seed=0):
    """A network made under one torch seed, its values drawn by name under another."""
    torch.manual_seed(torch_seed)
    with NamedInit() as watch:
        net = make()
    assert watch.resample(net, seed) == []
    return dict(net.named_parameters())


def unet(**settings):
    return partial(UNet, 3, 2, encoder=partial(PlainEncoder, widths=(8, 16, 16)), **settings)


def test_variants_begin_with_equal_bits_wherever_name_and_shape_agree():
    one = drawn(unet(long_skip="concat"))
    other = drawn(unet(long_skip="none", decoder_block=BlockStyle(norm="none", layers=3)), torch_seed=1)
    shared = [name for name in one if name in other and one[name].shape == other[name].shape]
    assert len(shared) >= 8
    assert len(shared) < len(one)
    assert all(torch.equal(one[name], other[name]) for name in shared)


def test_the_order_and_number_of_layers_do_not_matter():
    class Pair(nn.Module):
        def __init__(self, turned):
            super().__init__()
            for name in ("b", "c", "a") if turned else ("a", "b"):
                self.add_module(name, nn.Linear(40, 30))

    one, other = drawn(lambda: Pair(False)), drawn(lambda: Pair(True))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["a.weight"], one["b.weight"])


def test_another_seed_draws_other_values_and_constants_stay():
    one, other = drawn(unet(), seed=0), drawn(unet(), seed=1)
    for name, values in one.items():
        constant = values.unique().numel() == 1
        assert torch.equal(values, other[name]) == constant, name


def test_values_are_what_the_initialiser_draws_from_that_generator():
    found = drawn(lambda: nn.Linear(200, 50), seed=3)["weight"]
    generator = torch.Generator().manual_seed(derive_seed(3, "weight"))
    bound = 1 / math.sqrt(200)  # nn.Linear: uniform in ±1/√fan_in
    assert torch.equal(found, torch.empty(50, 200).uniform_(-bound, bound, generator=generator))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_layout_in_memory_does_not_matter(layout):
    found = drawn(lambda: nn.Conv2d(4, 8, 3).to(memory_format=layout))["weight"]
    assert torch.equal(found, drawn(lambda: nn.Conv2d(4, 8, 3))["weight"])


def test_a_truncated_normal_stays_truncated():
    class Truncated(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(100, 100))
            nn.init.trunc_normal_(self.weight, std=2.0, a=-3.0, b=3.0)

    found = drawn(Truncated)["weight"]
    assert float(found.detach().abs().max()) <= 3
    assert abs(float(found.detach().std()) - 1.482) < 0.03  # of a normal of std 2 cut at ±1.5 std


def test_copied_values_stay():
    given = torch.randn(5, 5)

    def made():
        layer = nn.Linear(5, 5)
        layer.load_state_dict({"weight": given, "bias": given[0]})
        return layer

    assert torch.equal(drawn(made)["weight"], given)


def test_what_is_filled_in_parts_is_named_and_kept():
    with NamedInit() as watch:
        layer = nn.Linear(4, 4)
        nn.init.normal_(layer.weight.detach()[:2])
        before = layer.weight.clone()
    assert watch.resample(layer, 0) == ["weight"]
    assert torch.equal(layer.weight, before)


def test_the_hash_is_the_same_everywhere():
    assert derive_seed(0, "head.conv.weight") == derive_seed(0, "head.conv.weight") < 2**63
    assert len({derive_seed(seed, name) for seed in range(3) for name in "abc"}) == 9
