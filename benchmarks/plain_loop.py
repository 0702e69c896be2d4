"""A plain loop around smp.Unet, as the users of segmentation-models-pytorch write it, for a number of seconds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from kit import DEVICE, autocast, synchronize
from torch import Tensor, nn

from segapp.schedules import WarmupCosine

LEARNING_RATE, WEIGHT_DECAY = 1e-3, 1e-4


@dataclass(frozen=True)
class Arm:
    """What differs between two such loops."""

    encoder: str
    crop: int
    batch: int
    weights: Path | None = None
    """File that fills the encoder, in order."""
    normalise: tuple[float, float] = (0.45, 0.225)
    """Mean and standard deviation of pixels in [0, 1] that the weights want."""


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


def train_smp(arm: Arm, frames: Frames, classes: int, budget: Budget, workers: int, seed: int) -> None:
    """Run the loop: Dice + cross-entropy, AdamW, bf16 on a GPU, no average of the weights."""
    torch.manual_seed(seed)
    made = SmpUnet(arm.encoder, frames.images[0].shape[2], classes, *arm.normalise)
    if arm.weights:
        fill_encoder(made.net.encoder, arm.weights)
    made = made.to(DEVICE).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(made.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
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
