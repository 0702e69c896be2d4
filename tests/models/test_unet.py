from dataclasses import fields
from functools import partial
from itertools import pairwise, product

import jsonargparse
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segapp.errors import MisuseError
from segapp.models import BlockStyle, Encoder, PlainEncoder, UNet, count_params
from segapp.models.skips import Residual

MODES = ("none", "add", "concat")
WIDTHS = (8, 12, 16)


def unet(in_channels=3, num_classes=2, widths=WIDTHS, **settings):
    style = {field.name: settings.pop(field.name) for field in fields(BlockStyle) if field.name in settings}
    encoder = partial(PlainEncoder, widths=widths, block=BlockStyle(**style))
    return UNet(in_channels, num_classes, encoder, **settings)


def silent(net):
    """Names of parameters without gradient after one step on random images and masks."""
    for parameter in net.parameters():
        if parameter.ndim > 1 and not parameter.any():  # residual branches without a norm begin at zero
            torch.nn.init.normal_(parameter, std=0.1)
    outputs = net.train()(torch.rand(net.batch, 3, *net.size))
    loss = sum(F.cross_entropy(logits, torch.randint(0, 2, (net.batch, *logits.shape[2:]))) for logits in outputs)
    loss.backward()
    return [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize("upsample", ["transpose", "bilinear", "nearest"])
@pytest.mark.parametrize("norm", ["batch", "group", "instance", "none"])
def test_every_combination_gives_every_parameter_a_gradient_at_odd_and_tiny_sizes(norm, upsample):
    """Every skip of either kind is seen at every size (a Latin square of sizes)."""
    sizes = (37, 50), (5, 4), (4, 4)
    for (row, long_skip), (column, short_skip) in product(enumerate(MODES), enumerate(MODES)):
        torch.manual_seed(0)
        settings = {"long_skip": long_skip, "short_skip": short_skip, "norm": norm, "upsample": upsample}
        net = unet(**settings, widths=(16, 16, 16), deep_supervision=1)
        net.size, net.batch = sizes[(row + column) % 3], 2 if norm == "batch" else 1
        if norm == "instance" and net.size == (4, 4):
            with pytest.raises(MisuseError, match="smallest input is 5×1 pixels, got 4×4"):
                silent(net)
        else:
            assert silent(net) == [], (settings, net.size)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"])
def test_every_activation_trains_in_a_deep_net_down_to_one_pixel(activation):
    torch.manual_seed(0)
    net = unet(widths=(16,) * 6, activation=activation, norm="group", dropout=0.1, deep_supervision=4)
    net.size, net.batch = (1, 1), 3
    assert silent(net) == []


def test_batch_norm_refuses_one_value_per_channel_in_training_only():
    net = unet()
    with pytest.raises(MisuseError, match=r"batch of 2 or more, .*side of at least 5"):
        net(torch.rand(1, 3, 4, 4))
    assert net(torch.rand(2, 3, 4, 4)).shape == (2, 2, 4, 4)
    assert net.eval()(torch.rand(1, 3, 1, 1)).shape == (1, 2, 1, 1)


@pytest.mark.parametrize("mode", MODES)
def test_only_none_ignores_what_the_encoder_offers(mode):
    """The encoder's features are changed, the bottleneck's input is not."""

    class Disturbed(PlainEncoder):
        disturbance = 0.0

        def forward(self, images):
            *features, deepest = super().forward(images)
            return [*(feature + self.disturbance for feature in features), deepest]

    net = UNet(3, 2, partial(Disturbed, widths=WIDTHS), long_skip=mode, upsample="bilinear").eval()
    images = torch.rand(1, 3, 16, 16)
    before = net(images)
    net.encoder.disturbance = 3.0
    assert torch.equal(before, net(images)) == (mode == "none")


def test_each_level_may_have_its_own_long_skip():
    net = unet(long_skip=["concat", "none"])
    assert [level.skip.mode for level in net.decoder] == ["concat", "none"]
    assert net(torch.rand(2, 3, 9, 9)).shape == (2, 2, 9, 9)


def formula(widths, in_channels, num_classes, long_skip, upsample, squeeze):
    """Weights of a plain pre-activation U-Net with batch norm, counted from the paper's picture."""
    total = 9 * in_channels * widths[0] + 2 * widths[0] + 9 * widths[0] ** 2
    for i, o in pairwise(widths):
        total += 2 * i + 9 * i * o + 2 * o + 9 * o * o
        up = i if squeeze else o
        joined = up + i if long_skip == "concat" else up
        total += (4 if upsample == "transpose" else 1) * o * i if squeeze else 0
        total += o * i if long_skip == "add" and not squeeze else 0  # the skip's projection
        total += 2 * joined + 9 * joined * i + 2 * i + 9 * i * i
    return total + 2 * widths[0] + widths[0] * num_classes + num_classes


@pytest.mark.parametrize(("upsample", "squeeze"), [("transpose", True), ("bilinear", True), ("nearest", False)])
@pytest.mark.parametrize("long_skip", MODES)
def test_parameter_counts_follow_the_formula(long_skip, upsample, squeeze):
    widths = (6, 10, 20, 30)
    net = unet(5, 7, widths, long_skip=long_skip, upsample=upsample, squeeze=squeeze)
    assert count_params(net) == formula(widths, 5, 7, long_skip, upsample, squeeze)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_without_squeeze_all_channels_are_upsampled_as_they_are(mode):
    net, seen = unet(upsample=mode, squeeze=False).eval(), {}
    for name in ("bottleneck", "decoder.1.upsample"):
        net.get_submodule(name).register_forward_hook(
            lambda part, inputs, output, name=name: seen.update({name: output})
        )
    with torch.no_grad():
        net(torch.rand(1, 3, 20, 28))
    deepest = seen["bottleneck"]
    expected = F.interpolate(deepest, seen["decoder.1.upsample"].shape[-2:], mode=mode)
    assert torch.equal(seen["decoder.1.upsample"], expected) and expected.shape[1] == deepest.shape[1]
    logits = unet(upsample=mode, squeeze=False)(torch.rand(2, 3, 9, 7))
    assert logits.shape == (2, 2, 9, 7)


def test_decoder_widths_and_blocks_are_per_level_and_add_projects_where_they_differ():
    net = unet(long_skip="add", decoder_widths=[4, 12], decoder_blocks_per_level=[1, 3])
    assert [len(level.block) for level in net.decoder] == [1, 3]
    assert [count_params(level.skip) for level in net.decoder] == [8 * 4, 0]


def test_deep_supervision_gives_a_list_in_training_and_one_tensor_otherwise():
    net = unet(widths=(4, 6, 8, 10), deep_supervision=2)
    images = torch.rand(2, 3, 37, 50)
    assert [tuple(logits.shape[2:]) for logits in net(images)] == [(37, 50), (19, 25), (10, 13)]
    finest = net.eval()(images)
    assert finest.shape == (2, 2, 37, 50)
    with pytest.raises(MisuseError, match="deep_supervision must be 0 … 2 in a decoder of 3 levels, got 3"):
        unet(widths=(4, 6, 8, 10), deep_supervision=3)


def test_the_vocabulary_of_submodules_is_complete_and_in_use():
    net, seen = unet(), []
    names = ["normalise", "encoder.0", "encoder.1", "bottleneck", "decoder.1", "decoder.0", "head"]
    for name in names:
        net.get_submodule(name).register_forward_hook(lambda *_, name=name: seen.append(name))
    net(torch.rand(2, 3, 8, 8))
    assert seen == names
    outside = [key for key, _ in net.named_parameters() if not key.startswith(tuple(names))]
    assert outside == []


def test_mean_and_std_are_the_encoders_unless_given():
    class Bright(PlainEncoder):
        mean, std = 0.75, 0.125

    assert UNet(1, 2, Bright).normalise.mean.item() == 0.75
    assert UNet(1, 2, Bright, mean=0.25).normalise.mean.item() == 0.25
    assert unet().normalise.std.flatten().tolist() == [0.25] * 3


def count_modules(part, kind):
    return sum(isinstance(module, kind) for module in part.modules())


def test_the_decoders_blocks_are_built_as_the_encoders_unless_told_otherwise():
    net = unet(norm="group", activation="gelu", short_skip="add")
    assert count_modules(net, nn.BatchNorm2d) == count_modules(net, nn.ReLU) == 0
    assert all(isinstance(level.block[0], Residual) for level in net.decoder)
    other = unet(norm="group", decoder_block=BlockStyle(norm="instance", layers=1))
    assert count_modules(other.encoder, nn.GroupNorm) == 3
    assert count_modules(other.decoder, nn.GroupNorm) == 0
    assert count_modules(other.decoder, nn.InstanceNorm2d) == count_modules(other.decoder, nn.ReLU) == 2


def test_the_decoder_of_an_encoder_without_a_style_has_the_default_one():
    class Bare(Encoder):
        def __init__(self, in_channels):
            super().__init__()
            self.out_channels, self.reductions, self.decoder_widths = [0, in_channels], [1, 2], [4]

        def forward(self, images):
            return [images, F.avg_pool2d(images, 2, ceil_mode=True)]

    assert count_modules(UNet(3, 2, Bare), nn.BatchNorm2d) == 3


def test_uint8_and_float_images_give_the_same_logits():
    net = unet().eval()
    images = torch.randint(0, 256, (1, 3, 9, 7), dtype=torch.uint8)
    assert torch.equal(net(images), net(images.float() / 255))


@pytest.mark.parametrize(
    ("settings", "even"), [({}, True), ({"upsample": "bilinear"}, True), ({"upsample": "transpose"}, False)]
)
def test_an_even_image_has_even_logits_but_for_transposed_upsampling(settings, even):
    torch.manual_seed(0)
    net = unet(**settings).eval()
    with torch.inference_mode():
        logits = net(torch.full((1, 3, 128, 128), 0.3))[..., 56:72, 56:72]  # far from the border
    assert torch.allclose(logits, logits[..., :1, :1], atol=1e-5) == even


def test_transposed_upsampling_fits_odd_sizes_by_cutting():
    level = unet(upsample="transpose").decoder[0]
    features = torch.randn(1, 12, 4, 5)
    whole = level.upsample.conv(features)
    assert torch.equal(level.upsample(features, torch.Size((7, 9))), whole[..., :7, :9])
    assert torch.equal(level.upsample(features, torch.Size((8, 10))), whole)


@pytest.mark.slow
def test_export_serves_every_size():
    """Of transposed upsampling too: tests/export/test_convert.py."""
    net = unet(upsample="nearest", deep_supervision=1)
    net(torch.rand(2, 3, 37, 50))
    images = torch.rand(2, 3, 32, 48)
    dynamic = torch.export.Dim.DYNAMIC
    exported = torch.export.export(net.eval(), (images,), dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},))
    for other in (images, torch.rand(3, 3, 37, 50)):
        torch.testing.assert_close(exported.module()(other), net(other))


