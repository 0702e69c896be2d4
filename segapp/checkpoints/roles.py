"""The classes that a checkpoint may name, by their role. The user must allow all other classes."""

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from segapp.errors import MisuseError
from segapp.system.user_modules import search_current_folder


@dataclass(frozen=True)
class Role:
    """One kind of part: the modules and base classes of its classes. Names are text: nothing is imported yet."""

    name: str
    bases: tuple[str, ...]
    """Classes, of which one must be an ancestor."""
    modules: tuple[str, ...]
    """Modules that may be imported, and those below them."""
    defined_in: tuple[str, ...] = ()
    """Modules, or those below them, in which a class must be defined; default: `modules`."""
    allowed_classes: tuple[str, ...] = ()
    """The only classes that are allowed, where `modules` also hold ones that write, download or call; default: all."""
    refused_parameters: tuple[str, ...] = ()
    """Arguments that open a file, whatever their type."""
    user_only_parameters: tuple[str, ...] = ()
    """Arguments that only the user chooses, never a file."""


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
    refused_parameters=("reference_images", "read_fn", "templates", "metadata_key"),
)
CALLBACK = Role(
    "callback",
    ("lightning.pytorch.Callback",),
    ("segapp.callbacks", "segapp.lab", "lightning.pytorch.callbacks"),
    allowed_classes=tuple(
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
    user_only_parameters=("theme", "console_kwargs"),  # of Rich: colours, and streams to write to
)
LOGGER = Role(
    "logger",
    ("lightning.pytorch.loggers.Logger",),
    ("lightning.pytorch.loggers",),
    allowed_classes=("lightning.pytorch.loggers.CSVLogger", "lightning.pytorch.loggers.TensorBoardLogger"),
)
PROFILER = Role(
    "profiler",
    ("lightning.pytorch.profilers.Profiler",),
    ("lightning.pytorch.profilers",),
    allowed_classes=("lightning.pytorch.profilers.SimpleProfiler", "lightning.pytorch.profilers.AdvancedProfiler"),
    user_only_parameters=("dump_stats",),  # takes minutes for every action
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
IMPORTABLE_MODULES = tuple(dict.fromkeys(module for role in ROLES for module in role.modules))


def is_below(path: str, modules: tuple[str, ...]) -> bool:
    """Return whether a dotted path is one of these modules, or lies below one."""
    return any(path == module or path.startswith(f"{module}.") for module in modules)


def find_class(path: str) -> type:
    """Import the class of a path that was checked; raises MisuseError where there is none."""
    module, _, name = path.rpartition(".")
    search_current_folder([path])
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        raise MisuseError(f"{path} cannot be imported ({error}).") from error
    if not inspect.isclass(found):
        raise MisuseError(f"{path} is not a class; it was refused.")
    return found


def find_roles(kind: Any) -> Iterator[Role]:
    """Yield the roles whose parts fit a parameter of this type; the type may also be a role."""
    if isinstance(kind, Role):
        yield kind
    elif inspect.isclass(kind) and kind is not object:
        for role in ROLES:
            # An ancestor of a class has been imported with it: nothing is imported only to compare.
            there = [base for base in role.bases if base.rpartition(".")[0] in sys.modules]
            if any(issubclass(kind, find_class(base)) for base in there):
                yield role


def import_bases(role: Role) -> tuple[type, ...]:
    """Import the base classes of a role's parts."""
    return tuple(find_class(base) for base in role.bases)


def has_role(found: type, role: Role) -> bool:
    """Return whether a class is one of those listed for a role."""
    home = f"{found.__module__}.{found.__qualname__}"
    if not is_below(home, role.defined_in or role.modules) or not issubclass(found, import_bases(role)):
        return False
    return (
        not role.allowed_classes
        or is_below(home, ("segapp",))
        or any(found is find_class(name) for name in role.allowed_classes)
    )
