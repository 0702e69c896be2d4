"""Accuracy of what `segapp plan` writes, beside a plain loop of segmentation-models-pytorch, in equal minutes.

    python benchmarks/accuracy.py --data camvid=camvid.yaml --data em=em.yaml --minutes 10 --output runs/accuracy

Every data section has an absolute root and a split that holds test images. Arms, all with the same split and scores:

    plan           `segapp plan` and `segapp fit`, untouched; the minutes hold validations too
    plan-scratch   the same where no pretrained weights are installed
    smp            smp.Unet(resnet34) from random weights: the plan's crop and batch, mirrorings, Dice + cross-entropy
    smp-package    the same loop with EfficientNet-Lite0 and the weights of segapp[pretrained]; colour images only
    nnunet         nnU-Net's `2d` with its own plan, where nnunetv2 is installed; see nnunet_training.py
    former         configs/unet.yaml on the set, to its own end

Validation chooses the checkpoint (nnU-Net's last is taken), the test set is scored once. The seconds of the SMP loop
and of nnU-Net are those of their training alone. Each run is a process and a row of <output>/accuracy.csv; the same
command continues, and prints the table. On a GPU, which one training rarely fills, `--jobs 5` makes five runs at once,
each on its share of the cores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from copy import deepcopy
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parent / "gpu"))

import torch
import yaml
from accuracy_rows import append_row, format_table, read_rows
from accuracy_task import Task
from kit import DEVICE
from plain_loop import Arm, Budget, Frames, train_smp
from torch import nn

from segapp.loading.source_building import build_source
from segapp.loading.worker_processes import choose_workers
from segapp.models.pretrained import find_package

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
MARKS = [0.4, 0.6, 0.8, 1.0]
PLANS = {
    "plan": ("plan",),
    "plan-scratch": ("plan-scratch",),
    "smp": ("plan-scratch",),
    "smp-package": ("plan-scratch",),
    "nnunet": (),
    "former": (),
}
"""The plans that an arm needs; the plain loop takes crop and batch from one."""

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


class Case(NamedTuple):
    """One training."""

    seed: int
    name: str
    section: Path
    arm: str


def main() -> None:
    """Train every arm on every set with every seed, and print the table."""
    options = read_options()
    options.output.mkdir(parents=True, exist_ok=True)
    table = options.output / "accuracy.csv"
    cases = list(find_missing(options, table))
    plans = list(dict.fromkeys((arm, case.name, case.section) for case in cases for arm in PLANS[case.arm]))
    shares: SimpleQueue[set[int]] = SimpleQueue()
    for share in divide_cores(options.jobs):
        shares.put(share)
    with ThreadPoolExecutor(options.jobs) as pool, cancel_where_interrupted(pool):
        planning = {pool.submit(run_apart, shares, make_plan, *plan, options): plan[:2] for plan in plans}
        missing = {planning[done] for done in as_completed(planning) if report_failure(done, *planning[done])}
        possible = [case for case in cases if missing.isdisjoint((arm, case.name) for arm in PLANS[case.arm])]
        running = {pool.submit(run_apart, shares, run, case, options): case for case in possible}
        failed = len(missing)
        for done in as_completed(running):
            case = running[done]
            if report_failure(done, case.arm, case.name):
                failed += 1
            else:
                append_row(table, {"set": case.name, "arm": case.arm, "seed": case.seed, **done.result()})
    print(format_table(read_rows(table)))
    if failed:
        sys.exit(1)


@contextmanager
def cancel_where_interrupted(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Begin nothing more after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def report_failure(done: "Future[Any]", arm: str, name: str) -> bool:
    """Print why a plan or a training failed; return whether it did."""
    if error := done.exception():
        print(f"{name}: {arm} failed: {error}", file=sys.stderr, flush=True)
    return error is not None


def find_missing(options: argparse.Namespace, table: Path) -> Iterator[Case]:
    """Yield the trainings that are possible and not yet in the table, all sets and arms of a seed before the next."""
    done = {(row["set"], row["arm"], row["seed"]) for row in read_rows(table)}
    for seed in range(options.seeds):
        for name, section in options.sets.items():
            for arm in options.arms:
                if (name, arm, str(seed)) in done:
                    continue
                if reason := find_obstacle(arm, name, section):
                    print(f"{name}: {arm} left out, {reason}")
                    continue
                yield Case(seed, name, section, arm)


def divide_cores(jobs: int) -> list[set[int]]:
    """Return the cores of each of so many runs at once; with more runs than cores they share them."""
    cores = sorted(os.sched_getaffinity(0))
    return [set(cores[job * len(cores) // jobs : (job + 1) * len(cores) // jobs]) or set(cores) for job in range(jobs)]


def run_apart(shares: "SimpleQueue[set[int]]", work: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns in a process of its own, on cores that nothing else uses meanwhile."""
    share = shares.get()
    options: argparse.Namespace = arguments[-1]
    try:
        with ProcessPoolExecutor(1, get_context("spawn"), start_process, (share, options.output)) as pool:
            return pool.submit(work, *arguments).result()
    finally:
        shares.put(share)


