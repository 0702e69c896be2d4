"""`segapp fit --init_from X`: starts a new run from other weights, and reports which ones."""

from collections.abc import Sequence

from safetensors.torch import load_file
from torch import nn

from segapp.checkpoints.bundle import is_bundle, read_bundle
from segapp.checkpoints.checkpoint import read_checkpoint, select_weights
from segapp.checkpoints.version import read_spec
from segapp.errors import MisuseError
from segapp.models.transfer import Learned, Transfer, transfer_weights
from segapp.spec import Spec
from segapp.terminal.text import for_terminal


def load_initial_weights(path: str, net: nn.Module, spec: Spec) -> str:
    """Load the weights of a checkpoint or bundle into `net`; return a report for the user.

    Only weights, classes and channels are read of `path`: the network is the one the user's config describes.
    Raises MisuseError for a file that cannot be read, and for weights of another architecture.
    """
    learned = read_learned(path)
    try:
        taken = transfer_weights(net, learned, spec.classes, spec.channels)
    except MisuseError as error:
        raise MisuseError(
            f"init_from {path}: {error} Set model.net as in its training (config.yaml of its run), or "
            "leave --init_from out."
        ) from error
    return describe(path, taken, learned.channels, spec.channels)


def read_learned(path: str) -> Learned:
    """Return the weights of a checkpoint, or of a bundle of format weights, with its classes and channels."""
    if not is_bundle(path):
        checkpoint = read_checkpoint(path)
        spec = read_spec(path, checkpoint["segapp"]["spec"])
        return Learned(select_weights("net.", checkpoint), spec.classes, spec.channels)
    bundle = read_bundle(path)
    if bundle.format != "weights" or len(bundle.networks) != 1:
        raise MisuseError(
            f"init_from {path}: a bundle of {len(bundle.networks)} network(s) in format {bundle.format}; "
            "name a checkpoint, or a bundle of one network written by segapp export --format weights."
        )
    try:
        weights = load_file(bundle.networks[0])
    except Exception as error:  # a truncated or altered file fails anywhere in safetensors
        raise MisuseError(f"{bundle.networks[0]}: cannot be loaded, or is damaged.") from error
    return Learned(weights, bundle.spec.classes, bundle.spec.channels)


def describe(path: str, taken: Transfer, channels: int, own_channels: int) -> str:
    """Describe which weights a network took from `path`, with a line for each difference."""
    every = len(taken.taken) + len(taken.initial)
    lines = [f"starts from {path}: {len(taken.taken)} of {every} tensors"]
    lines.append(f"  classes taken over: {_format_names(taken.classes)}; new: {_format_names(taken.new_classes)}")
    if taken.lost_classes:
        lines.append(f"  classes it knew that are not here: {_format_names(taken.lost_classes)}")
    if channels != own_channels:
        lines.append(f"  first convolution adapted from {channels} to {own_channels} channels")
    if taken.initial:
        lines.append(f"  not there, initial values: {_format_names(_summarise(taken.initial))}")
    if taken.unused:
        lines.append(f"  there, not used here: {_format_names(_summarise(taken.unused))}")
    return "\n".join(map(for_terminal, lines))


def _format_names(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _summarise(names: Sequence[str]) -> list[str]:
    """Return the parts that tensors belong to, as `decoder.3`, with how many there are of each."""
    counts: dict[str, int] = {}
    for name in names:
        words = name.split(".")[:2]
        part = ".".join(words if words[-1].isdigit() else words[:1])
        counts[part] = counts.get(part, 0) + 1
    return [f"{part} ({count})" for part, count in counts.items()]
