"""Part `loader` of training.py: the rate of the loader beside a plain loop, and the effect of the cache on PNG."""

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import torch
from interleaved import CLOCKS, Step, interleaved, ratio

from segapp.datasets import Cells
from segapp.loading.datamodule import SegmentationDataModule
from segapp.transforms import Flips, Microscopy, use_one_thread

SIDE, CROP, BATCH = 512, 256, 8


def loaders(options: argparse.Namespace) -> str:
    """Compare loaders that deliver batches of uint8 tensors, in one thread unless workers are named."""
    use_one_thread()
    torch.set_num_threads(1)
    source = Cells(root=f"data/cells{SIDE}", size=SIDE, train=48, val=1, test=0)
    source.items("train")
    rich, flips = A.Compose(plain_transforms()), A.Compose([A.RandomCrop(CROP, CROP), A.HorizontalFlip()])
    made = {
        "plain loop": plain(rich),
        "loader": loader(source),
        "loader, 2 workers": loader(source, num_workers=2),
        "plain loop, flips": plain(flips),
        "loader, flips": loader(source, augment=[]),
        "loader, flips, cache": loader(source, augment=[], cache_gb=1.0),
    }
    arms = {name: batches(made[name], options.batches) for name in made}
    if options.clock == "cpu":  # which sees this process only
        del arms["loader, 2 workers"]
    seconds = interleaved(arms, options.blocks, 1, CLOCKS[options.clock])
    samples = options.batches * BATCH
    what = f"{samples} crops of {CROP}² from PNGs of {SIDE}²"
    lines = [f"\n{options.blocks} blocks of {what}; {options.clock} time\n"]
    lines += ["| arm | samples a second and core | beside the plain loop |", "|---|---|---|"]
    for name, times in seconds.items():
        cores = 2 if "2 workers" in name else 1
        base = seconds["plain loop, flips" if "flips" in name else "plain loop"]
        rate, beside = samples / statistics.median(times) / cores, ratio(np.array(base), np.array(times) * cores)
        lines.append(f"| {name} | {rate:.0f} | {beside} |")
    lines.append(f"\ncache beside no cache: {ratio(seconds['loader, flips'], seconds['loader, flips, cache'])}")
    return "\n".join(lines)


def plain_transforms() -> list[A.BasicTransform]:
    """Return the transforms of `Microscopy`, written with albumentations: flips, turns, zoom, rotation, intensity."""
    zoom = A.Affine(scale=(0.75, 1.33), rotate=(-45, 45), border_mode=cv2.BORDER_REFLECT_101, p=0.3)
    return [A.RandomCrop(CROP, CROP), A.D4(), zoom, *Microscopy().make_transforms(1)]


def plain(change: A.Compose) -> Iterator[dict[str, torch.Tensor]]:
    """Yield batches from a plain loop in one process: decode, augment, stack."""
    root = Path(f"data/cells{SIDE}/train")
    names, rng = sorted(path.name for path in (root / "images").iterdir()), np.random.default_rng(0)
    while True:
        images, masks = [], []
        for name in rng.choice(names, BATCH):
            image = cv2.imread(str(root / "images" / name), cv2.IMREAD_GRAYSCALE)[..., None]
            mask = cv2.imread(str(root / "masks" / name), cv2.IMREAD_GRAYSCALE)
            changed = change(image=image, mask=mask)
            images.append(changed["image"].reshape(CROP, CROP, 1).transpose(2, 0, 1))
            masks.append(changed["mask"])
        yield {"image": torch.from_numpy(np.stack(images)), "mask": torch.from_numpy(np.stack(masks))}


def loader(source: Cells, augment: list | None = None, **settings: object) -> Iterator[dict]:
    """Return an iterator over the batches of an endless epoch."""
    chosen = [Microscopy()] if augment is None else [Flips()]
    settings = {"num_workers": 0, "crops_per_image": 1000, "augment": chosen} | settings
    data = SegmentationDataModule(source, BATCH, CROP, **settings)
    return iter(data.train_dataloader())


def batches(source: Iterator[dict], count: int) -> Step:
    def step() -> None:
        for _ in range(count):
            next(source)

    return step
