"""The classes that a checkpoint may name, by the role they play. Whatever is not listed here, the user must allow."""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from segapp.errors import MisuseError


@dataclass(frozen=True)
class Role:
    """One kind of part: where its classes live, and what they derive from. Names are text: nothing is imported yet."""

    name: str
    bases: tuple[str, ...]
    """Classes, of which one must be an ancestor."""
    rooms: tuple[str, ...]
    """Modules that may be imported, and those below them."""
    homes: tuple[str, ...] = ()
    """Modules that a class must really be defined in, or below; default: `rooms`."""
    only: tuple[str, ...] = ()
    """Where Lightning's rooms also hold what writes, fetches or calls: the classes that are free."""
    closed: tuple[str, ...] = ()
    """Arguments that open a file, whatever their type."""
    own: tuple[str, ...] = ()
    """Arguments that are the user's own to choose, and not taken from a file."""


NETWORK = Role("network", ("torch.nn.Module",), ("segapp.models",))
LOSS = Role(
    "loss",
    ("torch.nn.Module",),
    ("segapp.losses", "torch.nn", "segmentation_models_pytorch.losses"),
    ("segapp.losses", "torch.nn.modules.loss", "segmentation_models_pytorch.losses"),
)
OPTIMIZER = Role("optimiser", ("torch.optim.Optimizer",), ("torch.optim",))
SCHEDULER = Role(
    "scheduler",
    ("torch.optim.lr_scheduler.LRScheduler",),
    ("torch.optim.lr_scheduler", "segapp.schedules", "lightning.pytorch.cli"),
)
SOURCE = Role("data set", ("segapp.datasets.Source",), ("segapp.datasets",))
SPLIT = Role("split", ("segapp.datasets.Split",), ("segapp.datasets",))
ENCODING = Role("mask encoding", ("segapp.datasets.Encoding",), ("segapp.datasets",))
TRANSFORM = Role(
    "transform",
    (
        "segapp.transforms.Geometry",
        "segapp.transforms.Preset",
        "albumentations.BasicTransform",
        "albumentations.BaseCompose",
    ),
    ("segapp.transforms", "albumentations"),
    closed=("reference_images", "read_fn", "templates", "metadata_key"),
)
CALLBACK = Role(
    "callback",
    ("lightning.pytorch.Callback",),
    ("segapp.callbacks", "segapp.lab", "lightning.pytorch.callbacks"),
    only=tuple(
        f"lightning.pytorch.callbacks.{name}"
        for name in (
            "BackboneFinetuning",
            "DeviceStatsMonitor",
            "EMAWeightAveraging",
            "EarlyStopping",
            "GradientAccumulationScheduler",
            "LearningRateFinder",
            "LearningRateMonitor",
            "ModelCheckpoint",
            "ModelSummary",
            "RichModelSummary",
            "RichProgressBar",
            "StochasticWeightAveraging",
            "TQDMProgressBar",
            "Timer",
        )
    ),
    own=("theme", "console_kwargs"),  # of Rich: colours, and streams to write to
)
LOGGER = Role(
    "logger",
    ("lightning.pytorch.loggers.Logger",),
    ("lightning.pytorch.loggers",),
    only=("lightning.pytorch.loggers.CSVLogger", "lightning.pytorch.loggers.TensorBoardLogger"),
)
PROFILER = Role(
    "profiler",
    ("lightning.pytorch.profilers.Profiler",),
    ("lightning.pytorch.profilers",),
    only=("lightning.pytorch.profilers.SimpleProfiler", "lightning.pytorch.profilers.AdvancedProfiler"),
)

ROLES = (
    NETWORK,
    LOSS,
    OPTIMIZER,
    SCHEDULER,
    SOURCE,
    SPLIT,
    ENCODING,
    TRANSFORM,
    CALLBACK,
    LOGGER,
    PROFILER,
)
ROOMS = tuple(dict.fromkeys(room for role in ROLES for room in role.rooms))


def is_below(path: str, modules: tuple[str, ...]) -> bool:
    """Return whether a dotted path is one of these modules, or lies below one."""
    return any(path == module or path.startswith(f"{module}.") for module in modules)


def find_class(path: str) -> type:
    """Import the class of a path that was checked; raises MisuseError where there is none."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        raise MisuseError(f"{path} cannot be imported ({error}).") from error
    if not inspect.isclass(found):
        raise MisuseError(f"{path} is not a class; it was refused.")
    return found


def roles_for(kind: Any) -> Iterator[Role]:
    """Yield the roles whose parts fit a parameter of this type: a role itself, or a class."""
    if isinstance(kind, Role):
        yield kind
    elif inspect.isclass(kind) and kind is not object:
        for role in ROLES:
            # An ancestor of a class has been imported with it: nothing is imported only to compare.
            there = [base for base in role.bases if base.rpartition(".")[0] in sys.modules]
            if any(issubclass(kind, find_class(base)) for base in there):
                yield role


def bases_of(role: Role) -> tuple[type, ...]:
    """Return the classes that a role's parts derive from."""
    return tuple(find_class(base) for base in role.bases)


def plays(found: type, role: Role) -> bool:
    """Return whether a class is one of those listed for a role."""
    home = f"{found.__module__}.{found.__qualname__}"
    if not is_below(home, role.homes or role.rooms) or not issubclass(found, bases_of(role)):
        return False
    return not role.only or is_below(home, ("segapp",)) or any(found is find_class(name) for name in role.only)
