"""Part throughput: training steps of segapp, of a bare loop and of SMP in Lightning, and what the loader feeds.

    bare         a hand-written loop on one batch that lies on the device: bf16, channels last, fused AdamW, clipping
    cudnn.benchmark
                 the same where cuDNN tries its algorithms first
    contiguous   the same with channels first, where cuDNN compiles no kernels for depthwise convolutions
    compiled     the same through torch.compile
    segapp fit   the command on such batches, with its metrics, logging, EMA and clipping at their defaults
    SMP          smp.Unet in Lightning as its users write it, fp32 and bf16-mixed
    loader       images a second that segapp's loader delivers, and `segapp fit` fed by it

lite0 is the network that `segapp plan` chooses for photographs. `first s` is the first step, which loads and compiles
kernels. Model FLOPs are those of the convolutions and matrix products, forward and backward, as torch counts them;
utilisation is over the rate of a large bf16 matrix product measured in the same run.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import lightning.pytorch as pl
import torch
from kit import (
    CONFIGS,
    DEVICE,
    MeasuredError,
    Ready,
    Results,
    Stopwatch,
    Values,
    describe_cells,
    make_batch,
    make_loop,
    make_net,
    read_net,
    read_options,
    read_peak_memory,
    synchronize,
    time_fit,
    time_steps,
    write_model,
)
from peers import SmpModule
from torch.utils.flop_counter import FlopCounterMode

from segapp.datasets import Cells
from segapp.loading.datamodule import SegmentationDataModule
from segapp.losses import DiceCrossEntropy
from segapp.transforms import Flips, Microscopy

WIDE, FIRST = [32, 64, 128, 256, 512], [64, 128, 256, 512, 1024]
SMALLEST = "tu-tf_mobilenetv3_small_minimal_100"
"""An encoder of few weights, to try the kit with."""

BATCHES = {256: 64, 512: 16, 572: 16, 1024: 4}
"""Crops in a step, by their side: equal pixels, but for the network of 2015."""


class Plan:
    """What is measured: the networks by name, crops in a step by their side, seconds of one measurement."""

    def __init__(self, tiny: bool) -> None:
        widths = {"widths": [4, 8]} if tiny else {}
        smallest = {"name": SMALLEST} if tiny else {}
        self.nets = {
            "small": read_net("unet.yaml", **widths),
            "residual": read_net("model/residual.yaml", **(widths or {"widths": WIDE})),
            "resnet34": read_net("model/resnet34.yaml", **smallest),
            "lite0": read_net("model/efficientnet_lite0.yaml", pretrained=False, **smallest),
            "2015": read_net("model/ronneberger2015.yaml", **(widths or {"widths": FIRST})),
        }
        self.encoder = SMALLEST if tiny else "resnet34"
        self.precisions = ["32-true"] if tiny else ["32-true", "bf16-mixed"]
        self.batches = {32: 2} if tiny else BATCHES
        self.first = 32 if tiny else 572
        self.sizes = [32] if tiny else [512, 256, 1024]
        self.seconds, self.warm = (0.05, 1) if tiny else (1.0, 5)
        self.cells = {"size": 64 if tiny else 512, "train": 4 if tiny else 48, "val": 1, "test": 0}
        self.crop, self.fed = (32, 2) if tiny else (256, 64)
        self.workers = (1,) if tiny else (8, 14)
        self.peak = 256 if tiny else 8192
        self.backend = "aot_eager" if tiny else "inductor"  # traces the same, but compiles nothing

    @property
    def cases(self) -> list[tuple[str, int]]:
        """Network and side of the crops, the most telling first."""
        plain = [(name, size) for size in self.sizes for name in ("lite0", "small", "residual", "resnet34")]
        return [*plain[:4], ("2015", self.first), *plain[4:]]


def main() -> None:
    """Measure everything there is time for."""
    options = read_options(__doc__)
    results, plan = Results("throughput", options), Plan(options.tiny)
    results.measure("peak", lambda: measure_peak(plan))
    for name, size in plan.cases:
        results.measure(f"bare/{name}/{size}", partial(measure_bare, plan, name, size))
        results.measure(f"segapp/{name}/{size}", partial(measure_segapp, plan, name, size))
        if name == "resnet34":
            for precision in plan.precisions:
                results.measure(f"SMP {precision}/{name}/{size}", partial(measure_smp, plan, size, precision))
    first = partial(measure_bare, plan, "lite0", plan.sizes[0], memory_format=torch.contiguous_format)
    results.measure(f"contiguous/lite0/{plan.sizes[0]}", first)
    for name, size in plan.cases[:5]:
        results.measure(f"cudnn.benchmark/{name}/{size}", partial(measure_tried, plan, name, size))
    measure_loaders(results, plan)
    for name, size in [("small", plan.sizes[-2:][0]), ("resnet34", plan.sizes[0])]:
        work = partial(measure_bare, plan, name, size, compiled=True)
        results.measure(f"compiled/{name}/{size}", work, 5 if options.tiny else 30)


def measure_peak(plan: Plan) -> Values:
    """Return the rate of a large bf16 matrix product on random values."""
    a, b = (torch.randn(plan.peak, plan.peak, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    seconds = time_steps(lambda: a @ b, plan.seconds, plan.warm)
    return {"tflops": round(2 * plan.peak**3 / seconds / 1e12, 3), "side": plan.peak}


def measure_bare(
    plan: Plan,
    name: str,
    size: int,
    compiled: bool = False,
    memory_format: torch.memory_format = torch.channels_last,
) -> Values:
    """Time the bare loop and count its FLOPs."""
    net, batch = make_net(plan.nets[name], memory_format=memory_format), make_batch(size, plan.batches[size])
    net.train()
    step = make_loop(net, DiceCrossEntropy(), batch)
    synchronize()
    started = time.perf_counter()
    with FlopCounterMode(display=False) as counter:
        step()
    synchronize()
    first = time.perf_counter() - started
    flops = counter.get_total_flops()
    if compiled:
        step = make_loop(torch.compile(net, backend=plan.backend), DiceCrossEntropy(), batch)
    seconds = time_steps(step, plan.seconds, plan.warm)
    facts = {"parameters": sum(parameter.numel() for parameter in net.parameters()), "first_s": round(first, 2)}
    return describe_step(plan, size, seconds) | {"gflops": round(flops / 1e9, 2)} | facts


def measure_tried(plan: Plan, name: str, size: int) -> Values:
    """Time the bare loop where cuDNN tries its algorithms first."""
    torch.backends.cudnn.benchmark = True
    try:
        return measure_bare(plan, name, size)
    finally:
        torch.backends.cudnn.benchmark = False


def describe_step(plan: Plan, size: int, seconds: float) -> dict[str, Any]:
    """Return a step's time, rate and memory."""
    crops = plan.batches[size]
    rate = {"ms": round(seconds * 1e3, 3), "images_per_second": round(crops / seconds, 1)}
    return {"batch": crops, **rate, "peak_gb": read_peak_memory()}


