"""Part correct: what only a GPU shows, each a check with a value that passes or fails.

    precision        bf16 is chosen where the GPU computes it
    deterministic    two fits with cross-entropy and `--trainer.deterministic true` end in the same weights
    resume           a fit stopped by SIGTERM and resumed ends in the weights of one that was not stopped
    fp16             a fit in 16-mixed ends well; one whose activations overflow ends with a message and no bad weights
    memory           a step and a prediction too large for the GPU end with a message
    GPU and CPU      the same masks, fp32; bf16 beside fp32; exported forms beside the checkpoint on the GPU
    fsdp             fit, test and resume on one GPU

On a CPU the checks that need a GPU are skipped; the others run, so that the kit is known to work.
"""

import os
import signal
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from kit import CONFIGS, DEVICE, Results, Values, describe_cells, make_batch, read_options, run_fit
from torch import nn
from torch.export.passes import move_to_device_pass

from segapp.checkpoints.bundle_weights import load_weights
from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.cli import main as segapp
from segapp.datasets import Cells
from segapp.export.convert import convert_to_onnx, export_program, save_weights
from segapp.inference.engine import Engine
from segapp.inference.exported_runtime import OnnxRuntime
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import Runtime, TorchRuntime
from segapp.spec import Spec
from segapp.training.precision import choose_precision

GPU = DEVICE.type == "cuda"


class Bench:
    """The trainings that the checks are made with.

    Args:
        tiny: The smallest sizes.
    """

    def __init__(self, tiny: bool) -> None:
        self.tiny = tiny
        sizes = (
            {"size": 48, "train": 4, "val": 1, "test": 1} if tiny else {"size": 256, "train": 24, "val": 4, "test": 2}
        )
        widths = "--model.net.init_args.encoder.init_args.widths=[4,8]"
        self.words = ["--config", str(CONFIGS / "unet.yaml"), *describe_cells("cells", **sizes)]
        self.words += ["--data.batch_size=2", "--data.crop=32", widths] if tiny else ["--data.num_workers=4"]
        self.sizes = sizes
        self.count = 0

    def fit(self, *words: str, watchers: list[pl.Callback] | None = None, batches: list | None = None) -> "Outcome":
        """Run `segapp fit` with a run folder of its own."""
        self.count += 1
        root = Path(f"run-{self.count}")
        options = [*self.words, f"--trainer.default_root_dir={root}", "--trainer.num_sanity_val_steps=0", *words]
        return run_caught(lambda: run_fit(options, watchers or [], batches), root)

    def trained(self) -> Path:
        """Return a checkpoint of the small network that has learnt the cells."""
        done = self.fit("--trainer.max_epochs=2" if self.tiny else "--trainer.max_epochs=8")
        if done.code:
            raise RuntimeError(done.message)
        return done.best

    def images(self) -> list[ArrayImage]:
        """Return the images of the test set."""
        items = Cells(root="cells", **self.sizes).items("test")
        return [ArrayImage(item.image.read(), item.name) for item in items]


class Outcome:
    """How a command ended: exit code, what it wrote to stderr, and its checkpoints."""

    def __init__(self, code: int, message: str, root: Path) -> None:
        self.code, self.message, self.root = code, message, root

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return next(self.root.rglob("last.ckpt"))

    @property
    def best(self) -> Path:
        """The checkpoint to predict with."""
        return next(self.root.rglob("best.ckpt"))


class StopAt(pl.Callback):
    """Sends this process SIGTERM after some optimiser steps, as a cluster that takes its machine back does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        """Send it once."""
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run every check."""
    options = read_options(__doc__)
    results, bench = Results("correct", options), Bench(options.tiny)
    results.measure("precision", check_precision)
    made: dict[str, Path] = {}
    results.measure("a fit in the default precision", lambda: remember(made, bench))
    if made:
        for name, check in compare_networks(made["best"], bench).items():
            results.measure(name, check)
    deterministic = ["--trainer.deterministic=true"]
    entropy = [*deterministic, "--model.loss=segapp.losses.CrossEntropy"]
    results.measure("deterministic cross-entropy", lambda: check_twice(bench, entropy), 8)
    results.measure("deterministic Dice + cross-entropy", lambda: check_twice(bench, deterministic), 8)
    results.measure("resume, deterministic", lambda: check_resume(bench, deterministic, exact=True), 8)
    results.measure("resume, default", lambda: check_resume(bench, [], exact=not GPU), 8)
    results.measure("fp16, a fit", only_on_gpu(lambda: check_fp16(bench)), 5)
    results.measure("fp16, overflow is reported", only_on_gpu(lambda: check_overflow(bench)), 5)
    results.measure("GPU memory, fit", only_on_gpu(lambda: check_memory_of_fit(bench)), 5)
    results.measure("GPU memory, predict", only_on_gpu(lambda: check_memory_of_predict(made["best"], bench)), 5)
    results.measure("fsdp: fit, test, resume", only_on_gpu(lambda: check_fsdp(bench)), 15)


