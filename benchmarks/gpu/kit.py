"""Shared by the parts of the GPU kit: deadline, results on disk, the device, and a `segapp fit` that is timed."""

import argparse
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import lightning.pytorch as pl
import torch
import yaml
from torch import Tensor

from segapp.checkpoints.building import build_network
from segapp.cli import main as segapp
from segapp.cli import trainer_commands as training
from segapp.io import write_atomically
from segapp.loading.datamodule import SegmentationDataModule

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Values = Mapping[str, Any]


class OutOfTimeError(BaseException):
    """Raised by the part's alarm; no `except Exception` of a library swallows it."""


class MeasuredError(BaseException):
    """Raised by a stopwatch inside a training to end it as soon as it is measured."""


class Results:
    """The measurements of one part, in a JSON file that grows by one measurement at a time.

    A measurement that has values in the file is skipped, so a part that was interrupted resumes. A measurement that
    fails keeps the error as text, and the next one follows.
    """

    def __init__(self, part: str, options: argparse.Namespace) -> None:
        self.path = options.output / f"{part}.json"
        self.log = options.output / "log.txt"
        self.deadline = time.monotonic() + options.until - time.time()
        before = json.loads(self.path.read_text()) if self.path.is_file() else {}
        self.content: dict[str, Any] = {"part": part, "tiny": options.tiny, "device": describe_device()}
        self.content["measurements"] = before.get("measurements", {})

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def measure(self, name: str, work: Callable[[], Values], needs: float = 3.0) -> Values | None:
        """Record what `work` returns under a name; return it, or None if it failed or there was no time.

        Args:
            name: Of the measurement, unique in the part.
            work: Returns numbers and text by name.
            needs: Seconds; with less left the measurement is not begun.
        """
        known = self.content["measurements"]
        if "seconds" in known.get(name, {}):
            return known[name]
        if self.left < needs:
            self._store(name, {"skipped": f"not measured: {max(self.left, 0):.0f} s were left, {needs:.0f} are needed"})
            return None
        started = time.perf_counter()
        try:
            with self._bounded(), self.log.open("a", buffering=1) as log, redirect_stdout(log), redirect_stderr(log):
                print(f"--- {self.content['part']}: {name}")
                values = dict(work())
        except (Exception, OutOfTimeError) as error:
            with self.log.open("a") as log:
                traceback.print_exc(file=log)
            self._store(name, {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:600]})
            return None
        finally:
            free_memory()
        self._store(name, values | {"seconds": round(time.perf_counter() - started, 2)})
        return known[name]

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        def stop(number: int, frame: FrameType | None) -> None:
            raise OutOfTimeError("the part's time was used up")

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, max(self.left, 0.1), 3)  # again, should a destructor swallow it
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _store(self, name: str, values: Values) -> None:
        self.content["measurements"][name] = values
        with write_atomically(self.path) as temporary:
            temporary.write_text(json.dumps(self.content, indent=1))
        shown = ", ".join(f"{key} {value}" for key, value in values.items())
        print(f"{name}: {shown}"[:240], file=sys.stderr, flush=True)


def read_options(description: str | None) -> argparse.Namespace:
    """Parse the options that every part has, make the folders, and work in the scratch folder from here on."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/gpu"), help="where the JSON files are")
    parser.add_argument("--scratch", type=Path, required=True, help="folder for files that nobody keeps")
    never = time.time() + 1e6
    parser.add_argument("--until", type=float, default=never, help="second of the epoch at which the part ends")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes, to try the kit on a CPU")
    options = parser.parse_args()
    options.output = options.output.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    options.scratch.mkdir(parents=True, exist_ok=True)
    if options.tiny:  # teams of threads on images of 32 x 32 wait for each other, not least on a busy machine
        torch.set_num_threads(1)
    os.chdir(options.scratch)
    return options


def describe_device() -> dict[str, Any]:
    """Return the device's name and memory, and the versions that a figure depends on."""
    facts: dict[str, Any] = {"name": "CPU", "torch": torch.__version__, "lightning": pl.__version__}
    facts["cores"] = len(os.sched_getaffinity(0))
    if DEVICE.type == "cuda":
        properties = torch.cuda.get_device_properties(DEVICE)
        facts |= {"name": properties.name, "memory_gb": round(properties.total_memory / 1e9, 1)}
        facts |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return facts


def synchronize() -> None:
    """Wait for everything the GPU was given."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def free_memory() -> None:
    """Return what the last measurement held, so that it does not count in the next one's peak."""
    if DEVICE.type == "cuda":
        import gc

        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def read_peak_memory() -> float | None:
    """Return the GPU memory in GB that tensors held at most since the last measurement; None on a CPU."""
    return round(torch.cuda.max_memory_allocated() / 1e9, 2) if DEVICE.type == "cuda" else None


def time_steps(step: Callable[[], object], seconds: float, warm: int = 5) -> float:
    """Return seconds a step: the mean over at least `seconds` and min(warm, 3) steps, after `warm` steps."""
    for _ in range(warm):
        step()
    synchronize()
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds or count < min(warm, 3):
        step()
        count += 1
    synchronize()
    return (time.perf_counter() - started) / count


