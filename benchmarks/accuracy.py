"""Accuracy of what `segapp plan` writes, beside a plain loop of segmentation-models-pytorch, in equal minutes.

    python benchmarks/accuracy.py --data camvid=camvid.yaml --data em=em.yaml --minutes 10 --output runs/accuracy

Every data section has a source whose split holds test images. Arms, all with the same split and the same scores:

    plan           `segapp plan` and `segapp fit`, untouched; the minutes hold validations too
    plan-scratch   the same where no pretrained weights are installed
    smp            smp.Unet(resnet34) from random weights: the plan's crop and batch, mirrorings, Dice + cross-entropy
    smp-package    the same loop with EfficientNet-Lite0 and the weights of segapp[pretrained]; colour images only
    nnunet         nnU-Net's `2d` with its own plan, where nnunetv2 is installed; see nnunet_training.py
    former         configs/unet.yaml on the set, to its own end

Validation chooses the checkpoint (nnU-Net's last is taken), the test set is scored once. The seconds of the SMP loop
and of nnU-Net are those of their training alone. Each run is a row of <output>/accuracy.csv; the same command
continues, and prints the table.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.append(str(Path(__file__).parent / "gpu"))

import torch
import yaml
from accuracy_task import Task
from arms import Arm, Budget, Frames, train_smp
from kit import DEVICE
from torch import nn

from segapp.io import read_table
from segapp.loading.source_building import build_source
from segapp.loading.worker_processes import choose_workers
from segapp.models.pretrained import find_package

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
MARKS = [0.4, 0.6, 0.8, 1.0]
COLUMNS = ("set", "arm", "seed", "val", "test_dice", "test_iou", "steps", "seconds", "parameters", "note")
ARMS = ("plan", "plan-scratch", "smp", "smp-package", "nnunet", "former")

WITHOUT_WEIGHTS = """
import sys
from segapp.cli import main
from segapp.errors import MisuseError
from segapp.planning import network

def find_package():
    raise MisuseError("left out")

network.find_package = find_package
sys.exit(main(sys.argv[1:]))
"""


def main() -> None:
    """Train every arm on every set with every seed, and print the table."""
    options = read_options()
    options.output.mkdir(parents=True, exist_ok=True)
    table = options.output / "accuracy.csv"
    done = {(row["set"], row["arm"], row["seed"]) for row in read_rows(table)}
    for seed in range(options.seeds):
        for name, section in options.sets.items():
            for arm in options.arms:
                if (name, arm, str(seed)) in done:
                    continue
                if reason := find_obstacle(arm, name, section):
                    print(f"{name}: {arm} left out, {reason}")
                    continue
                print(f"{name}: {arm}, seed {seed}", flush=True)
                row = {"set": name, "arm": arm, "seed": seed, **run(arm, name, section, seed, options)}
                append_row(table, row)
    print(format_table(read_rows(table)))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, help="NAME=SECTION.yaml; repeat it for several sets")
    parser.add_argument("--minutes", type=float, default=10, help="of every run")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--arms", default=",".join(ARMS), help="names, with commas")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.sets = {name: Path(path).resolve() for name, _, path in (word.partition("=") for word in options.data)}
    options.arms = options.arms.split(",")
    if unknown := set(options.arms) - set(ARMS):
        sys.exit(f"accuracy.py: no arm {', '.join(sorted(unknown))}; there are {', '.join(ARMS)}.")
    return options


def find_obstacle(arm: str, name: str, section: Path) -> str | None:
    """Return why an arm cannot be trained on a set."""
    if arm == "smp-package" and build_source(name, yaml.safe_load(section.read_text())).channels != 3:
        return "its weights are of colour images"
    if arm == "nnunet" and find_spec("nnunetv2") is None:
        return "nnunetv2 is not installed"
    return None


def run(arm: str, name: str, section: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the scores of one training."""
    if arm in ("plan", "plan-scratch"):
        words = ["--config", str(make_plan(arm, name, section, options).resolve())]
        return run_fit(words, f"{name}-{arm}", seed, options.output)
    if arm == "former":
        words = ["--config", str(CONFIGS / "unet.yaml"), "--data", str(section)]
        return run_fit(words, f"{name}-{arm}", seed, options.output)
    if arm == "nnunet":
        return run_nnunet(name, section, seed, options)
    plan = yaml.safe_load(make_plan("plan-scratch", name, section, options).read_text())
    return run_smp(arm, plan, section, seed, options)


def make_plan(arm: str, name: str, section: Path, options: argparse.Namespace) -> Path:
    """Return the plan's YAML, made once per set."""
    path = options.output / f"{name}-{arm}.yaml"
    if not path.is_file():
        program = ["-m", "segapp"] if arm == "plan" else ["-c", WITHOUT_WEIGHTS]
        words = ["plan", "--data", str(section), "--output", path.name, "--budget", f"{options.minutes * 60:g}s"]
        call([sys.executable, *program, *words], options.output)
    return path