def test_a_net_exported_in_training_mode_gives_one_tensor_too():
    net = unet(norm="group", deep_supervision=1)
    exported = torch.export.export(net, (torch.rand(2, 3, 8, 8),))
    assert exported.module()(torch.rand(2, 3, 8, 8)).shape == (2, 2, 8, 8)


def test_compiles_in_place_without_a_graph_break():
    net = unet(deep_supervision=1)
    images = torch.rand(2, 3, 16, 24)
    plain, keys = net(images), net.state_dict().keys()
    net.compile(backend="eager", fullgraph=True)
    for compiled, logits in zip(net(images), plain, strict=True):
        torch.testing.assert_close(compiled, logits)
    assert net.state_dict().keys() == keys


def test_channels_last_gives_the_same_logits():
    net = unet().eval()
    images = torch.rand(1, 3, 16, 16)
    plain = net(images)
    fast = net.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(fast, plain)
    assert fast.is_contiguous(memory_format=torch.channels_last)


def parse(settings):
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--net", type=nn.Module)
    config = parser.parse_object({"net": {"class_path": "segapp.models.UNet", "init_args": settings}})
    return parser, config


STYLED = {"widths": [4, 8], "blocks_per_level": [1, 2], "block": {"norm": "group"}}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"encoder": {"class_path": "segapp.models.PlainEncoder", "init_args": STYLED}},
        {"decoder_block": {"norm": "none", "layers": 1}},
    ],
)
def test_a_config_builds_the_net_and_its_plain_dict_builds_it_again(settings):
    parser, config = parse({"in_channels": 1, "num_classes": 3, "long_skip": "add", **settings})
    net = parser.instantiate(config).net
    plain = config.as_dict()["net"]
    assert plain["init_args"]["encoder"]["class_path"].startswith("segapp.models")
    again = parser.instantiate(parser.parse_object({"net": plain})).net
    again.load_state_dict(net.state_dict())
    images = torch.rand(1, 1, 9, 9)
    assert torch.equal(net.eval()(images), again.eval()(images))
    if "encoder" in settings:
        assert net.encoder.out_channels == [4, 8]
        assert count_modules(net, nn.BatchNorm2d) == 0
    if "decoder_block" in settings:
        assert count_modules(net.decoder, nn.BatchNorm2d) == 0


