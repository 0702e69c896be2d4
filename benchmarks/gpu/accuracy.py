"""Part accuracy: arms of the same training seconds on the same device; validation chooses, test is scored once.

    benchmarks/gpu/run.sh --parts accuracy --data packed --arm_seconds 60 --arms segapp-resnet34,smp-resnet34

The arms are in arms.yaml. Each is validated after 40, 60, 80 and 100 % of its time; the best of these is scored on the
test set, whole images in one window, bf16, by the same code for all. mIoU and Dice are of the counts over the set, mean
over the classes, void ignored. The seconds count training alone: not the start of the loader, not the validations.
"""

import sys
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from accuracy_task import Task
from arms import Arm, Budget, Frames, read_arms, train_segapp, train_smp
from kit import CONFIGS, Results, Values, add_options, read_peak_memory, start
from torch import nn

MARKS = [0.4, 0.6, 0.8, 1.0]
OVERHEAD = 12
"""Seconds that an arm takes beside its training: start, validations, test."""


def main() -> None:
    """Train every arm that there is time for."""
    parser = add_options(__doc__)
    parser.add_argument("--arms", help="names, with commas; default: all")
    parser.add_argument("--arms_file", type=Path, default=Path(__file__).with_name("arms.yaml"))
    parser.add_argument("--arm_seconds", type=float, help="of training; default: the time there is, divided")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of every arm")
    parser.add_argument("--weights", type=Path, default=Path(), help="folder of the arms' files of weights")
    parser.add_argument("--workers", type=int, default=14, help="processes that prepare batches")
    options = parser.parse_args()
    options.weights, options.arms_file = options.weights.resolve(), options.arms_file.resolve()
    start(options)
    results = Results("accuracy", options)
    arms = [shrink(arm) for arm in read_arms(options.arms_file)] if options.tiny else read_arms(options.arms_file)
    if options.arms:
        arms = choose(arms, options.arms.split(","))
    arms = [arm for arm in arms if arm.weights is None or (options.weights / arm.weights).is_file()]
    if options.data is None and not options.tiny:
        sys.exit("accuracy.py: give --data, the root of CamVid (its lists inside).")
    task = Task(describe_data(options.data))
    seconds = options.arm_seconds or max(5.0, results.left / (len(arms) * options.seeds) - OVERHEAD)
    if options.tiny:
        seconds, options.workers = 1.0, 1
    for seed in range(options.seeds):
        for arm in arms:
            work = partial(train, arm, task, seconds, options.weights, options.workers, seed)
            results.measure(f"{arm.name}/{seed}", work, seconds + (1 if options.tiny else OVERHEAD))


def shrink(arm: Arm) -> Arm:
    """Return the arm with the smallest sizes."""
    smaller = {"crop": 32, "batch": 2}
    if arm.smp:
        return Arm(**{**vars(arm), **smaller, "smp": "tu-tf_mobilenetv3_small_minimal_100", "weights": None})
    return Arm(**{**vars(arm), **smaller, "model": "unet.yaml", "net": {}, "weights": None})


def choose(arms: Sequence[Arm], names: Sequence[str]) -> list[Arm]:
    """Return the arms of these names, in their order; exits where one is missing."""
    known = {arm.name: arm for arm in arms}
    if missing := [name for name in names if name not in known]:
        sys.exit(f"accuracy.py: no arm {', '.join(missing)}; there are {', '.join(known)}.")
    return [known[name] for name in names]


def describe_data(root: Path | None) -> dict[str, Any]:
    """Return the data section: CamVid under a root with its published lists, or a few generated cells."""
    if root is None:
        cells = {"root": "cells", "size": 64, "train": 4, "val": 2, "test": 2, "channels": 3}
        return {"source": {"class_path": "segapp.datasets.Cells", "init_args": cells}}
    data: dict[str, Any] = yaml.safe_load((CONFIGS / "data" / "camvid.yaml").read_text())
    data["source"]["init_args"]["root"] = str(root)
    data["source"]["init_args"]["split"]["init_args"]["test"] = "test.txt"
    return data


def train(arm: Arm, task: Task, seconds: float, weights: Path, workers: int, seed: int) -> Values:
    """Train one arm, choose on the validation set and score the test set."""
    curve: list[tuple[float, int, float]] = []
    best: dict[str, Any] = {}

    def validate(net: nn.Module, steps: int, trained: float) -> None:
        score = task.score(net, task.val)["iou/dataset"]
        curve.append((round(trained, 1), steps, round(score, 4)))
        if not best or score > best["score"]:
            best.update(score=score, net=deepcopy(net), steps=steps)

    budget = Budget(seconds, MARKS, validate)
    if arm.smp:
        frames = Frames([image.pixels for image, _ in task.train], [mask for _, mask in task.train], arm.crop)
        train_smp(arm, frames, task.spec.num_classes, budget, weights, workers, seed)
    else:
        train_segapp(arm, task.data, budget, weights, workers, seed)
    return describe(arm, task, budget, best, curve)


def describe(arm: Arm, task: Task, budget: Budget, best: dict[str, Any], curve: list[Any]) -> Values:
    """Return what is kept of one training."""
    scores = task.score(best["net"], task.test)
    classes = {f"iou/{name}": round(scores[f"iou/dataset/{name}"], 4) for name in task.spec.classes}
    return {
        "val_miou": round(best["score"], 4),
        "test_miou": round(scores["iou/dataset"], 4),
        "test_dice": round(scores["dice/dataset"], 4),
        "chosen_step": best["steps"],
        "steps": budget.steps,
        "trained_s": round(budget.trained, 2),
        "images_per_second": round(budget.steps * arm.batch / budget.trained, 1),
        "parameters": sum(parameter.numel() for parameter in best["net"].parameters()),
        "peak_gb": read_peak_memory(),
        "curve": curve,
        "classes": classes,
    }


if __name__ == "__main__":
    main()