def run_fit(words: Sequence[str], name: str, seed: int, output: Path) -> dict[str, Any]:
    """Run `segapp fit` and `segapp test`, and return their scores."""
    run_name = f"{name}-{seed}"
    started = time.perf_counter()
    segapp = [sys.executable, "-m", "segapp"]
    call([*segapp, "fit", *words, "--name", run_name, "--seed_everything", str(seed), "--job", "run"], output)
    seconds = time.perf_counter() - started
    folder = output / "runs" / run_name / "run"
    best = folder / "checkpoints" / "best.ckpt"
    call([*segapp, "test", "--ckpt_path", str(best.relative_to(output))], output)
    scores = json.loads(next(folder.glob("test-*/metrics.json")).read_text())["scores"]
    curve = read_rows(folder / "metrics.csv")
    checkpoint = torch.load(best, weights_only=True, map_location="cpu")
    weights = [value for key, value in checkpoint["state_dict"].items() if key.startswith("net.")]
    return {
        "val": checkpoint["segapp"]["scores"]["val/iou/dataset"],
        "test_dice": scores["dice/dataset"],
        "test_iou": scores["iou/dataset"],
        "steps": int(curve[-1]["step"]),
        "seconds": round(seconds),
        "parameters": sum(value.numel() for value in weights),
        "note": f"best after step {checkpoint['global_step']}",
    }


def run_smp(arm: str, plan: Mapping[str, Any], section: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train the plain loop for the minutes of a plan's run, on its crops and batches."""
    crop = plan["data"].get("crop") or plan["data"]["resize"]
    encoder, weights = "resnet34", None
    if arm == "smp-package":
        encoder, weights = "timm-tf_efficientnet_lite0", find_package()
    entry = Arm(
        arm,
        smp=encoder,
        crop=int(min(crop) // 32 * 32),
        batch=int(plan["data"]["batch_size"]),
        weights=weights.name if weights else None,
        normalise=(127 / 255, 128 / 255) if weights else None,
    )
    task = Task(yaml.safe_load(section.read_text()))
    best: dict[str, Any] = {}

    def validate(net: nn.Module, steps: int, trained: float) -> None:
        score = task.score(net, task.val)["iou/dataset"]
        if not best or score > best["val"]:
            best.update(val=score, net=deepcopy(net), note=f"best after step {steps}")

    budget = Budget(60 * options.minutes, MARKS, validate)
    frames = Frames([image.pixels for image, _ in task.train], [mask for _, mask in task.train], entry.crop)
    folder, workers = weights.parent if weights else Path(), choose_workers(DEVICE.type == "cuda", 1)
    train_smp(entry, frames, task.spec.num_classes, budget, folder, workers, seed)
    scores = task.score(best["net"], task.test)
    return {
        "val": best["val"],
        "test_dice": scores["dice/dataset"],
        "test_iou": scores["iou/dataset"],
        "steps": budget.steps,
        "seconds": round(budget.trained),
        "parameters": sum(parameter.numel() for parameter in best["net"].parameters()),
        "note": best["note"],
    }


def run_nnunet(name: str, section: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train nnU-Net in a process of its own, which is to find its folders in the environment."""
    folder = (options.output / f"nnunet-{name}").resolve()
    words = ["--data", str(section), "--minutes", f"{options.minutes:g}", "--seed", str(seed), "--output", str(folder)]
    call([sys.executable, str(Path(__file__).parent / "nnunet_training.py"), *words], options.output)
    return json.loads((folder / "scores.json").read_text())


def call(command: Sequence[str], folder: Path) -> None:
    """Run a command; its output goes to log.txt, whose end is shown where it fails."""
    with (folder / "log.txt").open("a+") as log:
        done = subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        if done.returncode:
            log.seek(0)
            sys.exit(f"accuracy.py: {' '.join(command[:6])} … ended with {done.returncode}:\n{log.read()[-2000:]}")


def read_rows(path: Path) -> list[dict[str, str]]:
    return read_table(path) if path.is_file() else []


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow({key: f"{value:.4f}" if isinstance(value, float) else value for key, value in row.items()})


def format_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Format Markdown: a row per set and arm, means over seeds with the least and the largest."""
    lines = ["| set | arm | test mIoU | test Dice | validation mIoU | steps | seconds | parameters | seeds |"]
    lines.append("|---" * 9 + "|")
    for name, arm in dict.fromkeys((row["set"], row["arm"]) for row in rows):
        own = [row for row in rows if (row["set"], row["arm"]) == (name, arm)]
        cells = [describe_spread([float(row[key]) for row in own]) for key in ("test_iou", "test_dice", "val")]
        numbers = [f"{mean(float(row[key]) for row in own):,.0f}" for key in ("steps", "seconds", "parameters")]
        lines.append("| " + " | ".join([name, arm, *cells, *numbers, str(len(own))]) + " |")
    return "\n".join(lines)


def describe_spread(values: Sequence[float]) -> str:
    spread = f" ({min(values):.3f} … {max(values):.3f})" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"


if __name__ == "__main__":
    main()
