"""Train on a Ray cluster whose nodes share the working folder.

    python docker/cluster/ray_train.py --job cells-1 --workers 16

Ray starts the processes, joins them to one process group and starts them again when a node is lost; all resume from
last.ckpt. Everything after `--` is added to the command, as in `... --job cells-1 -- --trainer.max_epochs 30`.
"""

import argparse
import os
from pathlib import Path
from typing import Any

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

COMMAND = ["fit", "--config", "configs/unet.yaml", "--name", "cluster", "--job", "$JOB"]


def train(loop: dict[str, Any]) -> None:
    """Run `segapp fit` in a worker, with the environment variables of torchrun set from those of Ray."""
    from segapp.cli import main

    os.chdir(loop["folder"])
    os.environ["TORCHELASTIC_RUN_ID"] = loop["job"]
    os.environ["GROUP_RANK"] = os.environ["NODE_RANK"]
    code = main(loop["arguments"])
    if code:
        raise RuntimeError(f"segapp ended with {code}; the reason is printed above.")


def run() -> None:
    """Read the command line, start the job and wait for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", required=True, help="a new name; the same name again resumes the job")
    parser.add_argument("--workers", type=int, default=2, help="processes, one per GPU")
    parser.add_argument("--cpu", action="store_true", help="without GPUs")
    parser.add_argument("more", nargs="*", help="further options of segapp fit, after --")
    given = parser.parse_args()
    arguments = [given.job if word == "$JOB" else word for word in COMMAND] + given.more
    TorchTrainer(
        train,
        train_loop_config={"folder": str(Path.cwd()), "job": given.job, "arguments": arguments},
        torch_config=TorchConfig(backend="gloo" if given.cpu else "nccl"),
        scaling_config=ScalingConfig(num_workers=given.workers, use_gpu=not given.cpu),
        run_config=RunConfig(name=given.job, failure_config=FailureConfig(max_failures=20)),
    ).fit()


if __name__ == "__main__":
    run()
