"""Train all nine skip combinations on `Cells` with several seeds; only the widths are matched.

    python benchmarks/skips.py --epochs 3 --seeds 3

Every arm is an ordinary `segapp fit` of configs/unet.yaml with both short skips (encoder and decoder) and the
long skip set. Writes runs/skips/table.csv and prints it as Markdown; arms that are in the file are not run again.
"""

import argparse
import csv
import itertools
import statistics
import time
from pathlib import Path

import torch

from segapp.cli import main as segapp

MODES = ("none", "add", "concat")
TABLE = Path("runs/skips/table.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    done = {(row["long"], row["short"], row["seed"]) for row in rows()}
    for seed, long, short in itertools.product(range(options.seeds), MODES, MODES):
        if (long, short, str(seed)) not in done:
            add(arm(long, short, seed, options.epochs))
    print(markdown())


def arm(long: str, short: str, seed: int, epochs: int) -> dict[str, object]:
    """Train one arm; return its best validation Dice, parameters and seconds."""
    name = f"skips/{long}-{short}-{seed}"
    net = "--model.net.init_args"
    started = time.perf_counter()
    code = segapp(
        [
            "fit",
            "--config",
            "configs/unet.yaml",
            "--name",
            name,
            "--seed_everything",
            str(seed),
            f"{net}.long_skip",
            long,
            f"{net}.encoder.init_args.block.short_skip",
            short,
            "--trainer.max_epochs",
            str(epochs),
            "--trainer.callbacks",
            "[segapp.callbacks.EMA]",
            "--trainer.enable_progress_bar",
            "false",
        ]
    )
    assert code == 0
    seconds = time.perf_counter() - started
    run = max(Path("runs", name).iterdir())
    with (run / "metrics.csv").open(newline="") as file:
        dice = max(float(row["val/dice/dataset"]) for row in csv.DictReader(file))
    weights = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["current_model_state"]
    counted = sum(value.numel() for key, value in weights.items() if key.endswith(("weight", "bias")))
    return {
        "long": long,
        "short": short,
        "seed": seed,
        "dice": dice,
        "parameters": counted,
        "seconds": round(seconds, 1),
    }


def rows() -> list[dict[str, str]]:
    if not TABLE.exists():
        return []
    with TABLE.open(newline="") as file:
        return list(csv.DictReader(file))


def add(row: dict[str, object]) -> None:
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    new = not TABLE.exists()
    with TABLE.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def markdown() -> str:
    lines = ["| long skip | short skip | parameters | Dice, mean of seeds | seeds |", "|---|---|---|---|---|"]
    for long, short in itertools.product(MODES, MODES):
        mine = [row for row in rows() if (row["long"], row["short"]) == (long, short)]
        dice = [float(row["dice"]) for row in mine]
        each = ", ".join(f"{value:.3f}" for value in dice)
        lines.append(f"| {long} | {short} | {int(mine[0]['parameters']):,} | {statistics.mean(dice):.3f} | {each} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
