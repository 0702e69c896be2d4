import pytest
import torch
from torch import nn

from segapp.errors import MisuseError
from segapp.models import LongSkip, count_params
from segapp.models.skips import Dense, Residual, make_projection


def features(channels):
    return torch.randn(2, channels, 3, 5, dtype=torch.float64)


def test_none_returns_the_decoders_features_untouched():
    decoder = features(4)
    assert LongSkip("none", 4, 6)(decoder, features(6)) is decoder
    assert count_params(LongSkip("none", 4, 6)) == 0


def test_add_sums_and_projects_only_where_channels_differ():
    decoder, encoder = features(4), features(4)
    equal = LongSkip("add", 4, 4)
    assert torch.equal(equal(decoder, encoder), decoder + encoder)
    assert count_params(equal) == 0
    different = LongSkip("add", 4, 6).double()
    weight = different.project.weight[:, :, 0, 0]
    encoder = features(6)
    assert torch.allclose(different(decoder, encoder), decoder + torch.einsum("oc,nchw->nohw", weight, encoder))
    assert count_params(different) == 4 * 6


def test_concat_keeps_both_side_by_side():
    decoder, encoder = features(4), features(6)
    skip = LongSkip("concat", 4, 6)
    assert skip.out_channels == 10
    assert torch.equal(skip(decoder, encoder), torch.cat([decoder, encoder], 1))


@pytest.mark.parametrize("mode", ["add", "concat"])
def test_a_level_without_channels_is_none(mode):
    decoder = features(4)
    skip = LongSkip(mode, 4, 0)
    assert skip.out_channels == 4
    assert skip(decoder, features(0)) is decoder


def test_an_unknown_mode_is_refused():
    with pytest.raises(MisuseError, match=r"long_skip takes none \| add \| concat, got 'sum'"):
        LongSkip("sum", 4, 4)


def test_projection_keeps_the_variance():
    torch.manual_seed(0)
    projected = make_projection(64, 256)(torch.randn(1, 64, 64, 64))
    assert 0.9 < projected.var() < 1.1


def test_residual_is_the_input_plus_the_branch():
    block = Residual(3, 3, [nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()]).double()
    images = features(3)
    assert torch.equal(block(images), images + block.branch(images))


def test_dense_layers_see_all_earlier_outputs():
    """With layers that sum all they see, starting from 1: 1, 1, 2, 4, and the transition sees 8."""

    class Total(nn.Module):
        def forward(self, seen):
            return seen.sum(dim=1, keepdim=True)

    block = Dense([Total(), Total(), Total()], Total())
    assert block(torch.ones(1, 1, 1, 1)).item() == 8
