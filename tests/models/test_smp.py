"""None"""

from functools import partial
from itertools import product

import pytest
import segmentation_models_pytorch as smp
import torch

from segapp.errors import MisuseError
from segapp.export.convert import convert_to_onnx
from segapp.inference.exported_runtime import OnnxRuntime
from segapp.models import UNet, count_params
from segapp.models.smp import SmpEncoder, SmpNet
from tests.inference.checkpoints import make_spec

ENTERED = [(1, "none"), (3, "add"), (16, "concat")]
"""Channels of the images, and the long skip."""
ENCODERS = [
    *product(["resnet18", "mit_b0"], ENTERED),  # mit_b0 has a level without channels
    ("tu-convnext_atto", (16, "concat")),
    ("efficientnet-b0", (1, "none")),
]


@pytest.mark.parametrize(("name", "entered"), ENCODERS)
def test_every_long_skip_trains_with_every_kind_of_encoder(name, entered):
    in_channels, long_skip = entered
    torch.manual_seed(0)
    net = UNet(in_channels, 3, partial(SmpEncoder, name=name), long_skip=long_skip, decoder_widths=[8] * 5)
    logits = net(torch.rand(2, in_channels, 37, 50))
    assert logits.shape == (2, 3, 37, 50)
    logits.square().mean().backward()
    # Without a gradient at all, DDP would wait for ever.
    assert [key for key, p in net.named_parameters() if p.requires_grad and p.grad is None] == []


def test_none_passes_nothing_by_the_bottleneck():
    net = UNet(3, 2, partial(SmpEncoder, name="resnet18"), long_skip="none").eval()
    images = torch.rand(1, 3, 64, 64)
    before = net(images)
    for level in range(5):
        net.get_submodule(f"encoder.{level}").register_forward_hook(lambda module, seen, feature: feature + 1)
    assert torch.equal(net(images), before)
    net.get_submodule("encoder.5").register_forward_hook(lambda module, seen, feature: feature + 1)
    assert not torch.equal(net(images), before)


def test_features_flow_through_numbered_submodules():
    net, seen = UNet(3, 2, partial(SmpEncoder, name="resnet18")), {}
    for level in range(6):
        net.get_submodule(f"encoder.{level}").register_forward_hook(
            lambda module, given, feature, level=level: seen.update({level: feature.shape[1]})
        )
    net(torch.rand(2, 3, 64, 64))
    assert list(seen.values())[1:] == net.encoder.out_channels[1:] == [64, 64, 128, 256, 512]


@pytest.mark.parametrize(("name", "skipped"), [("mit_b0", [0, 0, 32, 64, 160]), ("resnet18", [0, 64, 64, 128, 256])])
def test_levels_without_channels_are_none_even_when_concatenated(name, skipped):
    net = UNet(3, 2, partial(SmpEncoder, name=name), decoder_widths=[8] * 5)
    assert [level.skip.out_channels - 8 for level in net.decoder] == skipped


def test_the_concatenating_unet_has_smps_weights_but_for_its_leaner_upsampling():
    """Ours brings the deeper level to the block's width by 1×1 before the 3×3, which then sees that many fewer."""
    ours = UNet(3, 2, partial(SmpEncoder, name="resnet18"), upsample="nearest")
    theirs = smp.Unet("resnet18", encoder_weights=None, in_channels=3, classes=2)
    deeper, widths, skips = [512, 256, 128, 64, 32], [256, 128, 64, 32, 16], [256, 128, 64, 64, 0]
    upsampling = sum(d * w - 9 * (d - w) * w for d, w in zip(deeper, widths, strict=True))
    # Pre-activation puts each norm before its convolution; the head is 1×1 instead of 3×3.
    norms = sum(2 * (w + s) - 2 * w for w, s in zip(widths, skips, strict=True)) + 2 * 16
    head = (1 - 9) * 16 * 2
    assert count_params(ours) == count_params(theirs) + upsampling + norms + head


def test_stages_beyond_the_depth_are_frozen():
    net = UNet(3, 2, partial(SmpEncoder, name="resnet18", depth=3))
    assert net.encoder.reductions == [1, 2, 4, 8]
    net(torch.rand(2, 3, 32, 32)).sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in net.parameters())


@pytest.mark.slow
def test_compiles_without_a_graph_break_and_exports():
    net = UNet(1, 2, partial(SmpEncoder, name="resnet18"), decoder_widths=[8] * 5).eval()
    images = torch.rand(2, 1, 64, 96)
    plain = net(images)
    dynamic = torch.export.Dim.DYNAMIC
    exported = torch.export.export(net, (images,), dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},))
    odd = torch.rand(1, 1, 97, 65)
    torch.testing.assert_close(exported.module()(odd), net(odd), rtol=1e-3, atol=1e-4)
    net.compile(backend="eager", fullgraph=True)
    torch.testing.assert_close(net(images), plain)