def start_process(share: set[int], folder: Path) -> None:
    """Keep a process to its cores and to the folder in which segapp runs, from which a section's root counts."""
    os.sched_setaffinity(0, share)
    os.chdir(folder)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", action="append", required=True, help="NAME=SECTION.yaml; repeat it for several sets")
    parser.add_argument("--minutes", type=float, default=10, help="of every run")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--arms", default=",".join(PLANS), help="names, with commas")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output = options.output.resolve()
    options.sets = {name: Path(path).resolve() for name, _, path in (word.partition("=") for word in options.data)}
    options.arms = options.arms.split(",")
    if unknown := set(options.arms) - set(PLANS):
        sys.exit(f"accuracy.py: no arm {', '.join(sorted(unknown))}; there are {', '.join(PLANS)}.")
    return options


def find_obstacle(arm: str, name: str, section: Path) -> str | None:
    """Return why an arm cannot be trained on a set."""
    if arm == "smp-package" and build_source(name, yaml.safe_load(section.read_text())).channels != 3:
        return "its weights are of colour images"
    if arm == "nnunet" and find_spec("nnunetv2") is None:
        return "nnunetv2 is not installed"
    return None


def run(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Return the scores of one training, and note its time with start, validations and test."""
    print(f"{case.name}: {case.arm}, seed {case.seed}", flush=True)
    started = time.perf_counter()
    row = train(case, options)
    return {**row, "note": f"{row['note']}; {time.perf_counter() - started:.0f} s in all"}


def train(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Return the scores of one training."""
    if case.arm in ("plan", "plan-scratch"):
        return run_fit(["--config", f"{case.name}-{case.arm}.yaml"], case, options.output)
    if case.arm == "former":
        return run_fit(["--config", str(CONFIGS / "unet.yaml"), "--data", str(case.section)], case, options.output)
    if case.arm == "nnunet":
        return run_nnunet(case, options)
    return run_smp(case, options)


def make_plan(arm: str, name: str, section: Path, options: argparse.Namespace) -> None:
    """Write the plan's YAML, once per set."""
    path = options.output / f"{name}-{arm}.yaml"
    if not path.is_file():
        program = ["-m", "segapp"] if arm == "plan" else ["-c", WITHOUT_WEIGHTS]
        words = ["plan", "--data", str(section), "--output", path.name, "--budget", f"{options.minutes * 60:g}s"]
        call([sys.executable, *program, *words], path.with_suffix(".log"))


def run_fit(words: Sequence[str], case: Case, output: Path) -> dict[str, Any]:
    """Run `segapp fit` and `segapp test`, and return their scores."""
    name = f"{case.name}-{case.arm}-{case.seed}"
    log = output / f"{name}.log"
    started = time.perf_counter()
    segapp = [sys.executable, "-m", "segapp"]
    call([*segapp, "fit", *words, "--name", name, "--seed_everything", str(case.seed), "--job", "run"], log)
    seconds = time.perf_counter() - started
    folder = output / "runs" / name / "run"
    best = folder / "checkpoints" / "best.ckpt"
    call([*segapp, "test", "--ckpt_path", str(best.relative_to(output))], log)
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


def run_smp(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Train the plain loop for the minutes of a plan's run, on its crops and batches."""
    plan = yaml.safe_load((options.output / f"{case.name}-plan-scratch.yaml").read_text())
    crop = plan["data"].get("crop") or plan["data"]["resize"]
    sizes = {"crop": -(-int(min(crop)) // 32) * 32, "batch": int(plan["data"]["batch_size"])}
    entry = Arm("resnet34", **sizes)
    if case.arm == "smp-package":
        entry = Arm("timm-tf_efficientnet_lite0", **sizes, weights=find_package(), normalise=(127 / 255, 128 / 255))
    task = Task(yaml.safe_load(case.section.read_text()))
    best: dict[str, Any] = {}

    def validate(net: nn.Module, steps: int, trained: float) -> None:
        score = task.score(net, task.val)["iou/dataset"]
        if not best or score > best["val"]:
            best.update(val=score, net=deepcopy(net), note=f"best after step {steps}")

    budget = Budget(60 * options.minutes, MARKS, validate)
    frames = Frames([image.pixels for image, _ in task.train], [mask for _, mask in task.train], entry.crop)
    train_smp(entry, frames, task.spec.num_classes, budget, choose_workers(DEVICE.type == "cuda", 1), case.seed)
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


def run_nnunet(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Train nnU-Net in a process of its own, which is to find its folders in the environment."""
    folder = (options.output / f"nnunet-{case.name}-{case.seed}").resolve()
    words = ["--data", str(case.section), "--minutes", f"{options.minutes:g}", "--seed", str(case.seed)]
    program = [sys.executable, str(Path(__file__).parent / "nnunet_training.py")]
    call([*program, *words, "--output", str(folder)], folder.with_suffix(".log"))
    scores: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return scores


def call(command: Sequence[str], log: Path) -> None:
    """Run a command in the folder of its log, whose end is shown where it fails."""
    with log.open("a+") as file:
        done = subprocess.run(command, cwd=log.parent, stdout=file, stderr=subprocess.STDOUT)
        if done.returncode:
            file.seek(0)
            raise RuntimeError(f"{' '.join(command[:6])} … ended with {done.returncode}:\n{file.read()[-2000:]}")


if __name__ == "__main__":
    main()
