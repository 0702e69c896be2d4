"""Compare three kinds of upsampling by the checkerboard in their logits and by Dice, at initialisation and trained.

    python benchmarks/upsampling.py                              # Cells alone, some 12 minutes of one core's time
    python benchmarks/upsampling.py --camvid data/camvid         # and road scenes, some 25 minutes
    python benchmarks/upsampling.py --camvid data/camvid --crop 128 --epochs 40 --validate 26 --device auto  # on a GPU

Every run is an ordinary `segapp fit` of configs/unet.yaml with another `upsample`; runs of one seed share all other
initial weights. Writes runs/upsampling/table.csv and prints its means as Markdown. Runs that are in the table are not
repeated.

    peak P     power of the logits at the frequencies of a pattern of period P over that of neighbouring frequencies,
               in dB, the mean over these frequencies and images; a decoder that doubles sizes leaves periods 2, 4, 8
    flat       deviation of the logits of a uniformly grey image, in per cent of that of the validation images' logits:
               whatever it is, it is not the image's
    dots       pixels in 1,000 whose class none of their four neighbours has

Measured on the validation images, and on `foreign` images, which are those of the other set (with --camvid).
"""

import argparse
import csv
import itertools
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn

from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.cli import main as segapp
from segapp.inference.runtime import choose_device
from segapp.loading.source_building import build_source
from segapp.models import NamedInit, PlainEncoder, UNet

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
MODES = ("transpose", "bilinear", "nearest")
PERIODS = (2, 4, 8)
FOLDER = Path("runs/upsampling")
TABLE = FOLDER / "table.csv"
SIDE, IMAGES = 256, 6
WIDTHS = (16, 32, 64, 128)  # as in configs/unet.yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--camvid", help="folder of CamVid, laid out as configs/data/camvid.yaml says")
    parser.add_argument("--epochs", type=int, default=4, help="of some 24 steps of 16 crops")
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--validate", type=int, default=12, help="images of which Dice is computed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto")
    options = parser.parse_args()
    sets = ["cells", *(["camvid"] if options.camvid else [])]
    for seed, name, mode in itertools.product(range(options.seeds), sets, MODES):
        key = {"set": name, "upsample": mode, "seed": seed, "epochs": options.epochs, "crop": options.crop}
        if not any(is_of(row, key) for row in read_table()):
            add_rows([key | row for row in measure_run(name, mode, seed, options)])
    print(markdown({"epochs": options.epochs, "crop": options.crop}))


# ---------------------------------------------------------------------------------------------------- runs


def measure_run(name: str, mode: str, seed: int, options: argparse.Namespace) -> list[dict[str, object]]:
    """Train one network; return a row of its measures before training and one of those after."""
    run = train(name, mode, seed, options)
    _, net, record = load_checkpoint(run / "checkpoints" / "best.ckpt")
    with (run / "metrics.csv").open(newline="") as file:
        dice = max(float(row["val/dice/dataset"]) for row in csv.DictReader(file) if row["val/dice/dataset"])
    other = {"cells": "camvid", "camvid": "cells"}[name]
    own = read_images(name, options.camvid)
    foreign = read_images(other, options.camvid) if options.camvid else []
    init = record["net"]["init_args"]
    fresh = initial_net(init["in_channels"], init["num_classes"], mode, seed)
    device = choose_device(options.device)
    return [
        {"state": state, "dice": score, **measure(each.to(device), own, foreign)}
        for state, each, score in (("initial", fresh, ""), ("trained", net, round(dice, 4)))
    ]


def train(name: str, mode: str, seed: int, options: argparse.Namespace) -> Path:
    """Fit one network, validated once, at the end; return the run's folder."""
    folder = FOLDER / f"{name}-{mode}-{seed}-{options.epochs}-{options.crop}"
    words = ["fit", "--config", str(CONFIGS / "unet.yaml")]
    if name == "camvid":
        words += ["--data", str(CONFIGS / "data" / "camvid.yaml"), f"--data.source.init_args.root={options.camvid}"]
        words += ["--data.crops_per_image=4", "--data.batch_size=16", "--data.window=256"]
    code = segapp(
        [
            *words,
            f"--name={folder.relative_to('runs')}",
            f"--seed_everything={seed}",
            f"--model.net.init_args.upsample={mode}",
            f"--data.crop={options.crop}",
            f"--trainer.max_epochs={options.epochs}",
            f"--trainer.limit_val_batches={options.validate}",
            f"--trainer.check_val_every_n_epoch={options.epochs}",
            f"--trainer.accelerator={'cpu' if choose_device(options.device).type == 'cpu' else 'gpu'}",
            "--trainer.callbacks=[segapp.callbacks.EMA]",
            "--trainer.enable_progress_bar=false",
        ]
    )
    if code:
        raise SystemExit(f"segapp fit ended with {code}")
    return max(path for path in folder.iterdir() if (path / "metrics.csv").is_file())


def initial_net(channels: int, classes: int, mode: str, seed: int) -> nn.Module:
    """Return the network as `segapp fit` begins with it."""
    with NamedInit() as drawn:
        net = UNet(channels, classes, lambda given: PlainEncoder(given, widths=WIDTHS), upsample=mode)
    drawn.resample(net, seed)
    return net.train()  # statistics of the batch: those that are kept are of no data yet