@pytest.mark.parametrize("architecture", ["DeepLabV3Plus", "fpn", "Unet"])
def test_any_architecture_takes_any_size(architecture):
    net = SmpNet(4, 3, architecture, "resnet18")
    assert net(torch.rand(2, 4, 67, 50)).shape == (2, 3, 67, 50)


@pytest.mark.parametrize(("architecture", "encoder"), [("PSPNet", "resnet18"), ("Unet", "efficientnet-b0")])
def test_every_trainable_parameter_has_a_gradient(architecture, encoder):
    """DDP waits for all of them, and ends in the second step where one has none."""
    net = SmpNet(3, 2, architecture, encoder)
    net(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert not [name for name, value in net.named_parameters() if value.requires_grad and value.grad is None]
    assert all(value.requires_grad for name, value in net.named_parameters() if "decoder" in name)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [name for name in smp.MODEL_ARCHITECTURES_MAPPING if name != "dpt"])
def test_all_architectures_train_on_odd_sizes(architecture):
    net = SmpNet(3, 2, architecture, "mit_b0" if architecture == "segformer" else "resnet18")
    logits = net(torch.rand(2, 3, 130, 129))
    assert logits.shape == (2, 2, 130, 129)
    logits.sum().backward()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's exporter and onnxscript
@pytest.mark.parametrize(
    "make",
    [
        lambda: UNet(3, 2, partial(SmpEncoder, name="tu-convnext_atto", depth=3), decoder_widths=[8] * 3),
        lambda: SmpNet(3, 2, "linknet", "resnet18", options={"encoder_depth": 3}),
        lambda: UNet(3, 2, partial(SmpEncoder, name="tu-tf_efficientnet_lite0"), decoder_widths=[8] * 5),
    ],
    ids=["a level without channels", "padded to the stride", "padded as in TensorFlow"],
)
def test_exported_to_onnx_odd_sizes_are_rounded_as_in_torch(make, tmp_path):
    """ONNX divides integers towards zero: -(-h // stride) would round down there, and up in torch."""
    torch.manual_seed(0)
    net = make().eval()
    convert_to_onnx(net, make_spec(), tmp_path / "network.onnx")
    exported = OnnxRuntime(tmp_path / "network.onnx")
    for height, width in ((67, 45), (97, 130), (64, 96)):
        images = torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8)
        with torch.inference_mode():
            expected = net(images)
        found = torch.from_numpy(exported(images.numpy()))
        assert found.shape == expected.shape == (1, 2, height, width)
        assert (found - expected).abs().max() < 1e-3 * expected.abs().max()


def test_a_padded_image_keeps_its_place():
    net = SmpNet(3, 2, "fpn", "resnet18").eval()
    images = torch.rand(1, 3, 64, 64)
    edge = torch.cat([images, images[..., -1:].expand(-1, -1, -1, 32)], dim=3)
    torch.testing.assert_close(net(edge[..., :80]), net(edge)[..., :80])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SmpEncoder(3, "resnet19"), "no encoder is called 'resnet19'"),
        (lambda: SmpEncoder(3, "tu-resnet19"), "no encoder is called 'tu-resnet19'"),
        (lambda: SmpEncoder(3, "resnet18", depth=6), "depth must be 3 … 5 for encoder resnet18, got 6"),
        (
            lambda: SmpEncoder(3, "resnet18", pretrained="hub", weights="advprop"),
            "weights for encoder resnet18 must be imagenet",
        ),
        (lambda: SmpEncoder(3, "resnet18", options={"drop": 1}), "has no options, got drop"),
        (lambda: SmpEncoder(3, "tu-resnet10t", options={"output_stride": 8}), "leave output_stride out"),
        (
            lambda: SmpNet(3, 2, "Unet", "resnet18", options={"decoder_chanels": 1}),
            "no options decoder_chanels; it takes",
        ),
        (lambda: SmpNet(3, 2, "Unet", "tu-resnet10t", options={"activation": "softmax"}), "no options activation"),
        (lambda: SmpNet(3, 2, "unet4"), "architecture must be one of Unet | .*, got 'unet4'"),
        (lambda: SmpEncoder(3, "resnet18")(torch.rand(1, 3, 16, 40)), "at least 32×32 pixels, got 16×40"),
        (
            lambda: UNet(3, 2, partial(SmpEncoder, name="resnet18"))(torch.rand(1, 3, 32, 32)),
            "batch of 2 or more",
        ),
        (lambda: SmpNet(3, 2, encoder="resnet18")(torch.rand(1, 3, 64, 64)), "use a batch of 2 or more"),
        (
            lambda: SmpEncoder(3, "tu-swin_tiny_patch4_window7_224")(torch.rand(1, 3, 64, 64)),
            r"does not accept images of 64×64 pixels \(.*224.*\): set data\.crop",
        ),
    ],
)
def test_misuse_is_told(make, sentence):
    with pytest.raises(MisuseError, match=sentence):
        make()


def test_the_stand_in_of_a_level_without_channels_rounds_up_like_the_others():
    features = SmpEncoder(3, "mit_b0")(torch.rand(2, 3, 37, 51))
    assert features[1].shape == (2, 0, 19, 26)