class Stopwatch(pl.Callback):
    """Times the steps of a training from within, as `time_steps` does, and ends the training.

    Args:
        seconds: To measure for.
        warm: Steps before it.
    """

    def __init__(self, seconds: float, warm: int = 5) -> None:
        self.seconds, self.warm = seconds, warm
        self.step = 0.0
        self._count, self._started = 0, 0.0

    def on_train_batch_end(self, *_: object) -> None:
        """Count a step; raise MeasuredError when there were enough."""
        self._count += 1
        if self._count == self.warm:
            synchronize()
            self._started = time.perf_counter()
        measured = self._count - self.warm
        if measured >= min(self.warm, 3) and time.perf_counter() - self._started >= self.seconds:
            synchronize()
            self.step = (time.perf_counter() - self._started) / measured
            raise MeasuredError


class Ready:
    """Batches that are on the device already, in turn, as an endless loader."""

    def __init__(self, batches: Sequence[Any], length: int = 100_000) -> None:
        self.batches, self.length = batches, length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Any]:
        return (self.batches[number % len(self.batches)] for number in range(self.length))


def run_fit(words: Sequence[str], watchers: Sequence[pl.Callback] = (), batches: Sequence[Any] | None = None) -> int:
    """Run `segapp fit` in this process and return its exit code.

    Args:
        words: Options after `fit`.
        watchers: Callbacks added behind its own.
        batches: Given to it in place of its loader's.
    """
    own = training.SegmentationCLI._make_callbacks
    accelerator = "gpu" if DEVICE.type == "cuda" else "cpu"
    fixed = [f"--trainer.accelerator={accelerator}", "--trainer.devices=1", "--trainer.enable_progress_bar=false"]
    with ExitStack() as stack:
        stack.enter_context(
            patch.object(training.SegmentationCLI, "_make_callbacks", lambda self, fit: [*own(self, fit), *watchers])
        )
        if batches is not None:
            stack.enter_context(
                patch.object(SegmentationDataModule, "train_dataloader", lambda self: Ready(batches))  # type: ignore
            )
        return segapp(["fit", *words, *fixed])


def time_fit(words: Sequence[str], seconds: float, batches: Sequence[Any] | None = None, warm: int = 5) -> float:
    """Return seconds a step of `segapp fit`, which is ended once they are known."""
    watch = Stopwatch(seconds, warm)
    try:
        code = run_fit([*words, "--trainer.num_sanity_val_steps=0"], [watch], batches)
    except MeasuredError:
        return watch.step
    raise RuntimeError(f"segapp fit ended with {code} before it was measured; see log.txt")


def describe_cells(root: str, **sizes: int) -> list[str]:
    """Return the options that choose a generated data set."""
    return [f"--data.source.init_args.{key}={value}" for key, value in ({"root": root} | sizes).items()]


def read_net(config: str, **encoder: Any) -> dict[str, Any]:
    """Return class_path and init_args of the network of a YAML, with other arguments of its encoder."""
    content = yaml.safe_load((CONFIGS / config).read_text())
    net = (content.get("model") or content)["net"]
    net["init_args"]["encoder"]["init_args"].update(encoder)
    return net


def write_model(net: Mapping[str, Any], name: str) -> Path:
    """Write a network as a model fragment for `--model`."""
    path = Path(f"model-{name}.yaml")
    path.write_text(yaml.safe_dump({"net": net}))
    return path


def make_net(
    net: Mapping[str, Any],
    channels: int = 1,
    classes: int = 2,
    memory_format: torch.memory_format = torch.channels_last,
) -> torch.nn.Module:
    """Return the network itself on the device."""
    arguments = net["init_args"] | {"in_channels": channels, "num_classes": classes}
    torch.manual_seed(0)
    made = build_network("the kit", {"class_path": net["class_path"], "init_args": arguments}, ())
    return made.to(DEVICE).to(memory_format=memory_format)


def make_batch(size: int, count: int) -> dict[str, Any]:
    """Return a batch of noise on the device, as segapp's loader delivers it."""
    generator = torch.Generator().manual_seed(size)
    image = torch.randint(256, (count, 1, size, size), dtype=torch.uint8, generator=generator)
    mask = torch.randint(2, (count, size, size), dtype=torch.uint8, generator=generator)
    return {"image": image.to(DEVICE), "mask": mask.to(DEVICE), "name": [str(number) for number in range(count)]}


def autocast(half: bool = True) -> torch.autocast:
    """Return the context of the bare loops: bf16 on a GPU, fp32 on a CPU."""
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=half and DEVICE.type == "cuda")


def make_loop(
    net: torch.nn.Module, loss: Callable[[Tensor, Tensor], Tensor], batch: dict[str, Any]
) -> Callable[[], Tensor]:
    """Return the step of a bare loop: bf16, AdamW in one kernel, clipping at 1, as `segapp fit` does."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=1e-4, fused=True)

    def step() -> Tensor:
        with autocast():
            value = loss(net(batch["image"]), batch["mask"].long())
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        return value

    return step
