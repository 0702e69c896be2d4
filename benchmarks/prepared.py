"""Prepare networks and images for the benchmarks of prediction; they are made once and kept.

Everything lies under runs/benchmarks and data/benchmarks of the folder that a benchmark is started in; remove them to
have them made anew.
"""

import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentParser

import segapp.commands.predict as command
from segapp.checkpoints.building import build_network
from segapp.checkpoints.bundle import Dtype, Format
from segapp.cli import main as segapp
from segapp.commands.export import export
from segapp.datasets import Cells
from segapp.inference.open import Networks
from segapp.loading.datamodule import SegmentationDataModule

CONFIGS = Path(__file__).parents[1] / "configs"
RUNS, DATA = Path("runs/benchmarks"), Path("data/benchmarks")
SMALL = ("--config", str(CONFIGS / "unet.yaml"))
RESNET34 = (*SMALL, "--model", str(CONFIGS / "model" / "resnet34.yaml"))
WINDOW = 512


def images(count: int) -> list[Path]:
    """Return the paths of `count` grey 512 x 512 PNGs, written if missing."""
    cells = Cells(DATA / f"cells-{count}", size=WINDOW, train=1, val=1, test=count)
    return [item.image.path for item in cells.items("test")]


def checkpoint(name: str, options: tuple[str, ...], channels: int = 1) -> Path:
    """Return the best checkpoint of a short `segapp fit` on 24 images of cells, with windows set to 512 x 512."""
    source = {"root": DATA / f"train-{channels}", "size": WINDOW, "train": 24, "val": 4, "test": 0}
    words = [f"--data.source.init_args.{key}={value}" for key, value in (source | {"channels": channels}).items()]
    return trained(name, (*options, *words, "--data.crops_per_image=8", "--trainer.max_epochs=4"))


def trained(name: str, options: tuple[str, ...]) -> Path:
    """Return the best checkpoint of a `segapp fit`; train only if no finished run exists."""
    ended = RUNS / f"{name}.txt"
    if not ended.is_file():
        quiet = ("--trainer.enable_progress_bar=false", "--trainer.callbacks=[]")
        with redirect_stdout(sys.stderr):
            code = segapp(["fit", *options, f"--name=benchmarks/{name}", f"--data.window={WINDOW}", *quiet])
        if code:
            raise RuntimeError(f"segapp fit ended with {code}")
        ended.write_text(str(max((RUNS / name).glob("*/checkpoints/best.ckpt"))))
    return Path(ended.read_text().strip())


def exported(path: Path, format: Format, dtype: Dtype, images: Path | None = None) -> Path:
    """Return the bundle of a checkpoint; export only if it does not exist."""
    folder = path.parent / f"{format}-{dtype}"
    if not folder.is_dir():
        free = {"max_delta": 1e9, "max_changed": 1.0} if dtype == "int8" else {}  # its Dice is measured instead
        with redirect_stdout(sys.stderr):
            code = export(str(path), format, str(folder), dtype, str(images) if images else None, **free)
        if code:
            raise RuntimeError(f"segapp export to {folder} ended with {code}")
    return folder


def with_classes(path: Path, classes: int) -> Path:
    """Return a copy whose head has `classes` classes, the added ones random: for time and memory, not for masks."""
    target = path.with_name(f"{classes}-classes.ckpt")
    if not target.is_file():
        record: dict[str, Any] = torch.load(path, weights_only=True)
        inside = record["segapp"]
        inside["net"]["init_args"]["num_classes"] = classes
        inside["spec"]["classes"] = ["background", *(f"kind {index}" for index in range(1, classes))]
        inside["spec"]["palette"] = [[index * 12, index * 12, index * 12] for index in range(classes)]
        torch.manual_seed(0)
        net = build_network(path, inside["net"], ()).state_dict()
        kept = {key: value for key, value in record["state_dict"].items() if key.startswith("net.")}
        for key, value in net.items():
            if kept[f"net.{key}"].shape != value.shape:
                kept[f"net.{key}"] = value
        torch.save({"state_dict": kept, "segapp": inside}, target)
    return target


def data_of(config: dict[str, Any]) -> SegmentationDataModule:
    """Return the data module of the section `data` of a config."""
    parser = ArgumentParser()
    parser.add_class_arguments(SegmentationDataModule, "data")
    return parser.instantiate_classes(parser.parse_object({"data": config})).data


def open_once() -> None:
    """Make `segapp predict`, called in this process, open and hash a checkpoint once instead of at every call.

    What a command does once per run is then not charged to each of the small blocks that it is measured in.
    """
    opened, digest = command.open_networks, command.compute_fingerprint
    networks = cache(lambda paths, *rest: opened(list(paths), *rest))
    models = cache(lambda paths, spec, save, options: digest(paths, spec, save, dict(options)))

    def open_networks(paths: list[str], allowed: list[str], *rest: Any) -> Networks:
        return networks(tuple(paths), tuple(allowed), *rest)

    def compute_fingerprint(paths: list[str], spec: Any, save: list[Any], options: dict[str, str]) -> str:
        return models(tuple(paths), spec, tuple(save), tuple(options.items()))

    command.open_networks, command.compute_fingerprint = open_networks, compute_fingerprint  # type: ignore[assignment]
