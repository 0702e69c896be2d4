"""Runs as `segapp fit`, `test` and `landscape` leave them, written by hand."""

import json
from pathlib import Path

import numpy as np

from segapp.io import write_image, write_mask
from segapp.report.gradient_flow_table import append_rows, start_table
from segapp.report.results import Result

SCORES = {  # variant → seed → (tp, fp, fn) of class b and hd95 per image
    "plain": {0: [(4, 4, 0, 3.0), (2, 0, 2, 5.0)], 1: [(4, 4, 0, 3.0), (2, 0, 2, 5.0)]},
    "skip & add": {0: [(8, 0, 0, 1.0), (4, 0, 0, 1.0)], 1: [(8, 2, 0, 1.0), (4, 0, 2, 2.0)]},
}


def write_csv(path: Path, header: str, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n")


def run(folder: Path, variant: str, seed: int, flow: bool) -> Result:
    """A run as `segapp fit`, `test` and GradientFlow leave it."""
    place = folder / variant / f"seed-{seed}"
    images = SCORES[variant][seed]
    overlaps = [
        (2 * tp / (2 * tp + fp + fn), tp / (tp + fp + fn)) if tp + fp + fn else ("", "") for tp, fp, fn, _ in images
    ]
    rows = [f"{10 + i},{dice},{iou},{images[i][3]},0.9,0.1" for i, (dice, iou) in enumerate(overlaps)]
    header = "name,dice,iou,hd95,dice/a,hd95/a"
    write_csv(place / "test-1" / "per_image.csv", header, rows)
    evaluation = {
        "classes": ["a", "b"],
        "background": "a",
        "loss": 0.25,
        "scores": {"dice/dataset": 0.5, "dice/dataset/a": 1},
    }
    (place / "test-1" / "metrics.json").write_text(json.dumps(evaluation))
    write_csv(
        place / "metrics.csv", "epoch,step,train/loss,val/loss,val/dice/dataset", ["0,1,1,2,0.3", "1,2,0.5,1,0.2"]
    )
    if flow:
        start_table(place / "gradient_flow.csv", 0)
        for step, first in ((1, 1.0), (9, 4.0), (18, None)):
            measured = [("encoder.0", first), ("head", 2.0)]
            rows = [[0, step, o, m, norm, 1.0, 1.0, 1e-3, 0.0, 0.0, 1.0, 0] for o, (m, norm) in enumerate(measured)]
            append_rows(place / "gradient_flow.csv", rows)
        write_landscape(place / "landscape", top=2.0 + seed)
    picture = np.zeros((8, 8, 3), np.uint8)
    write_image(place / "examples" / "10-image.jpg", picture)
    for kind in ("target", "prediction"):
        write_mask(place / "examples" / f"10-{kind}.png", picture[..., 0], [(0, 0, 0), (9, 9, 9)])
    colours = {
        "classes": [["a", [0, 0, 0]], ["<b>", [9, 9, 9]]],
        "wrong": [255, 0, 255] if variant == "plain" else [1, 2, 3],
    }
    (place / "examples" / "legend.json").write_text(json.dumps(colours))
    facts = {"parameters": 100, "flops": 2_000_000, "image": [1, 8, 8], "groups": {"10": "p", "11": "q"}}
    return Result(
        variant, seed, run=place, evaluation=place / "test-1", examples=place / "examples", seconds=60.0, facts=facts
    )


def write_landscape(folder: Path, top: float, finished: bool = True) -> None:
    """A bowl, as `segapp landscape` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    t, at = np.linspace(-1, 1, 21), np.linspace(-1, 1, 5)
    numbers = {"lines": 0.1 + np.stack([t**2, 2 * t**2]), "plane": 0.1 + top * (at[:, None] ** 2 + at**2)}
    numbers |= {"t": t, "first": at, "second": at, "path": np.zeros((0, 2)), "done": np.ones(67, bool)}
    np.savez(folder / "landscape.npz", **numbers)
    of = {"loss": "segapp.losses.Dice", "samples": 3, "size": [8, 8], "split": "train", "statistics": "frozen"}
    sharp = {"sharpness": [{"curvature": 2.0, "rise": 0.25}, {"curvature": 4.0, "rise": 0.5}]} if finished else {}
    (folder / "landscape.json").write_text(json.dumps({"checkpoint": "x/checkpoints/best.ckpt"} | of | sharp))


def results(folder: Path, flow: bool = True) -> list[Result]:
    made = [run(folder, variant, seed, flow) for variant in SCORES for seed in (0, 1)]
    return [*made, Result("broken", 0, status="failed", message="lr must be a <number>.")]
