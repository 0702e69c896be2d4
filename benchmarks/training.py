"""What a training step of segapp costs beside a bare loop and beside what users of SMP write, on the same data.

    python benchmarks/training.py                                # an hour on two idle cores
    python benchmarks/training.py --blocks 4 --steps 1 --crop 128  # a look, in minutes

Arms, interleaved in blocks within one process, so that whatever else the machine does meets all of them:

    bare     a hand-written PyTorch loop on batches that are ready in memory: the limit
    loading  the same loop, fed by a loader that decodes, crops and augments
    segapp   `segapp fit` with metrics, logging, EMA, clipping and checkpoints at their defaults
    smp      segmentation-models-pytorch in Lightning as its users write it: smp.Unet, its losses, its scores every
             step, albumentations in a DataLoader, fp32 as Lightning trains by default
    monai    MONAI's U-Net of the same widths in a bare loop with its DiceCELoss, where MONAI is installed

The first three train the same network (an SMP encoder under our decoder) in the same precision with the same loss,
AdamW and clipping. Each figure is the median over the blocks of a ratio within a block, with the 95 % interval of a
bootstrap over blocks. Prints Markdown.
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import albumentations as A
import lightning.pytorch as pl
import numpy as np
import segmentation_models_pytorch as smp
import torch
from interleaved import CLOCKS, Step, interleaved, ratio
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from segapp.cli import main as segapp
from segapp.cli import training
from segapp.cli.precision import fastest_safe_precision
from segapp.datamodule import SegmentationDataModule
from segapp.datasets import Cells
from segapp.io import read_raw
from segapp.losses import DiceCrossEntropy
from segapp.models import UNet
from segapp.models.smp import SmpEncoder
from segapp.transforms import Flips

WIDTHS = [16, 32, 64, 128, 256]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--steps", type=int, default=4, help="of every arm in a block")
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: of this process, on a busy machine")
    options = parser.parse_args()
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Cells(root="data/cells").items("train")
        arms = {"bare": bare(options), "loading": loading(options), "segapp": Turns(partial(run_segapp, options))}
        arms["smp"] = Turns(partial(run_smp, options))
        if find_spec("monai"):
            arms["monai"] = monai(options)
        print(table(interleaved(arms, options.blocks, options.steps, CLOCKS[options.clock]), options))
        print(networks(options))
        print(concatenation(options))
        os.chdir(here)
    sys.stdout.flush()
    os._exit(0)  # the arms in threads wait for a turn that will not come


# ---------------------------------------------------------------------------------------------------- arms


class Turns(pl.Callback):
    """A training that others wrote, in a thread of its own, let on by so many steps at a time."""

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


def network(options: argparse.Namespace) -> nn.Module:
    torch.manual_seed(0)
    net = UNet(1, 2, encoder=partial(SmpEncoder, name=options.encoder), decoder_widths=WIDTHS, upsample="nearest")
    return net.to(memory_format=torch.channels_last)


def data(options: argparse.Namespace) -> SegmentationDataModule:
    source = Cells(root="data/cells")
    return SegmentationDataModule(source, options.batch, options.crop, augment=[Flips()], crops_per_image=1000)


def looped(options: argparse.Namespace, batches: Iterator[dict]) -> Step:
    """The bare loop: same network, precision, loss, optimiser and clipping as `segapp fit`."""
    net, loss = network(options), DiceCrossEntropy()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-4)
    half = fastest_safe_precision("cpu") == "bf16-mixed"

    def step() -> None:
        batch = next(batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            value = loss(net(batch["image"]), batch["mask"].long())
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return step


def bare(options: argparse.Namespace) -> Step:
    loader = iter(data(options).train_dataloader())
    ready = [next(loader) for _ in range(8)]
    return looped(options, (batch for _ in iter(int, 1) for batch in ready))


def loading(options: argparse.Namespace) -> Step:
    return looped(options, iter(data(options).train_dataloader()))


def run_segapp(options: argparse.Namespace, turns: Turns) -> None:
    """The command itself; only the taking of turns is added."""
    watchers = training.SegmentationCLI._watchers
    training.SegmentationCLI._watchers = lambda self, fit: [*watchers(self, fit), turns]  # type: ignore[method-assign]
    config = Path(__file__).parents[1] / "configs"
    net = "--model.net.init_args"
    code = segapp(
        [
            *("fit", "--config", str(config / "unet.yaml"), "--model", str(config / "model" / "resnet34.yaml")),
            *(f"{net}.encoder.init_args.name={options.encoder}", "--trainer.accelerator=cpu", "--data.num_workers=0"),
            *(f"--data.crop={options.crop}", f"--data.batch_size={options.batch}", "--data.crops_per_image=1000"),
            "--trainer.enable_progress_bar=false",
        ]
    )
    raise RuntimeError(f"segapp fit ended with {code}")


class SmpData(torch.utils.data.Dataset):
    """A data set as a tutorial of SMP writes it."""

    def __init__(self, crop: int) -> None:
        self.images = sorted(Path("data/cells/train/images").iterdir())
        self.change = A.Compose([A.RandomCrop(crop, crop), A.HorizontalFlip(), A.Normalize((0.5,), (0.25,))])

    def __len__(self) -> int:
        return 1000 * len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        path = self.images[index % len(self.images)]
        mask = read_raw(path.parents[1] / "masks" / path.name)
        changed = self.change(image=read_raw(path)[..., None], mask=mask)
        return torch.from_numpy(changed["image"].transpose(2, 0, 1)), torch.from_numpy(changed["mask"].astype(np.int64))


class SmpModule(pl.LightningModule):
    """A module as a tutorial of SMP writes it."""

    def __init__(self, encoder: str) -> None:
        super().__init__()
        self.model = smp.Unet(encoder, encoder_weights=None, in_channels=1, classes=2)
        self.dice, self.entropy = smp.losses.DiceLoss("multiclass"), nn.CrossEntropyLoss()

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        image, mask = batch
        logits = self.model(image)
        loss = self.dice(logits, mask) + self.entropy(logits, mask)
        counts = smp.metrics.get_stats(logits.argmax(1), mask, mode="multiclass", num_classes=2)
        self.log("train/iou", smp.metrics.iou_score(*counts, reduction="micro"), prog_bar=True)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def run_smp(options: argparse.Namespace, turns: Turns) -> None:
    loader = torch.utils.data.DataLoader(SmpData(options.crop), batch_size=options.batch, shuffle=True)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, callbacks=[turns], default_root_dir="smp", **quiet)
    trainer.fit(SmpModule(options.encoder), loader)


def monai(options: argparse.Namespace) -> Step:
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet as MonaiUNet

    net = MonaiUNet(2, 1, 2, channels=[*WIDTHS, 512], strides=[2] * 5, num_res_units=2)
    loss, optimizer = DiceCELoss(to_onehot_y=True, softmax=True), torch.optim.AdamW(net.parameters(), lr=2e-3)
    batch = next(iter(data(options).train_dataloader()))

    def step() -> None:
        optimizer.zero_grad()
        loss(net(batch["image"].float() / 255), batch["mask"].long()[:, None]).backward()
        optimizer.step()

    return step


# ---------------------------------------------------------------------------------------------------- timing


def table(seconds: dict[str, list[float]], options: argparse.Namespace) -> str:
    shape = f"batch {options.batch}, {options.crop} × {options.crop}, {options.encoder}"
    how = f"{torch.get_num_threads()} threads, {options.clock} time"
    lines = [f"\n{len(seconds['bare'])} blocks of {options.steps} steps; {shape}; {how}\n"]
    lines += ["| arm | s a step | beside bare | beside loading | beside smp |", "|---|---|---|---|---|"]
    for name, times in seconds.items():
        beside = " | ".join(ratio(times, seconds[base]) for base in ("bare", "loading", "smp"))
        lines.append(f"| {name} | {statistics.median(times):.3f} | {beside} |")
    return "\n".join(lines)


def networks(options: argparse.Namespace) -> str:
    """Our U-Net on a ResNet-34 beside smp.Unet of the same widths: both fp32 and channels last, the same loss."""
    options = argparse.Namespace(**{**vars(options), "encoder": "resnet34"})
    theirs = smp.Unet("resnet34", encoder_weights=None, in_channels=1, classes=2).to(memory_format=torch.channels_last)
    nets = {"smp.Unet": theirs, "segapp UNet": network(options)}
    images = torch.rand(options.batch, 1, options.crop, options.crop)
    seconds = interleaved(
        {name: trained(net, images) for name, net in nets.items()}, options.blocks, 1, CLOCKS[options.clock]
    )
    lines = ["\n| ResNet-34, equal widths, fp32 | parameters | s forward + backward | ratio | saved tensors |"]
    lines.append("|---|---|---|---|---|")
    for name, net in nets.items():
        size = sum(parameter.numel() for parameter in net.parameters())
        beside = ratio(seconds[name], seconds["smp.Unet"])
        median, saved = statistics.median(seconds[name]), kept(net, images) / 1e6
        lines.append(f"| {name} | {size:,} | {median:.3f} | {beside} | {saved:.0f} MB |")
    return "\n".join(lines)


def trained(net: nn.Module, *images: torch.Tensor) -> Step:
    def step() -> None:
        net.zero_grad()
        net(*images).float().square().mean().backward()

    return step


def kept(net: nn.Module, *images: torch.Tensor) -> int:
    """Bytes that a forward keeps for its backward, weights left out."""
    storages = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in weights:
            storages[place] = tensor.untyped_storage()  # held, so that no address is used twice
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = net(*images)
    total = sum(storage.nbytes() for storage in storages.values())
    del output
    return total


# ---------------------------------------------------------------------------------------------------- concatenation


class Concatenated(nn.Module):
    """What a decoder's first layer does: concatenation, norm, ReLU, convolution."""

    def __init__(self, first: int, second: int, out: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(first + second), nn.Conv2d(first + second, out, 3, padding=1, bias=False)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.conv(self.norm(torch.cat([a, b], 1)).relu())


class Summed(nn.Module):
    """The same function with nothing copied: a norm and a convolution of each input, and the sum."""

    def __init__(self, first: int, second: int, out: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(first), nn.BatchNorm2d(second)])
        self.convs = nn.ModuleList([nn.Conv2d(n, out, 3, padding=1, bias=False) for n in (first, second)])

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.convs[0](self.norms[0](a).relu()) + self.convs[1](self.norms[1](b).relu())


