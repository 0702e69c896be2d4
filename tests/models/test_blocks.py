import math
from functools import partial

import pytest
import torch
from torch import nn

from segapp.errors import MisuseError
from segapp.models import BlockStyle, PlainEncoder, UNet, count_params
from segapp.models.blocks import choose_groups


def jacobian(module, shape):
    point = torch.randn(shape, dtype=torch.float64)
    matrix = torch.func.jacrev(module)(point)
    return matrix.reshape(point.numel(), point.numel())


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_the_jacobian_of_a_residual_block_is_identity_plus_its_branchs(norm):
    torch.manual_seed(0)
    block = BlockStyle("add", norm, "tanh").make_block(4, 4).double().eval()
    nn.init.normal_(block.branch[-1].conv.weight)  # begins at 0 without a norm
    torch.manual_seed(1)
    whole = jacobian(block, (1, 4, 3, 3))
    torch.manual_seed(1)
    branch = jacobian(block.branch, (1, 4, 3, 3))
    assert branch.abs().max() > 0.01
    torch.testing.assert_close(whole, torch.eye(36, dtype=torch.float64) + branch, rtol=0, atol=1e-12)


def derivative(short_skip: str, blocks: int, point: float) -> float:
    """Of blocks in a row, of one channel and one pixel, whose two layers multiply with 2 and with 3 after a ReLU."""
    stack = BlockStyle(short_skip, "none").make_stack(1, 1, blocks).double()
    for index, conv in enumerate(part for part in stack.modules() if isinstance(part, nn.Conv2d)):
        nn.init.zeros_(conv.weight)
        conv.weight.data[:, :, 1, 1] = 2 + index % 2
    value = torch.full((1, 1, 1, 1), point, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(stack(value).sum(), value)[0].item()


@pytest.mark.parametrize(
    ("short_skip", "blocks", "point", "by_hand"),
    [
        ("none", 1, 1.0, 2 * 3),
        ("none", 2, 1.0, 6 * 6),
        ("add", 1, 1.0, 1 + 6),
        ("add", 2, 1.0, 1 + 6 + 6 + 36),  # the four ways to take or leave two branches
        ("none", 2, -1.0, 0),  # cut off by the first ReLU
        ("add", 2, -1.0, 1),  # and only the identity left
    ],
)
def test_jacobians_multiply_and_addition_opens_a_path_for_every_choice_of_branches(short_skip, blocks, point, by_hand):
    assert derivative(short_skip, blocks, point) == by_hand


def test_concatenation_has_the_identity_among_its_rows_up_to_the_transition():
    torch.manual_seed(0)
    block = BlockStyle("concat", "none", "tanh").make_block(4, 4).double()
    block.transition = nn.Identity()
    rows = torch.func.jacrev(block)(torch.randn(1, 4, 3, 3, dtype=torch.float64)).reshape(-1, 36)
    assert rows.shape == (72, 36)
    assert torch.equal(rows[:36], torch.eye(36, dtype=torch.float64))
    assert rows[36:].abs().max() > 0.01


def test_where_shapes_differ_the_identity_becomes_a_projection():
    block = BlockStyle("add").make_block(3, 5).eval()
    images = torch.randn(1, 3, 4, 4)
    assert isinstance(block.project, nn.Conv2d)
    assert torch.equal(block(images), block.project(images) + block.branch(images))


def test_all_layers_of_a_dense_block_and_its_transition_see_what_came_before():
    block = BlockStyle("concat", layers=4).make_block(8, 16)
    assert [layer.conv.in_channels for layer in block.layers] == [8, 12, 16, 20]
    assert block.transition.conv.in_channels == 24
    assert block.transition.conv.kernel_size == (1, 1)
    assert block(torch.randn(2, 8, 4, 4)).shape == (2, 16, 4, 4)


@pytest.mark.parametrize("short_skip", ["none", "add", "concat"])
def test_every_mode_keeps_the_order_norm_activation_convolution(short_skip):
    block = BlockStyle(short_skip, dropout=0.1).make_block(8, 8)
    layers = [part for part in block.modules() if isinstance(part, nn.Sequential) and "conv" in part._modules]
    assert len(layers) == (3 if short_skip == "concat" else 2)
    assert all(list(layer._modules) == ["norm", "activation", "dropout", "conv"] for layer in layers)


@pytest.mark.parametrize("short_skip", ["none", "add", "concat"])
def test_on_the_image_the_first_convolution_comes_bare(short_skip):
    """A ReLU there would cut off every value below the mean."""
    block = BlockStyle(short_skip).make_block(3, 8, on_image=True)
    first = next(part for part in block.modules() if isinstance(part, nn.Sequential) and "conv" in part._modules)
    assert list(first._modules) == ["conv"]


def test_post_order_is_the_classic_one_and_has_no_short_skip():
    layer = BlockStyle(order="post", norm="batch").make_layer(4, 8)
    assert list(layer._modules) == ["conv", "norm", "activation"]
    with pytest.raises(MisuseError, match="order=post needs short_skip=none, got add"):
        BlockStyle("add", order="post")


@pytest.mark.parametrize("norm", ["batch", "group", "instance"])
def test_a_convolution_has_a_bias_only_without_a_norm(norm):
    assert BlockStyle(norm=norm).make_layer(4, 8).conv.bias is None
    assert BlockStyle(norm="none").make_layer(4, 8).conv.bias is not None


@pytest.mark.parametrize(
    ("short_skip", "count"),
    [
        ("none", 9 * (8 * 16 + 16 * 16) + 2 * (8 + 16)),
        ("add", 9 * (8 * 16 + 16 * 16) + 2 * (8 + 16) + 8 * 16),
        ("concat", 9 * (8 * 8 + 16 * 8) + 24 * 16 + 2 * (8 + 16 + 24)),
    ],
)
def test_parameter_counts_by_hand(short_skip, count):
    assert count_params(BlockStyle(short_skip).make_block(8, 16)) == count


@pytest.mark.parametrize(
    ("channels", "groups"), [(512, 32), (256, 32), (128, 16), (64, 8), (16, 2), (8, 1), (24, 3), (37, 1), (3, 1)]
)
def test_groups_divide_the_channels_and_leave_eight_to_each(channels, groups):
    assert choose_groups(channels) == groups


def test_he_initialisation_keeps_the_variance_through_ten_layers_without_norm():
    torch.manual_seed(0)
    deep = nn.Sequential(*(BlockStyle(norm="none").make_layer(64, 64) for _ in range(10)))
    with torch.no_grad():
        ratio = deep(torch.randn(2, 64, 16, 16)).var()
    # He's variance per layer: the second moment is kept; borders see fewer inputs.
    assert 0.1 < ratio < 3
    weight = BlockStyle(norm="none").make_layer(64, 128).conv.weight
    assert math.isclose(weight.std().item(), math.sqrt(2 / (64 * 9)), rel_tol=0.02)


def test_the_head_gives_logits_and_starts_without_bias():
    head = BlockStyle(dropout=0.5).make_head(8, 3)
    assert list(head._modules) == ["norm", "activation", "conv"]
    assert not head.conv.bias.any()
    assert list(BlockStyle(order="post").make_head(8, 3)._modules) == ["conv"]


def test_a_larger_head_keeps_the_size_and_the_scale_of_logits():
    torch.manual_seed(0)
    head = BlockStyle(order="post").make_head(64, 3, kernel=3).conv
    with torch.no_grad():
        logits = head(torch.randn(2, 64, 9, 11))
    assert logits.shape == (2, 3, 9, 11)
    assert math.isclose(head.weight.std().item(), 1 / math.sqrt(64 * 9), rel_tol=0.1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"short_skip": "sum"}, "short_skip takes none | add | concat, got 'sum'"),
        ({"norm": "layer"}, "norm takes batch | group | instance | none, got 'layer'"),
        ({"activation": "swish"}, "got 'swish'"),
        ({"dropout": 1.0}, "dropout is a fraction in [0, 1), got 1.0"),
        ({"layers": 0}, "layers must be whole numbers, 1 or more, got 0"),
    ],
)
def test_misuse_is_told(settings, sentence):
    with pytest.raises(MisuseError) as told:
        BlockStyle(**settings)
    assert sentence in str(told.value)


@pytest.mark.parametrize("long_skip", ["none", "add", "concat"])
def test_added_branches_do_not_explode_without_a_norm(long_skip):
    """Ten blocks on each of three levels: branches drawn like other layers would make logits of a thousand and more."""
    torch.manual_seed(0)
    style = BlockStyle(short_skip="add", norm="none")
    encoder = partial(PlainEncoder, widths=[8] * 3, blocks_per_level=10, block=style)
    net = UNet(1, 2, encoder, long_skip, decoder_blocks_per_level=10)
    logits = net(torch.rand(2, 1, 16, 16))
    logits.square().mean().backward()
    assert 0.1 < logits.std() < 10
    for level in net.encoder.get_submodule("0"), net.bottleneck, net.decoder[0].block:
        assert level[-1].branch[-1].conv.weight.grad.abs().max() > 1e-6  # it begins to learn at once
