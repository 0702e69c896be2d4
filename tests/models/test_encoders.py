import pytest
import torch

from segapp.errors import MisuseError
from segapp.models import PlainEncoder


def test_levels_halve_rounding_up_and_the_last_enters_the_bottleneck():
    encoder = PlainEncoder(3, widths=(4, 6, 8))
    features = encoder(torch.randn(2, 3, 37, 50))
    assert [tuple(feature.shape) for feature in features] == [(2, 4, 37, 50), (2, 6, 19, 25), (2, 6, 10, 13)]
    assert encoder.make_bottleneck()(features[-1]).shape == (2, 8, 10, 13)
    assert (encoder.out_channels, encoder.reductions, encoder.decoder_widths) == ([4, 6, 8], [1, 2, 4], [4, 6])


def test_each_level_is_a_submodule_called_by_its_number():
    encoder = PlainEncoder(1, widths=(4, 6, 8), blocks_per_level=(1, 3, 2))
    assert len(encoder.get_submodule("0")) == 1
    assert len(encoder.get_submodule("1")) == 3
    assert len(encoder.make_bottleneck()) == 2
    outputs = []
    encoder.get_submodule("1").register_forward_hook(lambda *seen: outputs.append(seen[2]))
    assert encoder(torch.randn(2, 1, 8, 8))[1].shape == outputs[0].shape


def test_a_single_width_is_a_net_without_pooling():
    encoder = PlainEncoder(1, widths=(4,), blocks_per_level=5)
    images = torch.randn(2, 1, 8, 8)
    assert encoder(images) == [images]
    bottleneck = encoder.make_bottleneck()
    assert len(bottleneck) == 5
    assert list(bottleneck[0][0]._modules) == ["conv"]  # nothing is cut off the image


def test_misuse_is_told():
    with pytest.raises(MisuseError, match="widths needs at least one number"):
        PlainEncoder(1, widths=())
    with pytest.raises(MisuseError, match="widths must be whole numbers, 1 or more, got 0"):
        PlainEncoder(1, widths=(4, 0))
    with pytest.raises(MisuseError, match=r"blocks_per_level needs .* 2 levels"):
        PlainEncoder(1, widths=(4, 8), blocks_per_level=(1, 1, 1))
