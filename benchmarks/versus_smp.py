"""Train a plain segmentation-models-pytorch loop on the data, crops, budget and validation code of a run.

    python benchmarks/versus_smp.py RUN --encoder resnet18 --output runs/smp

RUN is a folder that `segapp fit` wrote: its config gives the data, batch size, epochs, optimiser and precision. The
loop below is what SMP's users write: smp.Unet, Dice + cross-entropy of SMP and torch, no EMA, no clipping.
Writes `<output>/metrics.csv` in the form of a run's, so that both curves can be drawn together.
"""

import argparse
import csv
import time
from pathlib import Path

import segmentation_models_pytorch as smp
import torch
import yaml
from jsonargparse import ArgumentParser
from torch import nn

from segapp.inference.engine import Engine
from segapp.inference.readable_image import ArrayImage
from segapp.inference.runtime import TorchRuntime
from segapp.loading.datamodule import SegmentationDataModule
from segapp.metrics import ScoreCollector
from segapp.schedules import WarmupCosine
from segapp.spec import Spec


class Net(nn.Module):
    """smp.Unet with the normalisation that its users apply in their data set."""

    def __init__(self, encoder: str, channels: int, num_classes: int) -> None:
        super().__init__()
        self.net = smp.Unet(encoder, encoder_weights=None, in_channels=channels, classes=num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net((images.float() / (255 if images.dtype == torch.uint8 else 1) - 0.5) / 0.25)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--encoder", default="resnet18")
    arguments.add_argument("--output", type=Path, required=True)
    options = arguments.parse_args()
    options.output.mkdir(parents=True)
    config = yaml.safe_load((options.run / "config.yaml").read_text())
    torch.manual_seed(config["seed_everything"])
    data, spec = read_data(config)
    net = Net(options.encoder, data.channels, data.num_classes).to(memory_format=torch.channels_last)
    train(net, data, spec, config, options.output / "metrics.csv")


def read_data(config: dict) -> tuple[SegmentationDataModule, Spec]:
    parser = ArgumentParser()
    parser.add_class_arguments(SegmentationDataModule, "data")
    data = parser.instantiate_classes(parser.parse_object({"data": config["data"]})).data
    return data, data.spec


def train(net: nn.Module, data: SegmentationDataModule, spec: Spec, config: dict, path: Path) -> None:
    loader, epochs = data.train_dataloader(), config["trainer"]["max_epochs"]
    settings = config["model"]["optimizer"]["init_args"]
    optimizer = torch.optim.AdamW(net.parameters(), settings["lr"], weight_decay=settings["weight_decay"])
    schedule = WarmupCosine(optimizer)
    schedule.span(epochs * len(loader))
    dice = smp.losses.DiceLoss("multiclass", ignore_index=255)
    cross_entropy = nn.CrossEntropyLoss(ignore_index=255)
    precision = config["trainer"]["precision"]
    started, seconds = time.perf_counter(), 0.0
    for epoch in range(epochs):
        loader._position = lambda epoch=epoch: (epoch, 0)
        net.train()
        total = 0.0
        for batch in loader:
            images = batch["image"].contiguous(memory_format=torch.channels_last)
            mask = batch["mask"].long()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
                logits = net(images)
            loss = dice(logits.float(), mask) + cross_entropy(logits.float(), mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - started
        row = {"epoch": epoch + 1, "step": (epoch + 1) * len(loader), "seconds": round(seconds, 1)}
        row |= {"train/loss": total / len(loader)} | validate(net, data, spec, precision)
        append(path, row)


def validate(net: nn.Module, data: SegmentationDataModule, spec: Spec, precision: str) -> dict[str, float]:
    scores = ScoreCollector(spec.classes, spec.background)
    engine = Engine(TorchRuntime(net.eval(), "cpu", precision), spec)
    for batch in data.val_dataloader():
        prediction = engine.segment(ArrayImage(batch["image"][0].numpy().transpose(1, 2, 0)))
        scores.update(torch.from_numpy(prediction), batch["mask"][0], batch["name"][0])
    return {f"val/{name}": value for name, value in scores.compute().flat.items()}


def append(path: Path, row: dict) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
    print({key: row[key] for key in ("epoch", "seconds", "train/loss", "val/dice/dataset")}, flush=True)


if __name__ == "__main__":
    main()