# ------------------------------------------------------------------------------------------------ shared


def run_caught(run: Callable[[], int], root: Path = Path()) -> Outcome:
    """Run a command and keep what it wrote to stderr."""
    errors = StringIO()
    with redirect_stderr(errors):
        code = run()
    print(errors.getvalue())
    messages = [line for line in errors.getvalue().splitlines() if line.startswith("segapp:")]
    return Outcome(code, messages[-1] if messages else "", root)


def judge(passed: bool, value: object, note: str = "") -> Values:
    """Return a check's result."""
    return {"passed": bool(passed), "value": value, "note": note[:400]}


def only_on_gpu(check: Callable[[], Values]) -> Callable[[], Values]:
    """Return the check, or one that says that there is no GPU."""
    return check if GPU else lambda: {"passed": None, "value": "needs a GPU", "note": ""}


def remember(made: dict[str, Path], bench: Bench) -> Values:
    """Train the network that the other checks compare."""
    made["best"] = bench.trained()
    spec, _, record = load_checkpoint(made["best"])
    return judge(bool(record["scores"]), spec.precision, str(record["scores"])[:200])


def compare_weights(one: Path, two: Path) -> float:
    """Return the largest difference between the weights of two checkpoints."""
    first, second = (torch.load(path, weights_only=True, map_location="cpu")["state_dict"] for path in (one, two))
    return max(float((value.double() - second[key].double()).abs().max()) for key, value in first.items())


# ------------------------------------------------------------------------------------------------ checks


def check_precision() -> Values:
    """Check that the fastest safe precision is chosen."""
    chosen = choose_precision("auto")
    bf16 = GPU and torch.cuda.get_device_capability() >= (8, 0)
    return judge(chosen == "bf16-mixed" if bf16 else True, chosen)


def check_twice(bench: Bench, words: list[str]) -> Values:
    """Check that a fit gives the same weights twice."""
    runs = [bench.fit("--trainer.max_epochs=1", *words) for _ in range(2)]
    for run in runs:
        if run.code:
            return judge(False, f"exit code {run.code}", run.message)
    difference = compare_weights(runs[0].last, runs[1].last)
    return judge(difference == 0, difference, "largest difference of a weight between two runs")


def check_resume(bench: Bench, words: list[str], exact: bool) -> Values:
    """Check that a fit that was stopped and resumed ends in the weights of one that was not."""
    words = ["--trainer.max_epochs=2", *words]
    uninterrupted, stopped = bench.fit(*words), bench.fit(*words, watchers=[StopAt(3)])
    if uninterrupted.code or stopped.code != 128 + signal.SIGTERM:
        return judge(False, f"exit codes {uninterrupted.code}, {stopped.code}", stopped.message)
    resumed = run_caught(lambda: run_fit(["--ckpt_path", str(stopped.last)]))
    if resumed.code:
        return judge(False, f"exit code {resumed.code}", resumed.message)
    difference = compare_weights(uninterrupted.last, stopped.last)
    return judge(difference == 0 or not exact, difference, "largest difference of a weight after resuming")


def check_fp16(bench: Bench) -> Values:
    """Check that a fit in 16-mixed ends well."""
    done = bench.fit("--trainer.max_epochs=2", "--trainer.precision=16-mixed")
    return judge(done.code == 0, f"exit code {done.code}", done.message)


def check_overflow(bench: Bench) -> Values:
    """Check that a run whose batch norm has seen an overflow ends with a message, and keeps no such weights."""
    words = ["--trainer.max_epochs=6", "--trainer.precision=16-mixed", "--trainer.gradient_clip_val=null"]
    words += ["--model.optimizer=torch.optim.SGD", "--model.optimizer.init_args.lr=1e8"]
    done = bench.fit(*words)
    kept = [path for path in done.root.rglob("*.ckpt") if not is_finite(path)]
    passed = done.code == 1 and "not" in done.message and "number" in done.message and not kept
    return judge(passed, f"exit code {done.code}, {len(kept)} bad checkpoints", done.message)


def is_finite(path: Path) -> bool:
    """Return whether every weight and running statistic of a checkpoint is a finite number."""
    weights = torch.load(path, weights_only=True, map_location="cpu")["state_dict"].values()
    return all(bool(value.isfinite().all()) for value in weights)


def check_memory_of_fit(bench: Bench) -> Values:
    """Check the message of a step that needs more memory than there is."""
    batch = make_batch(256, 1)
    large = {"image": batch["image"].expand(60_000, -1, -1, -1), "mask": batch["mask"].expand(60_000, -1, -1)}
    done = bench.fit("--trainer.max_epochs=1", batches=[large | {"name": ["large"] * 60_000}])
    return judge(done.code in (1, 2) and "memory" in done.message, f"exit code {done.code}", done.message)


