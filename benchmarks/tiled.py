"""Measure time and memory of `segapp predict` on large images, beside the forward time of their windows.

    python benchmarks/tiled.py                              # 33 minutes on two idle cores
    python benchmarks/tiled.py --sizes 2048 --repeats 2     # a look
    python benchmarks/tiled.py --memory                     # a quarter of an hour: 20,000 x 20,000 and 10,000 high

RGB TIFFs in tiles of 512, deflate, made of drawn cells; the network is that of configs/unet.yaml, windows of 512 with
a quarter shared, Gaussian weights, batches of one. Arms, in turn:

    forward   the network on a tensor that is ready, as often as the image has windows
    segapp    the command, called in this process with its checkpoint opened before: file to file
    monai     MONAI's SlidingWindowInferer: same network, precision, windows, overlap and weights; the image read and
              the mask written by tifffile; where MONAI is installed, up to --monai_to pixels a side

Half of the forwards stand before the others and half after them. Of an image with a thousand windows and more, one in
ten is computed and what they took counts ten times; large images are predicted fewer times than --repeats says.
Memory: the peak above what the process held with the network loaded, each in a process of its own. Prints Markdown.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import prepared
import tifffile
import torch
from interleaved import Step, interleaved, interval, machine, raised_by, ratio, table

import segapp.commands.predict as command
from segapp.datasets.microscopy import draw_image
from segapp.inference.open import Networks, open_networks
from segapp.inference.windows import list_window_starts

TILE = 512
REPEATS = {6144: 1.0, 20000: 0.1}
"""Up to a side, the share of --repeats that are made; one at least."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[2048, 6144, 20000])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--monai_to", type=int, default=6144)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--classes", nargs="+", type=int, default=[2, 20], help="with --memory")
    parser.add_argument("--side", type=int, default=20000, help="with --memory: this square, and half as high")
    parser.add_argument("--alone", choices=["segapp", "monai"], help=argparse.SUPPRESS)
    parser.add_argument("--inputs", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        print(f"peak: {peak_of(options.alone, *options.inputs)}")
        return
    path = prepared.checkpoint("small-rgb", prepared.SMALL, channels=3)
    print(f"\n{memory(path, options) if options.memory else times(path, options)}")
    print(f"\n{machine('monai', 'tifffile')}")


def times(path: Path, options: argparse.Namespace) -> str:
    rows = []
    networks = open_networks([str(path)])
    prepared.open_once()
    for side in options.sizes:
        image = picture(side, side)
        repeats = max(1, round(options.repeats * next((share for to, share in REPEATS.items() if side <= to), 0)))
        with tempfile.TemporaryDirectory() as folder:
            made = arms(networks, path, image, Path(folder), side <= options.monai_to)
            seconds = interleaved(made, repeats, warm=0)
        forward = np.array(seconds.pop("before")) + np.array(seconds.pop("after"))
        seconds = {"forward": list(forward * one_in(windows_of(side, side)))} | seconds
        for name, taken in seconds.items():
            peak = "" if name == "forward" else f"{alone(name, path, image):,}"
            rows.append([f"{side:,}²", windows_of(side, side), name, interval(taken, 2)])
            rows[-1] += [ratio(taken, seconds["forward"]), repeats, peak]
    header = ["image", "windows", "arm", "s", "beside forward", "repeats", "peak above the network, MB"]
    return table(header, rows)


def memory(path: Path, options: argparse.Namespace) -> str:
    rows = []
    for classes in options.classes:
        model = path if classes == 2 else prepared.with_classes(path, classes)
        for height in (options.side // 2, options.side):
            image = picture(height, options.side)
            rows.append([f"{height:,} x {options.side:,}", classes, f"{alone('segapp', model, image):,}"])
    return table(["image (height x width)", "K", "peak above the loaded model, MB"], rows)


def picture(height: int, width: int) -> Path:
    """Return a tiled RGB TIFF, written once; each tile is one of 16 images of cells, at random."""
    path = prepared.DATA / f"cells-{height}x{width}.tif"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        pieces = [draw_image(TILE, 3, False, np.random.Generator(np.random.PCG64(seed)))[0] for seed in range(16)]
        chance = np.random.default_rng(0)

        def tiles() -> Iterator[np.ndarray]:
            for _ in range(-(-height // TILE) * -(-width // TILE)):
                yield pieces[chance.integers(len(pieces))]

        half = path.with_suffix(".half")
        kind = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "adobe_deflate", "metadata": None}
        tifffile.imwrite(half, tiles(), shape=(height, width, 3), dtype=np.uint8, bigtiff=True, **kind)
        half.rename(path)
    return path


def windows_of(height: int, width: int) -> int:
    return len(list_window_starts(height, TILE, 0.25)) * len(list_window_starts(width, TILE, 0.25))


def arms(networks: Networks, path: Path, image: Path, folder: Path, monai: bool) -> dict[str, Step]:
    with tifffile.TiffFile(image) as file:
        windows = windows_of(*file.pages[0].shape[:2])
    ready = torch.randint(256, (1, 3, TILE, TILE), dtype=torch.uint8).to(memory_format=torch.channels_last)

    for _ in range(3):  # what torch prepares at its first calls
        forward(networks, ready)

    def forwards() -> None:
        for _ in range(round(windows / 2 / one_in(windows))):
            forward(networks, ready)

    made: dict[str, Step] = {"before": forwards, "segapp": lambda: segapp(path, image, folder)}
    if monai and find_spec("monai"):
        infer = monai_inferer(networks)
        made["monai"] = lambda: infer(image, folder / "monai.tif")
    return made | {"after": forwards}


def one_in(windows: int) -> int:
    """Return how many windows are represented by each one that the bare forward is timed on."""
    return 10 if windows >= 1000 else 1


def forward(networks: Networks, images: torch.Tensor) -> torch.Tensor:
    half = networks.spec.precision == "bf16-mixed"
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        return networks.members[0].net(images)


def segapp(path: Path, image: Path, folder: Path) -> None:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        if command.predict(str(path), str(image), tempfile.mkdtemp(dir=folder)):
            raise RuntimeError("segapp predict failed")


def monai_inferer(networks: Networks) -> Callable[[Path, Path], None]:
    from monai.inferers import SlidingWindowInferer

    inferer = SlidingWindowInferer((TILE, TILE), sw_batch_size=1, overlap=0.25, mode="gaussian")

    def work(image: Path, mask: Path) -> None:
        pixels = torch.from_numpy(tifffile.imread(image)).permute(2, 0, 1)[None] / 255  # it computes in floats only
        with torch.inference_mode():
            logits = inferer(pixels, lambda windows: forward(networks, windows).float())
        indices = logits.argmax(dim=1)[0].to(torch.uint8).numpy()
        tifffile.imwrite(mask, indices, tile=(256, 256), compression="adobe_deflate", metadata=None)

    return work


# ---------------------------------------------------------------------------------------------------- memory


def alone(arm: str, path: Path, image: Path) -> int:
    """Return the MB that an arm needs above the loaded network, measured in a process of its own."""
    words = [sys.executable, __file__, "--alone", arm, "--inputs", str(path), str(image)]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return int(said.rpartition("peak: ")[2])


def peak_of(arm: str, path: Path, image: Path) -> int:
    networks = open_networks([str(path)])
    work = monai_inferer(networks) if arm == "monai" else None
    command.open_networks = lambda *given: networks  # type: ignore[assignment]
    forward(networks, torch.zeros(1, 3, 64, 64, dtype=torch.uint8))  # what torch loads at its first use
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        step = partial(segapp, path, image, folder) if work is None else partial(work, image, folder / "mask.tif")
        return round(raised_by(step) / 1e6)


if __name__ == "__main__":
    main()
