"""Run a few training steps with the settings of a plan, to test them and to measure their time."""

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from segapp.batch import Batch
from segapp.checkpoints.building import build_user_part
from segapp.errors import FatalError
from segapp.inference.engine import Engine
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import TorchRuntime
from segapp.loading.datamodule import SegmentationDataModule
from segapp.loading.worker_processes import choose_workers
from segapp.metrics import ScoreCollector
from segapp.planning.decisions import Decision, build_config
from segapp.planning.machine import USABLE_FRACTION, Machine, estimate_memory, measure_step, time_work
from segapp.planning.run_length import Pace
from segapp.spec import Precision

ORIGIN = "the plan"


class TooLargeError(Exception):
    """A batch does not fit into memory."""


@dataclass
class Measurements:
    """Times that were measured, in their order; None where a step needed too much memory.

    All else that a plan decides follows from the data, so an interrupted comparison of plans begins again with these.
    """

    known: Sequence[Pace | None] = ()
    """Those of an earlier start, which are not measured again."""
    taken: list[Pace | None] = field(default_factory=list)
    """All up to now."""

    def take(self, measure: Callable[[], Pace]) -> Pace:
        """Return the next time, measured unless it is known; raises TooLargeError where there was too little memory."""
        count = len(self.taken)
        try:
            pace = self.known[count] if count < len(self.known) else measure()
        except TooLargeError:
            pace = None
        self.taken.append(pace)
        if pace is None:
            raise TooLargeError
        return pace


class Trial:
    """The data of a plan, of which one batch has been read."""

    def __init__(
        self, decisions: Sequence[Decision], machine: Machine, measurements: Measurements | None = None
    ) -> None:
        self.machine = machine
        self.measurements = measurements or Measurements()
        settings = {**copy.deepcopy(build_config(decisions)["data"]), "num_workers": 0, "cache_gb": 0.0}
        self.data = _build(SegmentationDataModule, "segapp.loading.datamodule.SegmentationDataModule", settings)
        loader = self.data.train_dataloader()
        batches = iter(loader)
        self.batch: Batch = next(batches)  # imports libraries and counts classes, too
        start = time.process_time()
        if next(batches, None) is None:  # the first one holds all images
            next(iter(loader))
        self.loading = time.process_time() - start
        """Seconds that one process computes for one batch, after the first."""

    @property
    def training_images(self) -> int:
        """Images to train on."""
        return len(self.data.split_names()["train"])

    def measure(self, network: dict[str, Any], loss: dict[str, Any]) -> Pace:
        """Return the seconds of a step and of a validation; raises TooLargeError where a step needs too much memory."""
        return self.measurements.take(lambda: self._measure(network, loss))

    def _measure(self, network: dict[str, Any], loss: dict[str, Any]) -> Pace:
        sizes = {"in_channels": self.data.channels, "num_classes": self.data.num_classes}
        net = _build(nn.Module, network["class_path"], {**network["init_args"], **sizes})
        if estimate_memory(net, self.batch["image"]) > USABLE_FRACTION * self.machine.memory:
            raise TooLargeError
        criterion = _build(nn.Module, loss["class_path"], loss["init_args"])
        try:
            step = measure_step(net, criterion, self.batch["image"], self.batch["mask"], self.machine)
            window = self._measure_window(net)
        except (torch.OutOfMemoryError, FatalError) as error:  # the runtime of windows words it for commands
            raise TooLargeError from error
        finally:
            del net
            if self.machine.kind == "cuda":
                torch.cuda.empty_cache()
        return Pace(self._add_loading(step), self._estimate_validation(window))

    def _add_loading(self, step: float) -> float:
        """Return the time of a step with its loading: beside it in worker processes, or before it without any."""
        workers = choose_workers(self.machine.kind == "cuda", 1)
        return max(step, self.loading / workers) if workers else step + self.loading

    def _measure_window(self, net: nn.Module) -> float:
        """Return the seconds of segmenting and scoring one window, as a validation does."""
        spec = self.data.spec
        precision: Precision = "bf16-mixed" if self.machine.autocast else "32-true"
        engine = Engine(TorchRuntime(net.eval(), self.machine.kind, precision), replace(spec, resize=None))
        scores = ScoreCollector(spec.classes, spec.background)
        dtype = self.batch["image"].numpy().dtype
        image = ArrayImage(np.zeros((*spec.window, spec.channels), dtype))
        mask = torch.zeros(spec.window, dtype=torch.uint8)

        def work() -> None:
            scores.update(torch.from_numpy(engine.segment(image)), mask, image.name)

        return time_work(work, self.machine)

    def _estimate_validation(self, window: float) -> float:
        """Return the time for all windows of the validation images, and for reading the images."""
        data = self.data
        items = data.source.items("val")
        sizes = [data.sampling.resize or item.image.shape[:2] for item in items]
        windows = sum(_count_windows(size, data.window, data.overlap) for size in sizes)
        return windows * window + len(items) * self.loading / len(self.batch["image"])


def _count_windows(size: tuple[int, ...], window: tuple[int, int], overlap: float) -> int:
    counts = [
        max(1, math.ceil((side - length * overlap) / (length * (1 - overlap))))
        for side, length in zip(size, window, strict=True)
    ]
    return counts[0] * counts[1]


def _build(kind: Any, class_path: str, init_args: dict[str, Any]) -> Any:
    settings = {"class_path": class_path, "init_args": init_args}
    return build_user_part(ORIGIN, kind, class_path.rsplit(".", 1)[-1], settings)
