"""Train nnU-Net's `2d` with its own plan on a data section of segapp, and score its predictions as segapp's are scored.

    python benchmarks/nnunet_training.py --data em.yaml --minutes 10 --seed 0 --output runs/accuracy/nnunet-em

needs `pip install nnunetv2`. Planning, preprocessing and prediction are not part of the minutes. The learning rate
falls as nnU-Net lets it fall, from its first value to 0 at the end of the minutes in place of after 1,000 epochs. The
last weights are scored, mirrored as its `predict` does. Writes <output>/scores.json.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent / "gpu"))

import numpy as np
import torch
import yaml
from accuracy_task import Pair, Task
from kit import DEVICE
from plain_loop import Budget
from torch import nn

from segapp.batch import IGNORE_INDEX
from segapp.io import write_image

NAME = "Dataset001_segapp"
PROCESSES = "nnUNet_n_proc_DA"


def main() -> None:
    """Export the data set, train, and write the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="where the exported data set and the run are kept")
    options = parser.parse_args()
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str((options.output / name).resolve())
    cores = len(os.sched_getaffinity(0))
    os.environ[PROCESSES] = str(min(12, cores))  # threads of the planning, then workers of the training

    task = Task(yaml.safe_load(options.data.read_text()))
    if not (options.output / "preprocessed" / NAME / "splits_final.json").is_file():
        export(task, options.output)
        plan(options.output, cores)
    budget = Budget(60 * options.minutes, [1.0], lambda *_: None)
    trainer = train(budget, options)
    scores = {name: score(trainer, task, pairs) for name, pairs in (("val", task.val), ("test", task.test))}
    content = {
        "val": scores["val"]["iou/dataset"],
        "test_dice": scores["test"]["dice/dataset"],
        "test_iou": scores["test"]["iou/dataset"],
        "steps": budget.steps,
        "seconds": round(budget.trained),
        "parameters": sum(parameter.numel() for parameter in trainer.network.parameters()),
        "note": f"{trainer.batch_size} samples of {' x '.join(map(str, trainer.configuration_manager.patch_size))}",
    }
    (options.output / "scores.json").write_text(json.dumps(content))


def export(task: Task, output: Path) -> None:
    """Write training and validation images as nnU-Net's raw data; the first class is its background."""
    folder = output / "raw" / NAME
    splits: dict[str, list[str]] = {"train": [], "val": []}
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for split, pairs in (("train", task.train), ("val", task.val)):
        for number, (image, mask) in enumerate(pairs):
            name = f"{split}_{number:05}"
            write_image(folder / "imagesTr" / f"{name}_0000.png", image.pixels.squeeze())
            labels = np.where(mask == IGNORE_INDEX, task.spec.num_classes, mask).astype(np.uint8)
            write_image(folder / "labelsTr" / f"{name}.png", labels)
            splits[split].append(name)
    labels = {"background" if index == 0 else name: index for index, name in enumerate(task.spec.classes)}
    if any((mask == IGNORE_INDEX).any() for _, mask in [*task.train, *task.val]):
        labels["ignore"] = task.spec.num_classes
    content = {
        "channel_names": {str(channel): f"channel {channel}" for channel in range(task.spec.channels)},
        "labels": labels,
        "numTraining": len(task.train) + len(task.val),
        "file_ending": ".png",
    }
    (folder / "dataset.json").write_text(json.dumps(content))
    (output / "splits.json").write_text(json.dumps([splits]))


def plan(output: Path, processes: int) -> None:
    """Let nnU-Net plan and preprocess, and give it segapp's split."""
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api

    api.extract_fingerprints([1], num_processes=processes)
    api.plan_experiments([1])
    api.preprocess([1], configurations=["2d"], num_processes=[processes])
    (output / "splits.json").replace(output / "preprocessed" / NAME / "splits_final.json")


class PolynomialRate:
    """nnU-Net's learning rate, lr = lr0 (1 − t)^0.9, at a step of as many as `Budget` expects."""

    def __init__(self, optimizer: torch.optim.Optimizer, first: float) -> None:
        self.optimizer, self.first = optimizer, first
        self.done = 0
        self.total_steps = 1

    def step(self) -> None:
        """Set the rate of the next step."""
        self.done += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.first * (1 - min(1.0, self.done / self.total_steps)) ** 0.9


def train(budget: Budget, options: argparse.Namespace) -> Any:
    """Train nnU-Net's own network by its own steps until the budget ends; return its trainer."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    if os.environ[PROCESSES] == "1":
        os.environ[PROCESSES] = "0"  # a worker would only take the core from the training
    torch.manual_seed(options.seed)
    np.random.seed(options.seed)  # noqa: NPY002 - the generator that nnU-Net draws from
    folder = options.output / "preprocessed" / NAME
    plans = json.loads((folder / "nnUNetPlans.json").read_text()) | {"continue_training": False}
    trainer = nnUNetTrainer(plans, "2d", 0, json.loads((folder / "dataset.json").read_text()), DEVICE)
    trainer.on_train_start()
    trainer.network.train()
    schedule = PolynomialRate(trainer.optimizer, trainer.initial_lr)
    while True:
        trainer.train_step(next(trainer.dataloader_train))
        budget.count(schedule)
        schedule.step()
        if budget.look(lambda: trainer.network):
            return trainer


def score(trainer: Any, task: Task, pairs: Sequence[Pair]) -> dict[str, float]:
    """Return segapp's scores of nnU-Net's own predictions."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    trainer.set_deep_supervision_enabled(False)
    net: nn.Module = getattr(trainer.network, "_orig_mod", trainer.network)
    predictor = nnUNetPredictor(device=DEVICE, perform_everything_on_device=DEVICE.type == "cuda", allow_tqdm=False)
    predictor.manual_initialization(
        net.eval(),
        trainer.plans_manager,
        trainer.configuration_manager,
        [net.state_dict()],
        trainer.dataset_json,
        "nnUNetTrainer",
        trainer.inference_allowed_mirroring_axes,
    )

    def predict(pixels: np.ndarray) -> np.ndarray:
        values = pixels.transpose(2, 0, 1)[:, None].astype(np.float32)
        found = predictor.predict_single_npy_array(values, {"spacing": [999, 1, 1]})
        return np.asarray(found).squeeze(0).astype(np.uint8)

    return task.collect((predict(image.pixels), mask, image.name) for image, mask in pairs)


if __name__ == "__main__":
    main()
