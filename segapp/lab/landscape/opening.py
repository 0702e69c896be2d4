"""Open the network, loss and samples of a landscape from files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from segapp.checkpoints.building import build_part
from segapp.checkpoints.checkpoint import build_trained_network, load_checkpoint, read_checkpoint, select_weights
from segapp.checkpoints.roles import LOSS
from segapp.checkpoints.trust import Review, resolve_parameters
from segapp.checkpoints.version import read_spec
from segapp.errors import MisuseError
from segapp.inference.runtime import choose_device
from segapp.lab.landscape.directions import sample_direction
from segapp.lab.landscape.surface import LossSurface
from segapp.lab.landscape.trajectory import Trajectory, project_trajectory
from segapp.loading.datamodule import SegmentationDataModule
from segapp.loading.source_building import build_source
from segapp.system.yaml_files import read_yaml


@dataclass(frozen=True)
class LandscapeRequest:
    """The options of a landscape, as plain types, so that they can be sent to processes."""

    checkpoint: str
    data: str | None
    split: Any
    samples: int
    seeds: int
    recalibrate: bool
    trajectory: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenedLandscape:
    """A network, its loss and its samples, opened from files.

    Attributes:
        path: Positions of training's checkpoints in its plane, (M, 2), if there are any; then the last two directions
            span that plane.
        explained: Fractions of the checkpoints' variance along both.
        images: Names of the samples' images.
        size: Height and width of the samples.
        loss: Its class path.
        sampling: Settings of `SegmentationDataModule` that make samples of the images.
    """

    surface: LossSurface
    path: np.ndarray | None
    explained: tuple[float, float] | None
    images: list[str]
    size: tuple[int, int]
    loss: str
    sampling: dict[str, Any]


def open_landscape(request: LandscapeRequest, device: torch.device | str | None = None) -> OpenedLandscape:
    """Read the network, data and loss, and check that they fit together; raise MisuseError otherwise."""
    checkpoint = read_checkpoint(request.checkpoint)
    record, net = checkpoint["segapp"], build_trained_network(request.checkpoint, checkpoint, request.allowed)
    spec, config = read_spec(request.checkpoint, record["spec"]), record["config"]
    module, sampling = _open_data(request, config["data"], record["splits"])
    if module.spec.classes != spec.classes or module.channels != spec.channels:
        raise MisuseError(
            f"{request.checkpoint} has the classes {', '.join(spec.classes)} in images of {spec.channels} channels; "
            f"the data has {', '.join(module.spec.classes)} in {module.channels}."
        )
    batches = module.fixed_batches(request.split, request.samples)
    loss = _build_loss(request, checkpoint)
    directions = [sample_direction(net, seed) for seed in range(request.seeds)]
    trajectory = _open_trajectory(request, net) if request.trajectory else None
    if trajectory is not None:
        directions += trajectory.directions
    where = choose_device("auto") if device is None else device
    return OpenedLandscape(
        surface=LossSurface(net, loss, batches, directions, request.recalibrate, where, spec.background),
        path=None if trajectory is None else trajectory.path,
        explained=None if trajectory is None else trajectory.explained,
        images=sorted({name for batch in batches for name in batch["name"]}),
        size=(batches[0]["mask"].shape[1], batches[0]["mask"].shape[2]),
        loss=config["model"]["loss"]["class_path"],
        sampling=sampling,
    )


def _open_data(
    request: LandscapeRequest, own: dict[str, Any], splits: dict[str, list[str]]
) -> tuple[SegmentationDataModule, dict[str, Any]]:
    """Open the checkpoint's data with its splits, or those of the user's fragment, cropped as in training."""
    given = {} if request.data is None else _read_fragment(request.data)
    data = own | given
    source = (
        build_source(request.data, given) if request.data else build_source(request.checkpoint, own, request.allowed)
    )
    names = ("batch_size", "crop", "resize", "crops_per_image", "seed")
    kinds = {name: parameter.annotation for name, parameter in resolve_parameters(SegmentationDataModule).items()}
    try:
        plain = Review().check_arguments({key: data[key] for key in names if key in data}, kinds, "data")
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


def _build_loss(request: LandscapeRequest, checkpoint: dict[str, Any]) -> nn.Module:
    """Build the loss that the network was trained with, with its class weights."""
    config = checkpoint["segapp"]["config"]["model"]["loss"]
    loss = build_part(request.checkpoint, nn.Module, LOSS, config, request.allowed)
    try:
        loss.load_state_dict(select_weights("loss.", checkpoint))
    except RuntimeError as error:
        raise MisuseError(f"{request.checkpoint}: its loss does not match the loss weights that it holds.") from error
    return loss


def _open_trajectory(request: LandscapeRequest, net: nn.Module) -> Trajectory:
    final = dict(net.named_parameters())
    found = []
    for path in request.trajectory:
        weights = dict(load_checkpoint(path, request.allowed)[1].named_parameters())
        if {name: value.shape for name, value in weights.items()} != {name: v.shape for name, v in final.items()}:
            raise MisuseError(f"{path}: holds another network than {request.checkpoint}.")
        found.append(weights)
    with torch.no_grad():
        return project_trajectory(final, found)
