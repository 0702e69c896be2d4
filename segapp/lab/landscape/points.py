"""What a landscape is of, opened from files, and its points shared by processes."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from segapp.checkpoints.building import build_part
from segapp.checkpoints.checkpoint import build_trained_network, load_checkpoint, read_checkpoint, select_weights
from segapp.checkpoints.roles import LOSS
from segapp.checkpoints.trust import Review, arguments_of
from segapp.checkpoints.version import read_spec
from segapp.errors import MisuseError
from segapp.inference.runtime import choose_device
from segapp.lab.landscape.directions import filter_normalised_direction
from segapp.lab.landscape.surface import LossSurface, Step
from segapp.lab.landscape.trajectory import Trajectory, project_trajectory
from segapp.loading.datamodule import SegmentationDataModule
from segapp.loading.source_building import build_source
from segapp.system.yaml_files import read_yaml
from segapp.workers import SPAWN, Workers

ADVICE = "The same command resumes; use fewer --devices or --samples if memory is too small."


@dataclass(frozen=True)
class Request:
    """What a landscape is asked of; plain, so that processes can be handed it."""

    checkpoint: str
    data: str | None
    split: Any
    samples: int
    seeds: int
    recalibrate: bool
    trajectory: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opened:
    """A network, its loss and its samples, read and ready.

    Attributes:
        path: Where training's checkpoints lie in its plane, (M, 2), if there are any; then the directions behind the
            seeds' are that plane's.
        explained: Fractions of the checkpoints' variance along both.
        images: Names of the samples' images.
        size: Height and width of the samples.
        loss: Its class path.
        cut: What makes samples of the data's images: settings of `SegmentationDataModule`.
    """

    surface: LossSurface
    path: np.ndarray | None
    explained: tuple[float, float] | None
    images: list[str]
    size: tuple[int, int]
    loss: str
    cut: dict[str, Any]


def open_all(request: Request, device: torch.device | str | None = None) -> Opened:
    """Read everything and check that it fits together; raises MisuseError with one message."""
    checkpoint = read_checkpoint(request.checkpoint)
    record, net = checkpoint["segapp"], build_trained_network(request.checkpoint, checkpoint, request.allowed)
    spec, config = read_spec(request.checkpoint, record["spec"]), record["config"]
    module, cut = _open_data(request, config["data"], record["splits"])
    if module.spec.classes != spec.classes or module.channels != spec.channels:
        raise MisuseError(
            f"{request.checkpoint} has the classes {', '.join(spec.classes)} in images of {spec.channels} channels; "
            f"the data has {', '.join(module.spec.classes)} in {module.channels}."
        )
    batches = module.fixed_batches(request.split, request.samples)
    loss = _build_loss(request, checkpoint)
    directions = [filter_normalised_direction(net, seed) for seed in range(request.seeds)]
    moved = _open_trajectory(request, net) if request.trajectory else None
    if moved is not None:
        directions += moved.directions
    where = choose_device("auto") if device is None else device
    return Opened(
        surface=LossSurface(net, loss, batches, directions, request.recalibrate, where),
        path=None if moved is None else moved.path,
        explained=None if moved is None else moved.explained,
        images=sorted({name for batch in batches for name in batch["name"]}),
        size=(batches[0]["mask"].shape[1], batches[0]["mask"].shape[2]),
        loss=config["model"]["loss"]["class_path"],
        cut=cut,
    )


def _open_data(
    request: Request, own: dict[str, Any], splits: dict[str, list[str]]
) -> tuple[SegmentationDataModule, dict[str, Any]]:
    """Open the checkpoint's data with its splits, or those of the user's fragment, cropped as in training."""
    given = {} if request.data is None else _read_fragment(request.data)
    data = own | given
    source = (
        build_source(request.data, given) if request.data else build_source(request.checkpoint, own, request.allowed)
    )
    cut = ("batch_size", "crop", "resize", "crops_per_image", "seed")
    kinds = {name: parameter.annotation for name, parameter in arguments_of(SegmentationDataModule).items()}
    try:
        plain = Review().arguments({key: data[key] for key in cut if key in data}, kinds, "data")
    except MisuseError as error:
        raise MisuseError(f"{request.data or request.checkpoint}: {error}") from error
    module = SegmentationDataModule(source, **plain)
    recorded = {name for names in splits.values() for name in names}
    if request.data is None or recorded <= set(source.item_names()):  # else other images
        module.restore_splits(splits)
    return module, plain


def _read_fragment(path: str) -> dict[str, Any]:
    found = read_yaml(Path(path))
    if not isinstance(found, dict) or "source" not in found:
        raise MisuseError(f"{path}: is not a data section: it has no `source`; see configs/data/mine.yaml.")
    return found


def _build_loss(request: Request, checkpoint: dict[str, Any]) -> nn.Module:
    """Build the loss that the network was trained with, with its class weights."""
    config = checkpoint["segapp"]["config"]["model"]["loss"]
    loss = build_part(request.checkpoint, nn.Module, LOSS, config, request.allowed)
    try:
        loss.load_state_dict(select_weights("loss.", checkpoint))
    except RuntimeError as error:
        raise MisuseError(f"{request.checkpoint}: its loss does not match the loss weights that it holds.") from error
    return loss


def _open_trajectory(request: Request, net: nn.Module) -> Trajectory:
    final = dict(net.named_parameters())
    found = []
    for path in request.trajectory:
        weights = dict(load_checkpoint(path, request.allowed)[1].named_parameters())
        if {name: value.shape for name, value in weights.items()} != {name: v.shape for name, v in final.items()}:
            raise MisuseError(f"{path}: holds another network than {request.checkpoint}.")
        found.append(weights)
    with torch.no_grad():
        return project_trajectory(final, found)


def compute_losses(
    request: Request, opened: Opened, todo: Sequence[tuple[int, Step]], devices: int | None
) -> Generator[tuple[int, float], None, None]:
    """(index, loss) of every (index, step), in whatever order they are done.

    With several devices each process opens the checkpoint itself and takes the next point when it is free.
    """
    count = min(devices or max(torch.cuda.device_count(), 1), max(len(todo), 1))
    if count == 1:
        yield from ((index, opened.surface.compute_loss(step)) for index, step in todo)
        return
    names = [f"cuda:{n % torch.cuda.device_count()}" if torch.cuda.is_available() else "cpu" for n in range(count)]
    taken = SPAWN.Value("q", 0)
    plain = [(index, dict(step)) for index, step in todo]
    with Workers(_compute_points, [(request, name, plain, taken) for name in names], advice=ADVICE) as workers:
        yield from (point for _, point in workers)


def _compute_points(request: Request, device: str, todo: Sequence[tuple[int, Step]], taken: Any) -> Iterator[Any]:
    """Yield (index, loss) of the next point that no process has taken yet, until there is none."""
    surface = open_all(request, device).surface
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(todo):
            return
        index, step = todo[number]
        yield index, surface.compute_loss(step)
