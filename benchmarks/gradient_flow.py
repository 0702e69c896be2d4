"""Measure the cost of `segapp.lab.gradient_flow.GradientFlow`: steps with and without it, in one run.

    python benchmarks/gradient_flow.py

Trains configs/unet.yaml on the CPU for three epochs, every fourth step measured, and prints
the share of CPU time (of this process, all threads) at the default interval.
"""

import argparse
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lightning.pytorch import Callback

from segapp.cli import main as segapp
from segapp.lab.gradient_flow import GradientFlow

EVERY = 4
SECONDS: dict[int, float] = {}


class Start(Callback):
    """A callback that starts the clock before all other callbacks."""

    def on_train_batch_start(self, trainer: Any, *rest: Any) -> None:
        self.now = time.process_time()


class End(Callback):
    """A callback that stops the clock after `GradientFlow` has written."""

    def on_train_batch_end(self, trainer: Any, *rest: Any) -> None:
        start = next(callback for callback in trainer.callbacks if isinstance(callback, Start))
        SECONDS[trainer.global_step] = time.process_time() - start.now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("options", nargs="*", help="more options of segapp fit, after --")
    options = parser.parse_args().options
    with TemporaryDirectory() as folder:
        config = Path(folder, "watched.yaml")
        flow = f"{{class_path: segapp.lab.gradient_flow.GradientFlow, init_args: {{every_n_steps: {EVERY}}}}}"
        start, end = (f"{{class_path: {__name__}.{name}}}" for name in ("Start", "End"))
        config.write_text(f"trainer: {{callbacks: [{start}, {flow}, {end}]}}")
        words = f"fit --config configs/unet.yaml --config {config} --trainer.default_root_dir {folder}"
        few = "--trainer.accelerator cpu --trainer.max_epochs 3 --trainer.limit_val_batches 0"
        code = segapp([*words.split(), *few.split(), *options])
    assert code == 0
    report()


def report() -> None:
    warm = {step: seconds for step, seconds in SECONDS.items() if step > EVERY}
    measured = statistics.median(seconds for step, seconds in warm.items() if step % EVERY == 0)
    plain = statistics.median(seconds for step, seconds in warm.items() if step % EVERY)
    interval = GradientFlow().every_n_steps
    share = (measured - plain) / plain / interval
    print(f"{len(warm)} steps; plain {plain * 1e3:.1f} ms, measured {measured * 1e3:.1f} ms (medians)")
    print(f"at the default interval of {interval} steps: {share:.2%} of CPU time")


if __name__ == "__main__":
    main()