def read_images(name: str, camvid: str | None) -> list[np.ndarray]:
    """Return the middle of some validation images, (SIDE, SIDE, C) uint8."""
    data: dict = {"source": {"class_path": "segapp.datasets.Cells", "init_args": {"root": "data/cells"}}}
    if name == "camvid":
        data = yaml.safe_load((CONFIGS / "data" / "camvid.yaml").read_text())
        data["source"]["init_args"]["root"] = camvid
    items = build_source(name, {"source": data["source"]}).items("val")
    chosen = [items[place] for place in np.linspace(0, len(items) - 1, IMAGES).round().astype(int)]
    return [cropped(item.image.read()) for item in chosen]


def cropped(pixels: np.ndarray) -> np.ndarray:
    top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


# ---------------------------------------------------------------------------------------------------- measures


@torch.inference_mode()
def logits_of(net: nn.Module, images: Sequence[np.ndarray], channels: int) -> np.ndarray:
    """Return (N, K, SIDE, SIDE) float64 logits; grey images are repeated, colour ones averaged, as the net needs."""
    shown = [
        image if image.shape[2] == channels else image.mean(2, keepdims=True).repeat(channels, 2) for image in images
    ]
    batch = torch.from_numpy(np.stack(shown).transpose(0, 3, 1, 2).astype(np.uint8))
    return net(batch.to(next(net.parameters()).device)).double().cpu().numpy()


def measure(net: nn.Module, own: Sequence[np.ndarray], foreign: Sequence[np.ndarray]) -> dict[str, float | str]:
    """Return the peaks, dots and flat deviation of one network, rounded."""
    channels = own[0].shape[2]
    seen = {"own": logits_of(net, own, channels)}
    if foreign:
        seen["foreign"] = logits_of(net, foreign, channels)
    measured: dict[str, float | str] = {}
    for where in ("own", "foreign"):
        logits = seen.get(where)
        for period in PERIODS:
            measured[f"{where} peak {period}"] = "" if logits is None else round(peak(logits, period), 2)
        measured[f"{where} dots"] = "" if logits is None else round(dots(logits), 2)
    # Beside real images, as batch statistics would otherwise be those of grey alone.
    grey = logits_of(net, [*own, np.full_like(own[0], 128)], channels)[-1]
    inner = centred(grey[:, SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4])
    measured["flat"] = round(100 * float(inner.std() / centred(seen["own"]).std()), 2)
    return measured


def centred(logits: np.ndarray) -> np.ndarray:
    """Return logits (…, K, h, w) less the mean over classes, which changes no prediction, and over positions."""
    logits = logits - logits.mean(-3, keepdims=True)
    return logits - logits.mean((-2, -1), keepdims=True)


def peak(logits: np.ndarray, period: int) -> float:
    """Return how far the power at the frequencies of this period, and of no shorter one, exceeds its surroundings.

    Power is summed over classes, a peak's over the main lobe of the Hann window (3 x 3 bins), and compared with the
    mean of the bins 4 to 8 away on every side; both axes' frequencies are multiples of 1 / period.
    """
    window = np.hanning(SIDE + 1)[:-1]
    power = np.abs(np.fft.fft2(centred(logits) * window * window[:, None])) ** 2
    power = power.sum(1)
    grid = range(0, period)
    places = [(i, j) for i in grid for j in grid if i % 2 or j % 2]
    return statistics.mean(
        10 * np.log10(ratio) for i, j in places for ratio in around(power, i * SIDE // period, j * SIDE // period)
    )


def around(power: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return (N,) mean power within one bin over that 4 to 8 bins away."""
    reach = np.arange(-8, 9)
    square = power[:, (row + reach)[:, None] % SIDE, (column + reach) % SIDE]
    far = np.maximum(np.abs(reach)[:, None], np.abs(reach))
    return square[:, far <= 1].mean(1) / square[:, far >= 4].mean(1)


def dots(logits: np.ndarray) -> float:
    """Return how many pixels in 1,000 have a class that none of their four neighbours has."""
    classes = logits.argmax(1)
    middle = classes[:, 1:-1, 1:-1]
    beside = (classes[:, :-2, 1:-1], classes[:, 2:, 1:-1], classes[:, 1:-1, :-2], classes[:, 1:-1, 2:])
    return 1000 * float(np.all([middle != other for other in beside], axis=0).mean())


# ---------------------------------------------------------------------------------------------------- the table


def is_of(row: dict[str, str], key: dict[str, object]) -> bool:
    return all(row[name] == str(value) for name, value in key.items())


def read_table() -> list[dict[str, str]]:
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def add_rows(rows: Sequence[dict[str, object]]) -> None:
    """Append both rows of a run in one write."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    new = not TABLE.exists()
    with TABLE.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)


def markdown(size: dict[str, object]) -> str:
    """Return the means over seeds, with the seeds' least and largest of Dice."""
    rows = [row for row in read_table() if is_of(row, size)]
    names = [name for name in rows[0] if name.startswith(("own ", "foreign ", "flat")) and rows[0][name]]
    lines = [f"| set | state | upsample | Dice | {' | '.join(names)} |", "|---" * (4 + len(names)) + "|"]
    for name, state, mode in itertools.product(unique(row["set"] for row in rows), ("initial", "trained"), MODES):
        mine = [row for row in rows if (row["set"], row["state"], row["upsample"]) == (name, state, mode)]
        if mine:
            dice = [float(row["dice"]) for row in mine if row["dice"]]
            shown = f"{statistics.mean(dice):.3f} ({min(dice):.3f} … {max(dice):.3f})" if dice else ""
            means = [f"{statistics.mean(float(row[key]) for row in mine):.1f}" for key in names]
            lines.append(f"| {name} | {state} | {mode} | {shown} | {' | '.join(means)} |")
    return "\n".join(lines)


def unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


if __name__ == "__main__":
    main()