def concatenation(options: argparse.Namespace) -> str:
    """Both at the levels of the default network and of a ResNet's decoder, per level."""
    lines = ["\n| level (decoder + encoder → out, size) | summed beside concatenated | saved tensors, MB |"]
    lines.append("|---|---|---|")
    for first, second, out, reduction in ((16, 16, 16, 1), (64, 64, 32, 2), (128, 64, 64, 4), (256, 256, 256, 16)):
        side = max(options.crop // reduction, 1)
        inputs = [torch.rand(options.batch, n, side, side, requires_grad=True) for n in (first, second)]
        inputs = [part.to(memory_format=torch.channels_last) for part in inputs]
        pair = {kind.__name__: kind(first, second, out) for kind in (Concatenated, Summed)}
        for net in pair.values():
            net.to(memory_format=torch.channels_last)
        seconds = interleaved(
            {name: retaining(net, inputs) for name, net in pair.items()}, options.blocks, 1, CLOCKS[options.clock]
        )
        saved = " → ".join(f"{kept(net, *inputs) / 1e6:.1f}" for net in pair.values())
        beside = ratio(seconds["Summed"], seconds["Concatenated"])
        lines.append(f"| {first} + {second} → {out}, {side}² | {beside} | {saved} |")
    return "\n".join(lines)


def retaining(net: nn.Module, inputs: list[torch.Tensor]) -> Step:
    leaves = [part.detach().requires_grad_() for part in inputs]
    return trained(net, *leaves)


if __name__ == "__main__":
    main()
