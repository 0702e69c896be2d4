"""The two ways the part accuracy trains: `segapp fit`, and a plain loop around smp.Unet, for the same seconds."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import segmentation_models_pytorch as smp
import torch
import yaml
from kit import CONFIGS, DEVICE, MeasuredError, autocast, run_fit, synchronize
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from segapp.models.smp import SmpEncoder
from segapp.schedules import WarmupCosine

FLIPS, LOSS = "segapp.transforms.Flips", "segapp.losses.DiceCrossEntropy"


@dataclass(frozen=True)
class Arm:
    """One way to train; see arms.yaml."""

    name: str
    smp: str | None = None
    model: str = "model/resnet34.yaml"
    net: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None
    normalise: tuple[float, float] | None = None
    crop: int = 256
    batch: int = 16
    lr: float = 1e-3
    weight_decay: float = 1e-4
    ema: float | None = 0.99
    oversample: float = 0.0
    augment: tuple[Any, ...] = (FLIPS,)
    loss: Any = LOSS
    options: dict[str, Any] = field(default_factory=dict)


def read_arms(path: Path) -> list[Arm]:
    """Return the arms of a file; raises ValueError for a key that there is not."""
    known = [one.name for one in fields(Arm)]
    entries = yaml.safe_load(path.read_text())
    for entry in entries:
        if unknown := set(entry) - set(known):
            raise ValueError(f"{path}: {entry.get('name')}: no key {', '.join(unknown)}; there are {', '.join(known)}")
    return [Arm(**entry) for entry in entries]


class Budget:
    """The seconds of one training: what has passed, the learning rate that belongs to it, and when to validate.

    The clock starts after the first step, so that start-up counts for nobody, and stands still while the network is
    validated.

    Args:
        seconds: Of training.
        marks: Fractions of them after which `validate` is called; the last is 1.
        validate: Takes the network as it would be kept.
    """

    def __init__(self, seconds: float, marks: list[float], validate: Callable[[nn.Module, int, float], None]) -> None:
        self.seconds, self.marks, self.validate = seconds, list(marks), validate
        self.steps = 0
        self.trained = 0.0
        self._started = 0.0

    def count(self, schedule: WarmupCosine) -> None:
        """Count a step, and tell the schedule how many there will be at this speed."""
        self.steps += 1
        if self.steps == 1:
            synchronize()
            self._started = time.perf_counter()
        self.trained = time.perf_counter() - self._started
        progress = max(self.trained / self.seconds, 1e-4)
        schedule.total_steps = max(self.steps + 1, round(self.steps / progress))

    def look(self, net: Callable[[], nn.Module]) -> bool:
        """Validate when it is due; return whether the time is up."""
        if self.trained < self.marks[0] * self.seconds:
            return False
        synchronize()
        before = time.perf_counter()
        self.trained = before - self._started
        self.marks.pop(0)
        self.validate(net(), self.steps, self.trained)
        self._started += time.perf_counter() - before
        return not self.marks


# ------------------------------------------------------------------------------------------------ segapp fit


class Clock(pl.Callback):
    """Ends a `segapp fit` when its budget is used up, and validates the averaged weights where they are averaged."""

    def __init__(self, budget: Budget, prepare: Callable[[nn.Module], None]) -> None:
        self.budget, self.prepare = budget, prepare

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fill the encoder, before anything is averaged."""
        self.prepare(pl_module.net)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """Count a step; raise MeasuredError at the end."""
        self.budget.count(pl_module.lr_schedulers())
        if self.budget.look(lambda: self.kept(trainer, pl_module)):
            raise MeasuredError

    @staticmethod
    def kept(trainer: pl.Trainer, pl_module: pl.LightningModule) -> nn.Module:
        """Return the network whose weights a checkpoint would hold."""
        for callback in trainer.callbacks:
            if isinstance(callback, WeightAveraging):
                return callback._average_model.module.net
        return pl_module.net


def train_segapp(arm: Arm, data: dict[str, Any], budget: Budget, weights: Path, workers: int, seed: int) -> None:
    """Run `segapp fit` for the budget: one long epoch, so that only the budget ends it."""
    config = yaml.safe_load((CONFIGS / "unet.yaml").read_text())
    content = yaml.safe_load((CONFIGS / arm.model).read_text())
    net = (content.get("model") or content)["net"]
    merge(net["init_args"], arm.net)
    if arm.normalise:
        mean, std = ([value] * 3 for value in arm.normalise)
        merge(net["init_args"], {"mean": mean, "std": std})
    config["data"] = {"source": data["source"], "crop": arm.crop, "batch_size": arm.batch, "crops_per_image": 1000}
    config["data"] |= {"oversample": arm.oversample, "cache_gb": 8.0, "num_workers": workers}
    config["data"]["augment"] = [describe_part(part) for part in arm.augment]
    config["model"] |= {"net": net, "loss": describe_part(arm.loss)}
    config["model"]["optimizer"]["init_args"] = {"lr": arm.lr, "weight_decay": arm.weight_decay}
    average = {"class_path": "segapp.callbacks.EMA", "init_args": {"decay": arm.ema}}
    config["trainer"]["callbacks"] = [average] if arm.ema else []
    config["seed_everything"] = seed
    path = Path(f"{arm.name}-{seed}.yaml")
    path.write_text(yaml.safe_dump(config))
    words = ["--config", str(path), "--trainer.num_sanity_val_steps=0", "--trainer.benchmark=true"]
    words += [f"--{key}={value}" for key, value in arm.options.items()]

    def prepare(made: nn.Module) -> None:
        if arm.weights:
            fill_encoder(find_encoder(made), weights / arm.weights)

    try:
        code = run_fit(words, [Clock(budget, prepare)])
    except MeasuredError:
        return
    raise RuntimeError(f"segapp fit ended with {code} before its time was up; see log.txt")


def merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Overwrite values of nested dictionaries in place."""
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def describe_part(part: Any) -> dict[str, Any]:
    """Return a class path, with its arguments or without, as a config holds it."""
    return {"class_path": part} if isinstance(part, str) else part


def find_encoder(net: nn.Module) -> nn.Module:
    """Return the encoder of segmentation-models-pytorch inside a network."""
    for module in net.modules():
        if isinstance(module, SmpEncoder):
            return module.model
    raise ValueError("the network has no encoder of segmentation-models-pytorch to fill")


def fill_encoder(encoder: nn.Module, path: Path) -> None:
    """Fill an encoder from a file of weights whose first tensors are its own, in order; raises ValueError if not."""
    given = [*torch.load(path, weights_only=True, map_location="cpu").values()]
    own = encoder.state_dict()
    for (name, value), other in zip(own.items(), given, strict=False):
        if value.shape != other.shape:
            raise ValueError(f"{path}: {name} is {tuple(value.shape)}, the file's tensor {tuple(other.shape)}")
    if len(given) < len(own):
        raise ValueError(f"{path}: {len(given)} tensors, the encoder has {len(own)}")
    encoder.load_state_dict(dict(zip(own, given, strict=False)))


# ------------------------------------------------------------------------------------------------ plain loop


class Frames(torch.utils.data.Dataset):
    """Random crops and mirrorings of images in memory, as a tutorial of SMP writes them."""

    def __init__(self, images: list[np.ndarray], masks: list[np.ndarray], crop: int) -> None:
        self.images, self.masks, self.crop = images, masks, crop

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, mask = self.images[index], self.masks[index]
        missing = [max(0, self.crop - side) for side in mask.shape]
        if any(missing):
            rows, columns = (0, missing[0]), (0, missing[1])
            image = np.pad(image, (rows, columns, (0, 0)), mode="reflect")
            mask = np.pad(mask, (rows, columns), constant_values=255)
        y, x = (int(torch.randint(side - self.crop + 1, ())) for side in mask.shape)
        image, mask = (one[y : y + self.crop, x : x + self.crop] for one in (image, mask))
        if torch.rand(()) < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        return torch.from_numpy(image.transpose(2, 0, 1).copy()), torch.from_numpy(mask.astype(np.int64))


class SmpUnet(nn.Module):
    """smp.Unet behind the normalisation its users do in their data set."""

    def __init__(self, encoder: str, channels: int, classes: int, mean: float, std: float) -> None:
        super().__init__()
        self.net = smp.Unet(encoder, encoder_weights=None, in_channels=channels, classes=classes)
        self.mean, self.std = mean, std

    def forward(self, images: Tensor) -> Tensor:
        scale = 255 if images.dtype == torch.uint8 else 1
        return self.net((images.float() / scale - self.mean) / self.std)


def train_smp(arm: Arm, frames: Frames, classes: int, budget: Budget, weights: Path, workers: int, seed: int) -> None:
    """Run the loop that users of segmentation-models-pytorch write: Dice + cross-entropy, AdamW, bf16, no average."""
    assert arm.smp is not None
    torch.manual_seed(seed)
    mean, std = arm.normalise or (0.45, 0.225)
    made = SmpUnet(arm.smp, frames.images[0].shape[2], classes, mean, std)
    if arm.weights:
        fill_encoder(made.net.encoder, weights / arm.weights)
    made = made.to(DEVICE).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(made.parameters(), arm.lr, weight_decay=arm.weight_decay, fused=True)
    schedule = WarmupCosine(optimizer)
    dice = smp.losses.DiceLoss("multiclass", ignore_index=255)
    entropy = nn.CrossEntropyLoss(ignore_index=255)
    torch.backends.cudnn.benchmark = True
    for images, mask in load_endlessly(frames, arm.batch, workers):
        with autocast():
            logits = made(images)
        loss = dice(logits.float(), mask) + entropy(logits.float(), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        budget.count(schedule)
        if budget.look(lambda: made):
            return
        made.train()


def load_endlessly(frames: Frames, batch: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches on the device, the images in no order, until nobody asks."""
    sampler = torch.utils.data.RandomSampler(frames, replacement=True, num_samples=10**8)
    loader = torch.utils.data.DataLoader(
        frames, batch, sampler=sampler, num_workers=workers, pin_memory=DEVICE.type == "cuda", drop_last=True
    )
    for images, mask in loader:
        yield (
            images.to(DEVICE, non_blocking=True, memory_format=torch.channels_last),
            mask.to(DEVICE, non_blocking=True),
        )
