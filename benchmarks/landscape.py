"""Measure the overhead of `segapp landscape` over its forward passes.

    python benchmarks/landscape.py

Points per second of the loss surface (weights moved, batches computed, the loss taken) against the bare forward
passes of the same network on the same ready tensors, in turns, in one process.
"""

import argparse
from functools import partial

import torch
from interleaved import interleaved, interval, machine, ratio, table

from segapp.lab.landscape.directions import sample_direction
from segapp.lab.landscape.surface import LossSurface
from segapp.losses import DiceCrossEntropy
from segapp.models import PlainEncoder, UNet


def batches(count: int, size: int, side: int) -> list[dict]:
    generator = torch.Generator().manual_seed(0)
    draw = partial(torch.randint, dtype=torch.uint8, generator=generator)
    return [
        {"image": draw(0, 256, (size, 1, side, side)), "mask": draw(0, 2, (size, side, side))} for _ in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=21)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--side", type=int, default=128)
    options = parser.parse_args()
    torch.manual_seed(0)
    net = UNet(1, 2, encoder=partial(PlainEncoder, widths=[16, 32, 64, 128])).eval()
    net.to(memory_format=torch.channels_last)
    ready = batches(options.samples // 16, 16, options.side)
    images = [batch["image"].to(memory_format=torch.channels_last) for batch in ready]
    directions = [sample_direction(net, seed) for seed in (0, 1)]
    frozen = LossSurface(net, DiceCrossEntropy(), ready, directions)
    anew = LossSurface(net, DiceCrossEntropy(), ready, directions, recalibrate=True)

    def forward() -> None:
        with torch.inference_mode():
            for image in images:
                net(image)

    arms = {"bare forward": forward, "a point": lambda: frozen.compute_loss({0: 0.3, 1: -0.2})}
    arms["a point, recalibrated"] = lambda: anew.compute_loss({0: 0.3, 1: -0.2})
    seconds = interleaved(arms, options.blocks)
    bare = seconds["bare forward"]
    rows = [(name, interval([1e3 * t for t in times], 1), ratio(bare, times)) for name, times in seconds.items()]
    print(table(("arm", "ms", "rate / bare forward's"), rows))
    print(f"\n{options.samples} samples of {options.side} x {options.side}, configs/unet.yaml's network, fp32.")
    print(machine())


if __name__ == "__main__":
    main()