def check_memory_of_predict(path: Path, bench: Bench) -> Values:
    """Check the message of a window that needs more memory than there is."""
    folder = Cells(root="cells", **bench.sizes).items("test")[0].image.path.parent
    words = ["predict", "--ckpt_path", str(path), "--images", str(folder), "--output", "too-large"]
    done = run_caught(lambda: segapp([*words, "--window", "8192", "--batch_size", "64"]))
    return judge(done.code in (1, 2) and "memory" in done.message, f"exit code {done.code}", done.message)


def check_fsdp(bench: Bench) -> Values:
    """Check a fit, a test of its checkpoint and resuming under FSDP on one GPU."""
    words = ["--trainer.strategy=fsdp", "--trainer.callbacks=null", "--trainer.gradient_clip_val=null"]
    done = bench.fit("--trainer.max_epochs=2", *words)
    if done.code:
        return judge(False, f"fit: exit code {done.code}", done.message)
    tested = run_caught(lambda: segapp(["test", "--ckpt_path", str(done.best), "--trainer.strategy=auto"]))
    stopped = bench.fit("--trainer.max_epochs=2", *words, watchers=[StopAt(3)])
    resumed = run_caught(lambda: run_fit(["--ckpt_path", str(stopped.last)]))
    difference = compare_weights(done.last, stopped.last)
    codes = f"test {tested.code}, stopped {stopped.code}, resumed {resumed.code}; weights differ by {difference:.3g}"
    messages = " ".join(one.message for one in (tested, resumed) if one.code)
    return judge(tested.code == 0 and resumed.code == 0, codes, messages)


def compare_networks(path: Path, bench: Bench) -> dict[str, Callable[[], Values]]:
    """Return the checks that compare logits with those of the checkpoint in fp32 on the device.

    A pixel may change its class where two classes are as likely: up to 0.1 % of the pixels, for bf16 1 %.
    """
    spec, net, record = load_checkpoint(path)
    images = bench.images()
    reference = compute_logits(TorchRuntime(net, DEVICE, "32-true"), spec, images)

    def compare(make: Callable[[], Runtime], limit: float = 0.001) -> Callable[[], Values]:
        def check() -> Values:
            return compare_logits(compute_logits(make(), spec, images), reference, limit)

        return check

    def weights() -> Runtime:
        save_weights(net, record["net"], Path("network.safetensors"), half=False)
        return TorchRuntime(load_weights(Path("network.safetensors")), DEVICE)

    def onnx() -> Runtime:
        convert_to_onnx(fresh(), spec, Path("network.onnx"))
        return OnnxRuntime(Path("network.onnx"))

    def fresh() -> nn.Module:
        return load_checkpoint(path)[1]

    def program() -> Runtime:
        exported = move_to_device_pass(export_program(fresh(), spec), DEVICE)
        return Program(exported.module(), DEVICE)

    return {
        "the GPU beside the CPU, fp32": compare(lambda: TorchRuntime(fresh(), "cpu")),
        "bf16 beside fp32": compare(lambda: TorchRuntime(fresh(), DEVICE, "bf16-mixed"), 0.01),
        "a bundle of weights beside the checkpoint": compare(weights),
        "a torch.export program on the device beside the checkpoint": compare(program),
        "ONNX Runtime on the CPU beside the checkpoint": compare(onnx),
        **({"ONNX Runtime on the GPU beside the checkpoint": compare(onnx_on_gpu)} if has_onnx_on_gpu() else {}),
    }


class Program(TorchRuntime):
    """An exported program, which has no evaluation mode and no memory format to be put in."""

    def __init__(self, net: nn.Module, device: torch.device) -> None:
        super().__init__(nn.Identity(), device)
        self.net = net


def has_onnx_on_gpu() -> bool:
    """Return whether ONNX Runtime has its CUDA provider."""
    import onnxruntime

    return GPU and "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def onnx_on_gpu() -> Runtime:
    """Return the ONNX network of the check before on the GPU."""
    import onnxruntime

    runtime = OnnxRuntime(Path("network.onnx"))
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    runtime._session = onnxruntime.InferenceSession("network.onnx", providers=providers)
    return runtime


def compute_logits(runtime: Runtime, spec: Spec, images: list[ArrayImage]) -> list[np.ndarray]:
    """Return the logits (K, H, W) of every image."""
    engine = Engine(runtime, spec)
    bands = ([runtime.to_numpy(band.logits) for band in engine.compute_bands(image)] for image in images)
    return [np.concatenate(parts, axis=1) for parts in bands]


def compare_logits(logits: list[np.ndarray], reference: list[np.ndarray], limit: float) -> Values:
    """Return the fraction of pixels whose class differs, and the largest difference beside the largest logit."""
    changed = np.mean([np.mean(one.argmax(0) != two.argmax(0)) for one, two in zip(logits, reference, strict=True)])
    largest = max(float(np.abs(one).max()) for one in reference)
    delta = max(float(np.abs(one - two).max()) for one, two in zip(logits, reference, strict=True)) / largest
    return judge(changed <= limit, f"{changed:.4%} of the pixels", f"logits differ by {delta:.2e} of the largest")


if __name__ == "__main__":
    main()
