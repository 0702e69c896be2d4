"""Every configs/model/*.yaml builds, and one step of it runs."""

from pathlib import Path

import jsonargparse
import pytest
import torch
import yaml
from torch import nn

from segapp.models import count_params

FRAGMENTS = sorted((Path(__file__).parents[2] / "configs" / "model").glob("*.yaml"))


def build(fragment, in_channels, num_classes):
    net = yaml.safe_load(fragment.read_text())["net"]
    net["init_args"] |= {"in_channels": in_channels, "num_classes": num_classes}
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--net", type=nn.Module)
    return parser.instantiate(parser.parse_object({"net": net})).net


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_every_fragment_builds_and_gives_gradients(fragment):
    net = build(fragment, 1, 2)
    net(torch.rand(2, 1, 64, 64)).square().mean().backward()
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.stem)
def test_every_fragment_opens_with_its_command(fragment):
    first = fragment.read_text().splitlines()[0]
    assert first == f"# segapp fit --config configs/unet.yaml --model configs/model/{fragment.name}"


def test_ronneberger_has_the_known_number_of_parameters():
    """Convolutions 9·i·o + o, transposed 4·i·o + o, the last 64·2 + 2: 31,030,658 (31.03 M) with padding or without."""
    widths = [64, 128, 256, 512, 1024]
    down = sum(9 * i * o + o + 9 * o * o + o for i, o in zip([1, *widths], widths, strict=False))
    up = sum(4 * 2 * w * w + w + 9 * 2 * w * w + w + 9 * w * w + w for w in widths[:-1])
    expected = down + up + 64 * 2 + 2
    assert expected == 31_030_658
    net = build(FRAGMENTS[0].parent / "ronneberger2015.yaml", 1, 2)
    assert count_params(net) == expected
    assert not any(isinstance(part, nn.BatchNorm2d) for part in net.modules())