def test_a_config_takes_one_long_skip_per_level_and_refuses_other_words():
    encoder = {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": [4, 8, 8]}}
    parser, config = parse({"in_channels": 1, "num_classes": 2, "encoder": encoder, "long_skip": ["add", "none"]})
    assert parser.instantiate(config).net.long_skip == ["add", "none"]
    with pytest.raises(jsonargparse.ArgumentError, match="long_skip"):
        parse({"in_channels": 1, "num_classes": 2, "long_skip": "sum"})


def test_an_encoder_of_ones_own_needs_only_the_three_lists_and_forward():
    class Halves(Encoder):
        def __init__(self, in_channels):
            super().__init__()
            self.out_channels, self.reductions, self.decoder_widths = [0, in_channels], [1, 2], [4]

        def forward(self, images):
            return [images, F.avg_pool2d(images, 2, ceil_mode=True)]

    assert UNet(3, 2, Halves)(torch.rand(2, 3, 7, 9)).shape == (2, 2, 7, 9)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"long_skip": ["add"]}, "long_skip needs one value, or one for each of the 2 levels"),
        ({"long_skip": "sum"}, "long_skip takes none | add | concat, got 'sum'"),
        ({"upsample": "cubic"}, "upsample takes transpose | bilinear | nearest, got 'cubic'"),
        ({"upsample": "transpose", "squeeze": False}, "squeeze=false needs upsample=nearest or bilinear"),
        ({"decoder_widths": [4]}, "decoder_widths needs"),
        ({"decoder_widths": [4, 0]}, "decoder_widths must be whole numbers, 1 or more, got 0"),
        ({"num_classes": 0}, "num_classes must be whole numbers, 1 or more, got 0"),
    ],
)
def test_misuse_is_told(settings, sentence):
    with pytest.raises(MisuseError) as told:
        unet(**settings)
    assert sentence in str(told.value)
