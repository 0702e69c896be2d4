"""Compare a training step of segapp with a bare loop and with other libraries, on the same data.

    python benchmarks/training.py                                  # every part, 15 minutes on two idle cores
    python benchmarks/training.py --part ready --part loading
    python benchmarks/training.py --blocks 3 --steps 1 --crop 128  # a look, in minutes

Each part is a process of its own, in which its arms take turns:

    ready    a hand-written PyTorch loop on batches that are ready in memory (the limit), and `segapp fit` on the same
             ones, with metrics, logging, EMA, clipping and checkpoints at their defaults
    loading  the same loop fed by segapp's loader, which decodes, crops and augments; `segapp fit` as it is; and
             segmentation-models-pytorch in Lightning as its users write it: smp.Unet, its losses, its scores every
             step, albumentations in a DataLoader, fp32 as Lightning trains by default
    peers    bare steps on one ready batch: segapp's plain U-Net, MONAI's residual U-Net and nnU-Net's PlainConvUNet of
             the same widths, each with its own loss and optimiser; fp32, and segapp's also as it trains
    encoder  our U-Net on a ResNet-34 beside smp.Unet: time, saved tensors, peak memory; joining by a sum
    loader   samples a second of the loader beside a plain loop of decoding and the same augmentations, and the cache

Each figure is the median over the blocks of a ratio within a block, with the 95 % interval of a bootstrap over blocks.
A block should last 0.3 s and more: enlarge `--steps` where it does not. Prints Markdown.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import lightning.pytorch as pl
import torch
from interleaved import CLOCKS, Step, interleaved, machine, ratio
from loading import loaders
from networks import concatenation, networks, ours
from peers import PEERS, missing, monai, nnunet, plain, run_smp
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from segapp.cli import main as segapp
from segapp.cli import trainer_commands as training
from segapp.datasets import Cells
from segapp.loading.datamodule import SegmentationDataModule
from segapp.losses import DiceCrossEntropy
from segapp.training.precision import choose_precision
from segapp.transforms import Flips

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append", help="may be repeated; default: all")
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--steps", type=int, default=2, help="of every arm in a block")
    parser.add_argument("--batches", type=int, default=20, help="of the loader's arms in a block")
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--no_peak", action="store_true", help="without the processes that measure peak memory")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: of this process, on a busy machine")
    options = parser.parse_args()
    chosen = options.part or list(PARTS)
    if len(chosen) > 1:
        given = [word for word in sys.argv[1:] if word not in PARTS and word != "--part"]
        for part in chosen:
            subprocess.run([sys.executable, __file__, "--part", part, *given], check=True)
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Cells(root="data/cells").items("train")
        print(PARTS[chosen[0]](options))
        print(f"\n{machine('lightning', 'segmentation-models-pytorch', 'monai', 'nnunetv2')}")
        os.chdir(CONFIGS)
    sys.stdout.flush()
    os._exit(0)  # the arms in threads wait for a turn that will not come


# ---------------------------------------------------------------------------------------------------- parts


def ready(options: argparse.Namespace) -> str:
    batches = some_batches(options)
    endless = (batch for _ in iter(int, 1) for batch in batches)
    arms = {"bare loop": looped(options, ours(options.encoder), endless)}
    arms["segapp fit"] = Turns(partial(run_segapp, options, batches))
    return timed(arms, options, ["bare loop"])


def loading(options: argparse.Namespace) -> str:
    arms = {"loop and loader": looped(options, ours(options.encoder), iter(data(options).train_dataloader()))}
    arms["segapp fit"] = Turns(partial(run_segapp, options, None))
    arms["SMP in Lightning"] = Turns(partial(run_smp, options))
    return timed(arms, options, ["loop and loader", "SMP in Lightning"])


def peers(options: argparse.Namespace) -> str:
    batch = some_batches(options)[0]
    endless = (batch for _ in iter(int, 1))
    made = {name: make(batch) for name, make in {"monai": monai, "nnunet": nnunet}.items() if name not in missing()}
    nets = {"segapp, fp32": plain(), "segapp, as it trains": plain()} | {name: net for name, (net, _) in made.items()}
    arms: dict[str, Step] = {
        "segapp, fp32": looped(options, nets["segapp, fp32"], endless, half=False),
        "segapp, as it trains": looped(options, nets["segapp, as it trains"], endless),
    }
    arms |= {name: step for name, (_, step) in made.items()}
    sizes = [f"{name}: {sizes_of(net, batch)}" for name, net in nets.items()]
    absent = [f"{name}: not measured, {' or '.join(PEERS[name])} is not installed" for name in missing()]
    return "\n".join([timed(arms, options, ["segapp, fp32", *made]), "", *sizes, *absent])


def sizes_of(net: nn.Module, batch: dict) -> str:
    """Compare networks of equal widths; MONAI's does less work, since its first convolution has a stride of 2."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(batch["image"].float())
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return f"{parameters:,} parameters, {counter.get_total_flops() / 1e9:.1f} GFLOPs forward"


PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "ready": ready,
    "loading": loading,
    "peers": peers,
    "encoder": lambda options: f"{networks(options)}\n{concatenation(options)}",
    "loader": loaders,
}


# ---------------------------------------------------------------------------------------------------- arms


class Turns(pl.Callback):
    """A training in a thread of its own that runs a given number of steps at a time."""

    def __init__(self, run: Callable[["Turns"], object]) -> None:
        self.go, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.error: BaseException | None = None
        threading.Thread(target=self._run, args=(run,), daemon=True).start()

    def __call__(self) -> None:
        self.go.release()
        self.done.acquire()
        if self.error is not None:
            raise self.error

    def _run(self, run: Callable[["Turns"], object]) -> None:
        self.go.acquire()
        try:
            run(self)
            raise RuntimeError("the training ended before the benchmark did")
        except BaseException as error:
            self.error = error
            self.done.release()

    def on_train_batch_end(self, *_: object) -> None:
        self.done.release()
        self.go.acquire()


def data(options: argparse.Namespace) -> SegmentationDataModule:
    settings = {"augment": [Flips()], "crops_per_image": 1000, "num_workers": 0}
    return SegmentationDataModule(Cells(root="data/cells"), options.batch, options.crop, **settings)


def some_batches(options: argparse.Namespace) -> list[dict]:
    loader = iter(data(options).train_dataloader())
    return [next(loader) for _ in range(8)]


def looped(options: argparse.Namespace, net: nn.Module, batches: Iterator[dict], half: bool | None = None) -> Step:
    """Return the step of a bare loop: loss, optimiser, clipping and, by default, precision of `segapp fit`."""
    loss = DiceCrossEntropy()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    half = choose_precision("cpu") == "bf16-mixed" if half is None else half

    def step() -> None:
        batch = next(batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            value = loss(net(batch["image"]), batch["mask"].long())
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return step


class Ready:
    """Prepared batches in turn, as many as the loader that they came from would have delivered."""

    def __init__(self, batches: list[dict], length: int) -> None:
        self.batches, self.length = batches, length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[dict]:
        return (self.batches[number % len(self.batches)] for number in range(self.length))


def run_segapp(options: argparse.Namespace, batches: list[dict] | None, turns: Turns) -> None:
    """Run `segapp fit` itself, with a callback for the interleaving and, where given, prepared batches."""
    watchers, loader = training.SegmentationCLI._make_callbacks, SegmentationDataModule.train_dataloader
    training.SegmentationCLI._make_callbacks = lambda self, fit: [*watchers(self, fit), turns]  # type: ignore[method-assign]
    if batches is not None:
        SegmentationDataModule.train_dataloader = lambda self: Ready(batches, len(loader(self)))  # type: ignore
    code = segapp(
        [
            *("fit", "--config", str(CONFIGS / "unet.yaml"), "--model", str(CONFIGS / "model" / "resnet34.yaml")),
            *(f"--model.net.init_args.encoder.init_args.name={options.encoder}", "--trainer.accelerator=cpu"),
            *("--data.num_workers=0", f"--data.crop={options.crop}", f"--data.batch_size={options.batch}"),
            *("--data.crops_per_image=1000", "--trainer.enable_progress_bar=false"),
        ]
    )
    raise RuntimeError(f"segapp fit ended with {code}")


# ---------------------------------------------------------------------------------------------------- timing


def timed(arms: dict[str, Step], options: argparse.Namespace, bases: list[str]) -> str:
    """Return a table that compares every arm with the chosen ones."""
    seconds = interleaved(arms, options.blocks, options.steps, CLOCKS[options.clock])
    shape = f"batch {options.batch}, {options.crop} × {options.crop}"
    how = f"{torch.get_num_threads()} threads, {options.clock} time"
    lines = [f"\n{options.blocks} blocks of {options.steps} steps; {shape}; {how}\n"]
    lines += [
        f"| arm | s a step | {' | '.join(f'beside {base}' for base in bases)} |",
        "|---|---|" + "---|" * len(bases),
    ]
    for name, times in seconds.items():
        beside = " | ".join(ratio(times, seconds[base]) for base in bases)
        lines.append(f"| {name} | {statistics.median(times):.3f} | {beside} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
