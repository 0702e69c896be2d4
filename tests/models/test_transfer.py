from functools import partial

import pytest
import torch
from torch import nn

from segapp.errors import MisuseError
from segapp.models import PlainEncoder, UNet, transfer
from segapp.models.smp import SmpEncoder, SmpNet
from segapp.models.transfer import Learned, find_class_layers, transfer_weights

OLD = ["background", "cat", "dog"]


def plain(channels=3, classes=3, widths=(4, 6, 8), seed=0, **settings) -> UNet:
    torch.manual_seed(seed)
    return UNet(channels, classes, partial(PlainEncoder, widths=widths), **settings)


def learned(net, classes=tuple(OLD), channels=3) -> Learned:
    return Learned(net.state_dict(), classes, channels)


def equal(one, other) -> set[str]:
    """Return the names of the tensors of which both networks have the same."""
    theirs = other.state_dict()
    return {name for name, value in one.state_dict().items() if name in theirs and torch.equal(value, theirs[name])}


def test_the_same_network_with_the_same_classes_is_a_copy():
    there, here = plain(seed=1), plain(seed=2)
    taken = transfer_weights(here, learned(there), OLD, 3)
    assert equal(here, there) == set(there.state_dict()) == set(taken.taken)
    assert (taken.initial, taken.unused, taken.new_classes, taken.lost_classes) == ([], [], [], [])


def test_rows_follow_the_names_of_the_classes_and_new_ones_keep_their_values():
    there, here = plain(seed=1), plain(classes=4, seed=2)
    own = here.head.conv.weight.clone()
    taken = transfer_weights(here, learned(there), ["dog", "background", "bird", "Cat"], 3)
    weight, bias = there.head.conv.weight, there.head.conv.bias
    assert torch.equal(here.head.conv.weight, torch.stack([weight[2], weight[0], own[2], own[3]]))
    assert here.head.conv.bias[:2].tolist() == [bias[2].item(), bias[0].item()]
    assert (taken.classes, taken.new_classes, taken.lost_classes) == (["dog", "background"], ["bird", "Cat"], ["cat"])
    assert set(here.state_dict()) - equal(here, there) == {"head.conv.weight", "head.conv.bias"}


def test_the_same_number_of_classes_in_another_order_is_still_matched_by_name():
    there, here = plain(seed=1).eval(), plain(seed=2).eval()
    transfer_weights(here, learned(there), ["cat", "dog", "background"], 3)
    images = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(here(images), there(images)[:, [1, 2, 0]])


@pytest.mark.parametrize("channels", [1, 6])
def test_a_grey_image_gives_the_same_whatever_the_number_of_channels(channels):
    """6 channels are twice red, green, blue, each at half its weight; mean and std follow."""
    there, here = plain(seed=1, mean=[0.4] * 3, std=[0.2] * 3).eval(), plain(channels, seed=2).eval()
    transfer_weights(here, learned(there), OLD, channels)
    grey = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(here(grey.expand(1, channels, 16, 16)), there(grey.expand(1, 3, 16, 16)))
    assert here.normalise.mean.flatten().tolist() == pytest.approx([0.4] * channels)


def test_mean_and_std_of_one_channel_are_the_averages():
    there, here = plain(seed=1, mean=[0.3, 0.4, 0.8], std=[0.1, 0.2, 0.3]), plain(1)
    transfer_weights(here, learned(there), OLD, 1)
    assert here.normalise.mean.item() == pytest.approx(0.5)
    assert here.normalise.std.item() == pytest.approx(0.2)


def test_a_deeper_network_finds_the_bottleneck_in_its_encoder():
    there, here = plain(seed=1), plain(widths=(4, 6, 8, 10), seed=2)
    taken = transfer_weights(here, learned(there), OLD, 3)
    assert torch.equal(
        here.get_submodule("encoder.2.0.0.conv").weight, there.get_submodule("bottleneck.0.0.conv").weight
    )
    parts = {".".join(name.split(".")[:2]) for name in taken.initial}
    assert parts == {"bottleneck.0", "decoder.2"}
    assert taken.unused == []
    shallow = plain(widths=(4, 6), seed=3)
    back = transfer_weights(shallow, learned(there), OLD, 3)
    assert torch.equal(
        shallow.get_submodule("bottleneck.0.0.conv").weight, there.get_submodule("encoder.1.0.0.conv").weight
    )
    assert back.initial == [] and {name.split(".")[0] for name in back.unused} == {"bottleneck", "decoder"}


def test_outputs_of_deep_supervision_may_be_more_or_fewer():
    there, here = plain(seed=1), plain(seed=2, deep_supervision=1)
    taken = transfer_weights(here, learned(there), OLD, 3)
    assert {name.split(".")[0] for name in taken.initial} == {"auxiliary"}
    again = transfer_weights(there, learned(here), OLD, 3)
    assert again.initial == [] and {name.split(".")[0] for name in again.unused} == {"auxiliary"}


def test_encoders_and_architectures_of_smp_are_taken_as_a_whole():
    make = partial(SmpEncoder, name="resnet18")
    there, here = (UNet(channels, 2, make, decoder_widths=[4] * 5) for channels in (3, 1))
    transfer_weights(here, learned(there, ["a", "b"]), ["b", "c"], 1)
    first = there.encoder.model.conv1.weight.sum(1, keepdim=True)
    assert torch.equal(here.encoder.model.conv1.weight, first)
    assert torch.equal(here.head.conv.weight[0], there.head.conv.weight[1])
    one, other = (SmpNet(3, classes, "fpn", "resnet18") for classes in (2, 3))
    assert find_class_layers(one) == {"network.segmentation_head.0"}
    taken = transfer_weights(other, learned(one, ["a", "b"]), ["b", "c", "a"], 3)
    assert torch.equal(other.network.segmentation_head[0].weight[2], one.network.segmentation_head[0].weight[0])
    assert taken.initial == taken.unused == []


def test_another_architecture_is_refused_and_nothing_is_loaded():
    resnet = UNet(3, 3, partial(SmpEncoder, name="resnet18"), decoder_widths=[4] * 5)
    mobile = UNet(3, 3, partial(SmpEncoder, name="mobilenet_v2"), decoder_widths=[4] * 5)
    wider = UNet(3, 3, partial(SmpEncoder, name="resnet18"), decoder_widths=[8] * 5)
    for here, there in (
        (resnet, mobile),
        (resnet, wider),
        (resnet, plain()),
        (plain(), resnet),
        (plain(), plain(widths=(5, 6, 8))),
    ):
        before = {name: value.clone() for name, value in here.state_dict().items()}
        with pytest.raises(MisuseError, match="of another network"):
            transfer_weights(here, learned(there), OLD, 3)
        assert all(torch.equal(value, before[name]) for name, value in here.state_dict().items())


def test_a_network_whose_last_layer_nobody_knows_keeps_its_classes():
    there, here = nn.Sequential(nn.Conv2d(3, 3, 1)), nn.Sequential(nn.Conv2d(3, 3, 1))
    transfer_weights(here, learned(there), OLD, 3)
    assert equal(here, there) == {"0.weight", "0.bias"}
    with pytest.raises(MisuseError, match="`head`"):
        transfer_weights(here, learned(there), ["dog", "cat", "background"], 3)


def test_levels_of_thousands_of_digits_are_no_levels():
    weights = {f"encoder.{'9' * 5000}.weight": torch.zeros(1), "encoder.2.weight": torch.zeros(1)}
    assert len(transfer._name_by_level(weights)) == 2
