"""Start a network from the weights of another one, with other classes, other channels or another depth."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segapp.errors import MisuseError
from segapp.models.encoders import PlainEncoder
from segapp.models.pretrained import adapt_channels


@dataclass(frozen=True)
class Learned:
    """The weights of a trained network, by name, and what it was trained on."""

    weights: Mapping[str, Tensor]
    classes: Sequence[str]
    channels: int


@dataclass(frozen=True)
class Transfer:
    """The tensors that a network took over, by its own names; `unused` by the other network's."""

    taken: list[str]
    initial: list[str]
    """Tensors that keep their initial values: the other network has none of that name and shape."""
    unused: list[str]
    """Tensors of the other network that this one does not have."""
    classes: list[str]
    """Classes that both know."""
    new_classes: list[str]
    lost_classes: list[str]


def transfer_weights(net: nn.Module, learned: Learned, classes: Sequence[str], channels: int) -> Transfer:
    """Load into `net` what another network of the same architecture has learned.

    * Layers that give the classes (see `find_class_layers`) take the rows of the classes of the same name.
    * Layers that see the image are adapted to its channels, and the normalisation with them.
    * All other tensors must agree, but in two cases: outputs of deep supervision may be more or fewer, and over
      a `PlainEncoder` each tensor is taken where name and shape agree, if the first level does. A bottleneck counts
      as the level it is on, so that a deeper network finds it in its encoder.

    Args:
        net: Takes the weights.
        learned: The other network's.
        classes: Of `net`, in the order of its logits.
        channels: Of the image that `net` sees.

    Raises:
        MisuseError: for another architecture, before anything is loaded.
    """
    own = net.state_dict()
    by_level = any(isinstance(part, PlainEncoder) for part in net.modules())
    given = _name_by_level(learned.weights) if by_level else {name: name for name in learned.weights}
    names = _name_by_level(own) if by_level else {name: name for name in own}
    layers = find_class_layers(net)
    if not layers and tuple(classes) != tuple(learned.classes):
        raise MisuseError(
            "it has other classes, and this network has no layer `head` for them: "
            "use the same classes in the same order, or call its last layer head."
        )
    rows = [learned.classes.index(name) if name in learned.classes else None for name in classes]
    found: dict[str, Tensor] = {}
    for key, name in names.items():
        if key in given:
            value = learned.weights[given[key]]
            adapted = _fit_tensor(
                name, value, own[name], rows, layers, (len(learned.classes), learned.channels, channels)
            )
            if adapted is not None:
                found[name] = adapted
    used = {given[key] for key, name in names.items() if name in found}
    initial = [name for name in own if name not in found]
    unused = [name for name in learned.weights if name not in used]
    _refuse_other_architecture(own, found, initial, unused, by_level)
    net.load_state_dict(own | found)
    both = [name for name in classes if name in learned.classes]
    new = [name for name in classes if name not in learned.classes]
    return Transfer([*found], initial, unused, both, new, [name for name in learned.classes if name not in classes])


def find_class_layers(net: nn.Module) -> set[str]:
    """Return the names of the layers whose output channels are the classes.

    They are the last convolutions of `head` and `auxiliary.i`, and of SMP's `segmentation_head`.
    """
    heads = [
        part for part in net.named_modules() if re.fullmatch(r"head|auxiliary\.\d+|(.*\.)?segmentation_head", part[0])
    ]
    layers = set()
    for prefix, head in heads:
        convolutions = [name for name, part in head.named_modules() if isinstance(part, nn.Conv2d)]
        if convolutions:
            layers.add(f"{prefix}.{convolutions[-1]}".rstrip("."))
    return layers


def _name_by_level(names: Mapping[str, Tensor]) -> dict[str, str]:
    """Return each name by one that calls the bottleneck the encoder's last level."""
    levels = [int(found[1]) for name in names if (found := re.match(r"encoder\.(\d{1,4})\.", name))]
    last = max(levels, default=-1) + 1
    return {re.sub(r"^bottleneck\.", f"encoder.{last}.", name): name for name in names}


def _fit_tensor(
    name: str,
    value: Tensor,
    own: Tensor,
    rows: Sequence[int | None],
    layers: set[str],
    sizes: tuple[int, int, int],
) -> Tensor | None:
    """Return the other network's tensor in the shape of `own`, or None where it cannot have it.

    Args:
        name: Of the tensor.
        value: The other network's.
        own: This network's, whose rows new classes keep.
        rows: For each class its row in `value`, None where it is new.
        layers: That give the classes.
        sizes: Classes and channels of the other network, channels of this one.
    """
    num_classes, channels, own_channels = sizes
    if name.rpartition(".")[0] in layers:
        if value.shape[:1] != (num_classes,) or value.shape[1:] != own.shape[1:]:
            return None
        picked = [own[here] if there is None else value[there].to(own) for here, there in enumerate(rows)]
        return torch.stack(picked)
    if name.startswith("normalise.") and value.shape == (1, channels, 1, 1) and channels != own_channels:
        repeated = value[:, [channel % channels for channel in range(own_channels)]]
        return value.mean(dim=1, keepdim=True) if own_channels == 1 else repeated
    if value.ndim == own.ndim == 4 and (value.shape[1], own.shape[1]) == (channels, own_channels):
        value = adapt_channels(value, own.shape)
    return value if value.shape == own.shape else None


def _refuse_other_architecture(
    own: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    initial: Sequence[str],
    unused: Sequence[str],
    by_level: bool,
) -> None:
    """Raise MisuseError unless the tensors that do not agree are those that may differ."""
    missing = [name for name in initial if not name.startswith("auxiliary.")]
    surplus = [name for name in unused if not name.startswith("auxiliary.")]
    first_level = [name for name in own if name.startswith("encoder.0.")] or [
        name for name in own if name.startswith("bottleneck.")
    ]
    if by_level and found and all(name in found for name in first_level):
        return
    if missing or surplus or not found:
        shown = missing[0] if missing else surplus[0] if surplus else "all"
        raise MisuseError(
            f"its weights are those of another network: {len(missing)} of the {len(own)} tensors of model.net have "
            f"none of their name and shape, {len(surplus)} there have no place (first {shown})."
        )
