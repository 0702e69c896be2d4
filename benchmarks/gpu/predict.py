"""Part predict: `segapp predict` from files to files, beside the bare forward of the same windows, and the GPU's use.

    folder       PNGs of 512 x 512, grey, to masks
    large        one uncompressed TIFF of 6,144 x 6,144, to its mask, in windows of 512 with a quarter shared
    bare         the network as often as there are windows, on batches that lie on the device: the limit

The weights are random: the time does not depend on them. The command runs in this process, once before it is timed;
`opening` is its share for reading the checkpoint.
"""

import importlib
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import tifffile
import torch
from kit import (
    DEVICE,
    Results,
    Values,
    autocast,
    free_memory,
    make_net,
    read_net,
    read_options,
    read_peak_memory,
    synchronize,
    time_steps,
)

from segapp.checkpoints.version import VERSION
from segapp.cli import main as segapp
from segapp.inference.open import open_networks
from segapp.inference.windows import list_window_starts
from segapp.spec import Spec

BATCH = 16
"""Windows at once, as the command takes on a GPU."""


def main() -> None:
    """Measure the networks on both kinds of input."""
    options = read_options(__doc__)
    results = Results("predict", options)
    images, side, window = (4, 150, 64) if options.tiny else (200, 6144, 512)
    folder, large = draw_folder(images, window), draw_large(side)
    widths: dict[str, Any] = {"widths": [4, 8]} if options.tiny else {}
    encoder = {"name": "tu-tf_mobilenetv3_small_minimal_100"} if options.tiny else {}
    lite0 = read_net("model/efficientnet_lite0.yaml", pretrained=False, **encoder)
    nets = {"small": read_net("unet.yaml", **widths), "lite0": lite0}
    seconds = 0.05 if options.tiny else 1.0
    batch = 2 if options.tiny else BATCH
    along = len(list_window_starts(side, window, 0.25))
    for name, net in nets.items():
        made = partial(write_checkpoint, name, net, window)
        results.measure(f"opening/{name}", partial(measure_opening, made))
        results.measure(f"bare/{name}", partial(measure_bare, net, window, batch, seconds))
        for kind, source, count, windows in (("folder", folder, images, images), ("large", large, 1, along**2)):
            work = partial(measure_command, made, source, f"{name}-{kind}", count, windows)
            results.measure(f"{kind}/{name}", work)


def draw_folder(count: int, side: int) -> Path:
    """Write grey PNGs of smooth noise, which compress and decode about as photographs do."""
    folder, random = Path("images"), np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    coarse = random.integers(0, 256, (side // 8 + 1, side // 8 + 1), np.uint8)
    base = np.array(PIL.Image.fromarray(coarse).resize((side, side), PIL.Image.Resampling.BICUBIC))
    noise = random.integers(0, 8, (side, side), np.uint8)
    for number in range(count):
        pixels = np.roll(base, 37 * number, axis=1) // 2 + np.roll(noise, 11 * number, axis=0)
        PIL.Image.fromarray(pixels).save(folder / f"{number:04}.png", compress_level=1)
    return folder


def draw_large(side: int) -> Path:
    """Write one large grey TIFF, uncompressed."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    tifffile.imwrite("large.tif", pixels)
    return Path("large.tif")


def write_checkpoint(name: str, net: dict[str, Any], window: int) -> Path:
    """Write a checkpoint of random weights that computes in bf16, unless it is there."""
    path = Path(f"{name}.ckpt")
    if path.is_file():
        return path
    spec = Spec(("background", "cell"), 0, ((0, 0, 0), (200, 80, 80)), 1, window=(window, window))
    arguments = net["init_args"] | {"in_channels": 1, "num_classes": 2}
    inside = {"class_path": net["class_path"], "init_args": arguments}
    kept = spec.to_dict() | {"precision": "bf16-mixed"}
    record = {"version": VERSION, "spec": kept, "net": inside, "config": {}, "splits": {}, "scores": {}}
    weights = {f"net.{key}": value.cpu() for key, value in make_net(net).state_dict().items()}
    torch.save({"state_dict": weights, "segapp": record}, path)
    free_memory()
    return path


def measure_opening(made: Callable[[], Path]) -> Values:
    """Time the reading of a checkpoint onto the device, the second time in this process."""
    path = made()
    open_networks([path])
    started = time.perf_counter()
    networks = open_networks([path])
    return {
        "opening_s": round(time.perf_counter() - started, 3),
        "where": f"{networks.where}, {networks.spec.precision}",
    }


def measure_bare(net: dict[str, Any], window: int, batch: int, seconds: float) -> Values:
    """Time the network alone in evaluation, bf16, channels last."""
    made = make_net(net).eval()
    images = torch.randint(256, (batch, 1, window, window), dtype=torch.uint8, device=DEVICE)

    def forward() -> None:
        with torch.inference_mode(), autocast():
            made(images)

    step = time_steps(forward, seconds, 2 if seconds < 1 else 5)
    return {"windows_per_second": round(batch / step, 1), "batch": batch, "peak_gb": read_peak_memory()}


def measure_command(made: Callable[[], Path], images: Path, name: str, count: int, windows: int) -> Values:
    """Time `segapp predict` from files to files."""
    words = ["predict", "--ckpt_path", str(made()), "--images", str(images), "--output"]
    run(*words, f"{name}-first")
    synchronize()
    with Usage() as usage:
        started = time.perf_counter()
        run(*words, f"{name}-timed")
        seconds = time.perf_counter() - started
    rates = {"images_per_second": round(count / seconds, 2), "windows_per_second": round(windows / seconds, 1)}
    return {"total_s": round(seconds, 3), **rates, "gpu_use_percent": usage.mean, "peak_gb": read_peak_memory()}


def run(*words: str) -> None:
    """Run segapp in this process; raise RuntimeError unless it ends well."""
    code = segapp(words)
    if code:
        raise RuntimeError(f"segapp {' '.join(words)} ended with {code}; see log.txt")


class Usage:
    """Samples the GPU's utilisation in a thread; `mean` is in percent, None where nothing tells it."""

    def __init__(self, every: float = 0.05) -> None:
        self.mean: float | None = None
        self._every, self._samples, self._end = every, [], threading.Event()
        self._read = find_gauge() if DEVICE.type == "cuda" else None
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Usage":
        if self._read is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._read is not None:
            self._thread.join()
        if self._samples:
            self.mean = round(sum(self._samples) / len(self._samples), 1)

    def _sample(self) -> None:
        assert self._read is not None
        while not self._end.wait(self._every):
            self._samples.append(self._read())


def find_gauge() -> Callable[[], float]:
    """Return what reads the GPU's utilisation: NVML's Python module where it is installed, else nvidia-smi."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
        return lambda: float(subprocess.run(query, check=True, capture_output=True, text=True).stdout)
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    return lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)


if __name__ == "__main__":
    main()
