"""The libraries that training.py compares with: segmentation-models-pytorch in Lightning, MONAI and nnU-Net.

MONAI and nnU-Net are no dependencies of segapp: `pip install monai==1.6.1 nnunetv2` into an environment of its own.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import albumentations as A
import lightning.pytorch as pl
import numpy as np
import segmentation_models_pytorch as smp
import torch
from interleaved import Step
from torch import nn

from segapp.io import read_raw
from segapp.models import PlainEncoder, UNet

WIDTHS = [16, 32, 64, 128, 256, 512]
PEERS = {"monai": ("monai",), "nnunet": ("nnunetv2", "dynamic_network_architectures")}


def missing() -> list[str]:
    """Return the names of the libraries that are not installed."""
    return [name for name, modules in PEERS.items() if not all(map(find_spec, modules))]


class SmpData(torch.utils.data.Dataset):
    """A data set written as in SMP's tutorials."""

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
    """A Lightning module written as in SMP's tutorials."""

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


def run_smp(options: argparse.Namespace, turns: pl.Callback) -> None:
    loader = torch.utils.data.DataLoader(SmpData(options.crop), batch_size=options.batch, shuffle=True)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, callbacks=[turns], default_root_dir="smp", **quiet)
    trainer.fit(SmpModule(options.encoder), loader)


def plain() -> nn.Module:
    """Return segapp's U-Net with these widths and, as in nnU-Net, two convolutions per level."""
    torch.manual_seed(0)
    return UNet(1, 2, encoder=lambda channels: PlainEncoder(channels, WIDTHS)).to(memory_format=torch.channels_last)


def monai(batch: dict) -> tuple[nn.Module, Step]:
    """Return a network and a training step as in MONAI's tutorials: residual units, DiceCELoss, AdamW."""
    from monai.losses import DiceCELoss
    from monai.networks.nets import UNet as MonaiUNet

    net = MonaiUNet(2, 1, 2, channels=WIDTHS, strides=[2] * 5, num_res_units=2)
    loss, optimizer = DiceCELoss(to_onehot_y=True, softmax=True), torch.optim.AdamW(net.parameters(), lr=2e-3)
    images, masks = batch["image"].float() / 255, batch["mask"].long()[:, None]

    def step() -> None:
        optimizer.zero_grad()
        loss(net(images), masks).backward()
        optimizer.step()

    return net, step


def nnunet(batch: dict) -> tuple[nn.Module, Step]:
    """Return nnUNetTrainer's network and CPU step: deep supervision, Dice + cross-entropy, SGD, clipping at 12."""
    from dynamic_network_architectures.architectures.unet import PlainConvUNet
    from nnunetv2.training.loss.compound_losses import DC_and_CE_loss
    from nnunetv2.training.loss.deep_supervision import DeepSupervisionWrapper
    from nnunetv2.training.loss.dice import MemoryEfficientSoftDiceLoss

    net = PlainConvUNet(
        *(1, 6, WIDTHS, nn.Conv2d, 3, [1, 2, 2, 2, 2, 2], 2, 2, 2),
        **{"conv_bias": True, "norm_op": nn.InstanceNorm2d, "norm_op_kwargs": {"eps": 1e-5, "affine": True}},
        **{"nonlin": nn.LeakyReLU, "nonlin_kwargs": {"inplace": True}, "deep_supervision": True},
    )
    dice = {"batch_dice": True, "smooth": 1e-5, "do_bg": False, "ddp": False}
    weights = np.array([1 / 2**level for level in range(4)] + [0])
    loss = DeepSupervisionWrapper(
        DC_and_CE_loss(dice, {}, dice_class=MemoryEfficientSoftDiceLoss), list(weights / weights.sum())
    )
    optimizer = torch.optim.SGD(net.parameters(), 1e-2, weight_decay=3e-5, momentum=0.99, nesterov=True)
    images, masks = batch["image"].float() / 255, batch["mask"].float()[:, None]
    targets = [masks[..., :: 2**level, :: 2**level] for level in range(5)]

    def step() -> None:
        optimizer.zero_grad()
        loss(net(images), targets).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 12)
        optimizer.step()

    return net, step