def measure_segapp(plan: Plan, name: str, size: int) -> Values:
    """Time `segapp fit` on batches that are ready."""
    batches = [make_batch(size, plan.batches[size])]
    model = write_model(plan.nets[name], name)
    words = ["--config", str(CONFIGS / "unet.yaml"), "--model", str(model), f"--data.crop={size}"]
    words += [f"--data.batch_size={plan.batches[size]}", "--data.num_workers=0"]
    words += describe_cells("few", size=64, train=2, val=1, test=0)
    return describe_step(plan, size, time_fit(words, plan.seconds, batches, plan.warm))


def measure_smp(plan: Plan, size: int, precision: str) -> Values:
    """Time smp.Unet in Lightning, with its losses and its scores at every step."""
    batch = make_batch(size, plan.batches[size])
    ready = Ready([[batch["image"].float() / 127.5 - 1, batch["mask"].long()]], 1_000)
    watch = Stopwatch(plan.seconds, plan.warm)
    accelerator = "gpu" if DEVICE.type == "cuda" else "cpu"
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": "smp"}
    trainer = pl.Trainer(
        accelerator=accelerator, devices=1, precision=precision, max_epochs=1, callbacks=[watch], **quiet
    )
    try:
        trainer.fit(SmpModule(plan.encoder), ready)
    except MeasuredError:
        return describe_step(plan, size, watch.step)
    raise RuntimeError("the training ended before it was measured")


def measure_loaders(results: Results, plan: Plan) -> None:
    """Measure the loader alone, and `segapp fit` fed by it."""
    for workers in plan.workers:
        for augment in (Flips, Microscopy):
            name = f"loader/{augment.__name__}/{workers} workers"
            results.measure(name, partial(measure_loader, plan, augment, workers))
    for name in ("small", "resnet34"):
        results.measure(f"fed/{name}/{plan.crop}", partial(measure_fed, plan, name))


def measure_loader(plan: Plan, augment: Callable[[], Any], workers: int) -> Values:
    """Count the crops that the loader delivers."""
    settings = {"augment": [augment()], "crops_per_image": 1000, "num_workers": workers, "cache_gb": 1.0}
    data = SegmentationDataModule(Cells(root="cells", **plan.cells), plan.fed, plan.crop, **settings)
    loader = iter(data.train_dataloader())
    try:
        seconds = time_steps(lambda: next(loader), 2 * plan.seconds, 2 * workers + 2)
    finally:
        data.on_exception(KeyboardInterrupt())
    return {"images_per_second": round(plan.fed / seconds, 1), "crop": plan.crop, "batch": plan.fed}


def measure_fed(plan: Plan, name: str) -> Values:
    """Time `segapp fit` with its own loader."""
    words = ["--config", str(CONFIGS / "unet.yaml"), "--model", str(write_model(plan.nets[name], name))]
    words += [f"--data.crop={plan.crop}", f"--data.batch_size={plan.fed}", "--data.crops_per_image=1000"]
    words += ["--data.cache_gb=1", *describe_cells("cells", **plan.cells)]
    seconds = time_fit(words, 2 * plan.seconds, warm=2 * plan.warm)
    rate = {"ms": round(seconds * 1e3, 3), "images_per_second": round(plan.fed / seconds, 1)}
    return {"batch": plan.fed, **rate, "peak_gb": read_peak_memory()}


if __name__ == "__main__":
    main()
