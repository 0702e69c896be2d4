"""Measure the images per second of `segapp predict` and compare them with what the processor allows.

    python benchmarks/folder.py                                    # a quarter of an hour on two idle cores
    python benchmarks/folder.py --images 6 --block 2 --repeats 2   # a look

300 grey PNGs of 512 x 512, all arms with the same weights, precision and batch of one, no test-time augmentation.
Every arm does a block of images in each repeat, another block each time, and the arms take turns:

    bare      the network on a tensor that is ready: the limit where the network is nearly all of the work
    segapp    the command, called in this process: its checkpoint was opened before, once
    loop      read with Pillow, predict, argmax, write with Pillow, as a tutorial does it
    nnunet    nnU-Net's predictor around the very same network, in one process (`predict_from_files_sequential`: its
              other way starts six processes first, which costs more than a block), where nnunetv2 is installed
    reading, network, writing
              each alone, by its CPU seconds: cores / their sum per image is the bound where images are the work

Prints Markdown.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from itertools import count, cycle
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import PIL.Image
import prepared
import torch
from interleaved import Step, both, interleaved, interval, machine, table

from segapp.commands.predict import predict
from segapp.inference.open import Networks, open_networks
from segapp.io import Image, write_mask

NETWORKS = {"resnet34": (prepared.RESNET34, 20), "small": (prepared.SMALL, 50)}
"""The training options of each network, and the number of images per block."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--block", type=int, help="images of every arm in a repeat; 20 of resnet34, 50 of the small")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args()
    prepared.open_once()
    for name in options.networks:
        words, block = NETWORKS[name]
        path = prepared.checkpoint(name, words)
        with tempfile.TemporaryDirectory() as folder:
            print(measured(name, path, Path(folder), options.images, options.block or block, options.repeats))
    print(f"\n{machine('nnunetv2')}")


def measured(name: str, path: Path, folder: Path, images: int, block: int, repeats: int) -> str:
    started = time.perf_counter()
    networks = open_networks([str(path)])
    opening = time.perf_counter() - started
    blocks = Blocks(prepared.images(images), block, folder)
    seconds = interleaved(arms(networks, path, blocks), repeats, 1, both, warm=1)
    each = {arm: np.array(times) / block for arm, times in seconds.items()}  # (repeats, wall and CPU)
    cores = torch.get_num_threads()
    bound = cores / sum(each[arm][:, 1] for arm in ("reading", "network", "writing"))
    rows = []
    for arm in ("bare", "segapp", "loop", "nnunet"):
        if arm in each:
            rate = 1 / each[arm][:, 0]
            beside = interval(rate * each["bare"][:, 0]), interval(rate / bound)
            rows.append([arm, interval(rate, 2), *beside, f"{np.median(each[arm][:, 1]) * 1e3:.1f}"])
    parts = ", ".join(f"{arm} {np.median(each[arm][:, 1]) * 1e3:.1f}" for arm in ("reading", "network", "writing"))
    title = f"\n{name}, {networks.spec.precision}, {cores} threads; {repeats} repeats of {block} of {images} images"
    told = f"CPU ms an image, each alone: {parts}; bound {np.median(bound):.2f} images/s."
    header = ["arm", "images/s", "beside bare", "beside the bound", "CPU ms an image"]
    return f"{title}\n\n{table(header, rows)}\n\n{told} Opening the checkpoint, once: {opening:.1f} s."


class Blocks:
    """Folders of one block of images each, used in turn, and a new output folder for every call."""

    def __init__(self, images: Sequence[Path], size: int, folder: Path) -> None:
        self.folders = []
        for number in range(max(1, len(images) // size)):
            place = folder / f"images-{number}"
            place.mkdir()
            for path in images[number * size : (number + 1) * size]:
                (place / f"{path.stem}_0000.png").symlink_to(path.resolve())  # nnU-Net's names
            self.folders.append(place)
        self._folder, self._number = folder, count()

    def each(self, work: Callable[[Path, Path], object]) -> Step:
        """Return a step that calls `work(images, output)` with the next block every time."""
        turn = cycle(self.folders)

        def step() -> None:
            output = self._folder / f"masks-{next(self._number)}"
            output.mkdir()
            with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
                work(next(turn), output)

        return step


def arms(networks: Networks, path: Path, blocks: Blocks) -> dict[str, Step]:
    spec, runtime = networks.spec, networks.members[0]
    net, half = runtime.net, spec.precision == "bf16-mixed"
    ready = torch.randint(256, (1, 1, 512, 512), dtype=torch.uint8).to(memory_format=torch.channels_last)

    def forward(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return net(images)

    def bare(images: Path, output: Path) -> None:
        for _ in images.iterdir():
            forward(ready)

    def segapp(images: Path, output: Path) -> None:
        predict(str(path), str(images), str(output))

    def loop(images: Path, output: Path) -> None:
        for file in sorted(images.iterdir()):
            pixels = torch.from_numpy(np.array(PIL.Image.open(file)))[None, None]
            mask = forward(pixels).argmax(dim=1)[0].to(torch.uint8).numpy()
            PIL.Image.fromarray(mask).save(output / file.name)

    def reading(images: Path, output: Path) -> None:
        for file in sorted(images.iterdir()):
            copy = output / file.name  # a path that has not been read before, so that nothing is remembered
            copy.symlink_to(file.resolve())
            Image(copy, spec.channels, spec.intensity).read()

    example = next(blocks.folders[0].iterdir())
    logits = runtime(Image(example, spec.channels, spec.intensity).read().transpose(2, 0, 1)[None])[0]

    def writing(images: Path, output: Path) -> None:
        for file in images.iterdir():
            write_mask(output / file.name, runtime.compute_indices(logits), spec.palette)

    made: dict[str, Callable[[Path, Path], object]] = {"bare": bare, "segapp": segapp, "loop": loop}
    made |= {"reading": reading, "network": bare, "writing": writing}
    if find_spec("nnunetv2"):
        made["nnunet"] = nnunet(networks)
    return {name: blocks.each(work) for name, work in made.items()}


def nnunet(networks: Networks) -> Callable[[Path, Path], object]:
    from nnunet import Inside, predictor

    with redirect_stdout(None):
        made = predictor(Inside(networks.members[0].net, networks.spec.precision == "bf16-mixed").eval())

    def work(images: Path, output: Path) -> None:
        made.predict_from_files_sequential(str(images), str(output))

    return work


if __name__ == "__main__":
    main()
