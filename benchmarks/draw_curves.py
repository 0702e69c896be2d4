"""Draw the validation IoU of several runs over their optimiser steps, from the `metrics.csv` each of them wrote.

python benchmarks/draw_curves.py docs/images/accuracy_curves.png --title "Ten minutes of one core" \
        CamVid=runs/accuracy/runs/camvid-plan-0/run nuclei=runs/accuracy/runs/nuclei-plan-0/run
"""

import argparse
import csv
from pathlib import Path

from matplotlib.figure import Figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("runs", nargs="+", metavar="LABEL=FOLDER")
    parser.add_argument("--title", default="")
    options = parser.parse_args()
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for run in options.runs:
        label, _, folder = run.rpartition("=")
        axes.plot(*curve(Path(folder) / "metrics.csv"), label=label)
    axes.set(title=options.title, xlabel="optimiser step", ylabel="validation IoU (mean of classes)", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(options.picture, dpi=110)


def curve(path: Path) -> tuple[list[int], list[float]]:
    """Return the steps, and the IoU of the data set, for the rows that have one."""
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val/iou/dataset"]]
    return [int(row["step"]) for row in rows], [float(row["val/iou/dataset"]) for row in rows]


if __name__ == "__main__":
    main()
