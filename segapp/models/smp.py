"""Encoders and whole architectures of segmentation-models-pytorch (SMP), and through it of timm."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import segmentation_models_pytorch as smp
import timm
import torch
import torch.nn.functional as F
from huggingface_hub import constants as hub
from segmentation_models_pytorch.encoders import TimmUniversalEncoder, get_encoder, get_preprocessing_params
from segmentation_models_pytorch.encoders import encoders as smp_encoders
from torch import Tensor, nn

from segapp.errors import MisuseError, SegappError
from segapp.models.choices import whole
from segapp.models.encoders import Encoder
from segapp.models.normalise import Normalise

OURS = {"encoder_name", "encoder_weights", "in_channels", "classes", "activation", "aux_params", "kwargs"}
"""Arguments of SMP's architectures that have a place of their own here, or would make of logits something else."""

Statistics = tuple[float | list[float], float | list[float]]
"""Mean and std that an encoder expects of the image, in units of [0, 1]."""


class SmpEncoder(Encoder):
    """Any encoder of SMP by its name (`resnet34`), or of timm as `tu-<timm name>`, under our decoder.

    Its blocks, norms and short skips are its own: no setting of `UNet` changes them. With `pretrained` its weights
    are taken from the local cache or the network, and it brings the mean and std they were trained with.
    `pretrained: false` builds the same modules without either, which is how a checkpoint is read back. `weights`
    says which ones, where SMP has several; timm's are part of the name (`tu-resnet18.a1_in1k`). `options` go to
    the constructor of timm's; SMP's own take none.

    The levels are the strides 1, 2, 4, …; stride 1 is the image itself, so nothing is skipped there (vgg's is a
    feature). Level i's features flow through an empty submodule `str(i)`, where they can be watched.
    """

    def __init__(
        self,
        in_channels: int,
        name: str = "resnet34",
        depth: int = 5,
        pretrained: bool = False,
        weights: str = "imagenet",
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not 3 <= depth <= 5:
            raise MisuseError(f"depth takes 3 … 5 for encoder {name}, got {depth}.")
        if options and not name.startswith("tu-"):
            raise MisuseError(f"encoder {name} takes no options, only timm's (tu-…) do; got {', '.join(options)}.")
        if options and "output_stride" in options:
            raise MisuseError(f"encoder {name}: its levels are those of strides 1, 2, 4, …; leave output_stride out.")

        def build(chosen: str | bool | None) -> nn.Module:
            return get_encoder(name, in_channels, depth, chosen, **(options or {}))

        self.name = name
        self.model, (self.mean, self.std) = built(build, name, in_channels, pretrained, weights)
        freeze_unused(self.model, in_channels)
        channels: list[int] = list(self.model.out_channels)
        # The image is no feature: SMP's own U-Net leaves stride 1 without a skip, too.
        self.out_channels = [0 if channels[0] == in_channels else channels[0], *channels[1:]]
        self.reductions = [2**level for level in range(len(channels))]
        self.decoder_widths = [min(256, 16 * reduction) for reduction in self.reductions[:-1]]
        for level in range(len(channels)):
            self.add_module(str(level), nn.Identity())

    def forward(self, images: Tensor) -> list[Tensor]:
        count, _, height, width = images.shape
        smallest = self.reductions[-1]
        if not (torch.compiler.is_compiling() or torch.jit.is_tracing()) and min(height, width) < smallest:
            raise MisuseError(
                f"encoder {self.name} needs images of at least {smallest}×{smallest} pixels, got {height}×{width}."
            )
        features = list(run(self.model, images))
        for level, channels in enumerate(self.out_channels):
            if level and not channels:  # SMP's stand-in rounds down where the other levels round up
                stride = self.reductions[level]
                up = (
                    stride - 1
                )  # not -(-height // stride): ONNX divides towards zero, and the exported net would differ
                features[level] = images.new_empty(count, 0, (height + up) // stride, (width + up) // stride)
            features[level] = self.get_submodule(str(level))(features[level])
        return features

    def extra_repr(self) -> str:
        return f"{self.name!r}, its blocks and short skips are its own"


class SmpNet(nn.Module):
    """Any architecture of SMP, for comparison: `DeepLabV3Plus`, `FPN`, `Segformer`, …

    Images (N, C, H, W), uint8 or float32 in [0, 1] → logits (N, K, H, W). Where the architecture needs sides
    divisible by its stride, the image's edge is repeated and the logits are cut. `encoder`, `pretrained` and
    `weights` as `SmpEncoder`'s; `options` go to the architecture's constructor, and through it to that of timm's
    encoders. `mean` and `std` as `UNet`'s.
    Submodules: `normalise`, `network`.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        architecture: str = "DeepLabV3Plus",
        encoder: str = "resnet34",
        pretrained: bool = False,
        weights: str = "imagenet",
        options: dict[str, Any] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        whole("in_channels", in_channels)
        whole("num_classes", num_classes)
        if architecture.lower() not in smp.MODEL_ARCHITECTURES_MAPPING:
            names = " | ".join(known.__name__ for known in smp.MODEL_ARCHITECTURES_MAPPING.values())
            raise MisuseError(f"architecture takes {names}, got {architecture!r}.")
        taken = {*inspect.signature(smp.MODEL_ARCHITECTURES_MAPPING[architecture.lower()]).parameters} - OURS
        unknown = [option for option in options or {} if option not in taken]
        if unknown and (not encoder.startswith("tu-") or OURS & {*unknown}):  # to timm's encoders the others go
            raise MisuseError(
                f"{architecture} with encoder {encoder} takes no options {', '.join(unknown)}; "
                f"it takes {', '.join(sorted(taken))}."
            )

        def build(chosen: str | bool | None) -> nn.Module:
            return smp.create_model(architecture, encoder, chosen, in_channels, num_classes, **(options or {}))

        network, (own_mean, own_std) = built(build, encoder, in_channels, pretrained, weights)
        self.normalise = Normalise(in_channels, own_mean if mean is None else mean, own_std if std is None else std)
        freeze_unused(network, in_channels)
        self.network = network
        self.stride: int = network.encoder.output_stride if network.requires_divisible_input_shape else 1

    def forward(self, images: Tensor) -> Tensor:
        images = self.normalise(images)
        height, width = images.shape[-2:]
        if self.stride > 1:
            up = self.stride - 1  # remainders of positive numbers only: ONNX takes those of negative ones otherwise
            right, below = (width + up) // self.stride * self.stride, (height + up) // self.stride * self.stride
            images = F.pad(images, (0, right - width, 0, below - height), mode="replicate")
        return run(self.network, images)[..., :height, :width]


def run(network: nn.Module, images: Tensor) -> Any:
    """`network(images)`, with complaints about single values and about sizes as sentences that say what to do."""
    try:
        return network(images)
    except AssertionError as error:  # of timm's encoders that are made for one size, such as Swin
        raise MisuseError(
            f"this network does not take images of {images.shape[2]}×{images.shape[3]} pixels "
            f"({str(error).rstrip('.')}): set data.crop, and data.window, to a size it takes."
        ) from error
    except ValueError as error:
        if "more than 1" not in str(error):
            raise
        raise MisuseError(
            f"a norm inside this network sees a single value per channel for a batch of {images.shape[0]} of "
            f"{images.shape[2]}×{images.shape[3]} pixels: use a batch of 2 or more, or larger crops."
        ) from error


def freeze_unused(network: nn.Module, in_channels: int) -> None:
    """Freeze what no output depends on: stages beyond `depth`, EfficientNet's classification head.

    DDP waits for the gradient of every trainable parameter. timm removes its own; some of its encoders take only
    one image size.
    """
    if any(isinstance(part, TimmUniversalEncoder) for part in network.modules()):
        return
    outputs = network.eval()(torch.zeros(1, in_channels, 128, 128))  # PAN takes no smaller ones
    network.train()
    parameters = list(network.parameters())
    used = [output.sum() for output in ([outputs] if isinstance(outputs, Tensor) else outputs)]
    outcome = torch.stack([output for output in used if output.requires_grad]).sum()
    for parameter, gradient in zip(
        parameters, torch.autograd.grad(outcome, parameters, allow_unused=True), strict=True
    ):
        parameter.requires_grad_(gradient is not None)


def built(
    build: Callable[[str | bool | None], Any], encoder: str, in_channels: int, pretrained: bool, weights: str
) -> tuple[Any, Statistics]:
    """What `build` makes of the encoder's weights (None: without), and the statistics these expect.

    Raises MisuseError for unknown names, SegappError when the weights cannot be had.
    """
    timms = encoder.startswith("tu-")
    if not (timm.is_model(encoder[3:]) if timms else encoder in smp_encoders):
        raise MisuseError(
            f"no encoder is called {encoder!r}: take one of segmentation-models-pytorch "
            f"({', '.join(list(smp_encoders)[:3])}, …), or one of timm as tu-<name>."
        )
    if not pretrained:
        return build(None), (Encoder.mean, Encoder.std)
    if timms and not timm.models.is_model_pretrained(encoder[3:]):
        raise MisuseError(f"timm has no pretrained weights for {encoder[3:]!r}; set pretrained: false.")
    if not timms and weights not in smp_encoders[encoder]["pretrained_settings"]:
        offered = " | ".join(smp_encoders[encoder]["pretrained_settings"]) or "none"
        raise MisuseError(f"weights for encoder {encoder} take {offered}, got {weights!r}.")
    # timm's own are True to SMP: a name would only be warned about.
    chosen = True if timms else weights
    return fetched(encoder, lambda: (build(chosen), statistics(encoder, weights, in_channels)))


def statistics(encoder: str, weights: str, in_channels: int) -> Statistics:
    """Mean and std that pretrained weights expect, for any number of channels.

    One channel takes the average, as its filters are the sum of three; more repeat red, green, blue, as theirs do.
    """
    settings = get_preprocessing_params(encoder, weights)
    full = settings["input_range"][1]

    def spread(values: list[float]) -> list[float]:
        if in_channels == 1:
            return [sum(values) / len(values) / full]
        return [values[channel % len(values)] / full for channel in range(in_channels)]

    return spread(settings["mean"]), spread(settings["std"])


def fetched(encoder: str, build: Callable[[], tuple[Any, Statistics]]) -> tuple[Any, Statistics]:
    """Run `build`, which asks the hub for weights: from the local cache first, then from the network.

    Raises SegappError within seconds when neither has them: the hub's own client retries for 23 to 47 s.
    """
    try:
        with _offline():
            return build()
    except OSError:  # not in the cache
        problem = _unreachable()
    if not problem:
        try:
            return build()
        except OSError as error:
            problem = str(error).splitlines()[0]
    raise SegappError(
        f"the pretrained weights of {encoder} are not in {hub.HF_HUB_CACHE} and cannot be fetched ({problem}): "
        "connect this machine, copy that folder from one that has them, or set pretrained: false."
    )


@contextmanager
def _offline() -> Iterator[None]:
    """Let the hub's client read its cache only; it looks at this switch for every request."""
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _unreachable() -> str:
    """Why the hub cannot be reached, or nothing: one request, where the hub's own client would make five."""
    if hub.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        urlopen(Request(hub.ENDPOINT, method="HEAD"), timeout=5).close()
    except HTTPError:
        return ""  # something answers
    except OSError as error:
        return f"{hub.ENDPOINT} does not answer: {error}"
    return ""
