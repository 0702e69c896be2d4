"""The settings that fit, validate and test take from a checkpoint: those a file may choose, each of them checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from jsonargparse import Namespace
from lightning.pytorch import Trainer

from segapp.checkpoints.building import offline
from segapp.checkpoints.number_limits import require_modest_batch
from segapp.checkpoints.roles import (
    CALLBACK,
    LOGGER,
    LOSS,
    NETWORK,
    OPTIMIZER,
    PROFILER,
    ROOMS,
    SCHEDULER,
    SOURCE,
    TRANSFORM,
    find_class,
    is_below,
)
from segapp.checkpoints.trust import Review, arguments_of, check_class_paths, find_classes, imports_of
from segapp.errors import MisuseError
from segapp.loading.datamodule import SegmentationDataModule
from segapp.training.console import print_message
from segapp.training.module import SegmentationModule

RESTORED = ("seed_everything", "model", "data", "trainer")
"""Settings that a checkpoint restores."""
DEEP = ("model", "data", "trainer")
"""Those of them that are sections."""

SCORED = ("source", "crop", "resize", "window", "overlap", "blend")
"""All that scoring needs of the data section."""

NOT_OF_A_FILE = ("default_root_dir", "model_registry", "plugins", "enable_autolog_hparams")
"""Settings of the trainer that no checkpoint chooses: where is written, and what replaces its parts."""

MACHINE: dict[str, dict[str, Any]] = {
    "trainer": {"accelerator": "auto", "devices": "auto", "num_nodes": 1, "strategy": "auto"},
    "data": {"num_workers": None, "cache_gb": 0.0},
}
"""Settings that are about a machine: those of the user's machine, or what the user gives."""

RUN_FOLDER = "{run}"
"""Stands for the run's folder until it is known."""

TRAINER: dict[str, Any] = {
    "accelerator": Literal["auto", "cpu", "gpu", "cuda", "mps"],
    "logger": (bool, LOGGER, list[LOGGER]),  # type: ignore[valid-type]
    "callbacks": (CALLBACK, list[CALLBACK]),  # type: ignore[valid-type]
    "profiler": (Literal["simple", "advanced"], PROFILER),
}
"""What a checkpoint may say of them."""


def read_checkpoint_settings(
    path: str,
    checkpoint: dict[str, Any],
    verb: str,
    allowed: Sequence[str],
    given: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what a verb needs of the config that a checkpoint was trained with: all of it only to go on training.

    What a file does not choose is left out: where is written, on what devices, in how many processes.

    Args:
        path: The checkpoint.
        checkpoint: Its content.
        verb: fit, validate or test.
        allowed: Classes or packages that the user named.
        given: What the user gives by options and configs, which takes the place of the checkpoint's.

    Raises:
        MisuseError: A class may not be imported or has no business in its place, a number is too large, or something
            is missing.
    """
    config = checkpoint["segapp"]["config"]
    needed = (*RESTORED[:-1], *(["trainer"] if verb == "fit" else []))  # none of a run in Python
    missing = [name for name in needed if name not in config or (name in DEEP and not isinstance(config[name], dict))]
    if missing:
        raise MisuseError(
            f"{path}: does not say with which settings it was trained (no {', '.join(missing)}), and segapp {verb} "
            "needs them: give a checkpoint that `segapp fit` wrote. `segapp predict` can use this one."
        )
    if verb == "fit":
        _refuse_weights_alone(path, checkpoint)
        wanted = {key: config[key] for key in ("name", *RESTORED) if key in config}
        wanted["trainer"] = {key: value for key, value in config["trainer"].items() if key not in NOT_OF_A_FILE}
        wanted |= {name: _without_machine(path, wanted, given, name) for name in MACHINE}
    else:
        trainer = config.get("trainer", checkpoint["segapp"].get("spec"))  # a run in Python has none
        wanted = {"seed_everything": config["seed_everything"], "trainer": _some(trainer, ("precision",))}
        wanted |= {"model": _some(config["model"], ("net", "loss")), "data": _some(config["data"], SCORED)}
    wanted |= {name: _without(wanted[name], given.get(name)) for name in ("data", "trainer")}
    try:
        return _reviewed(path, wanted, allowed)
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from error


def _reviewed(path: str, config: dict[str, Any], allowed: Sequence[str]) -> dict[str, Any]:
    """Return the settings as they may be parsed: names first, before anything is imported, then value by value."""
    check_class_paths(config, allowed)
    review = Review(allowed)
    net = offline(config["model"].get("net"), allowed)
    parts = {"net": NETWORK, "loss": LOSS, "optimizer": OPTIMIZER, "lr_scheduler": SCHEDULER}
    expected = {
        "model": _kinds(SegmentationModule) | parts,
        "data": _kinds(SegmentationDataModule) | {"source": SOURCE, "augment": list[TRANSFORM]},  # type: ignore[valid-type]
        "trainer": _kinds(Trainer) | TRAINER,
    }
    flat = {"name": str, "seed_everything": (bool, int)}
    checked = {key: review.value(config[key], flat[key], key) for key in flat if key in config}
    for section in DEEP:
        content = config[section] | ({"net": net} if section == "model" else {})
        checked[section] = review.arguments(content, expected[section], section)
    require_modest_batch(checked["data"])
    for place, why in review.dropped.items():
        print_message(f"{path}: {place} is not taken from it; {why}.")
    for logger in _loggers(checked["trainer"]):
        logger.setdefault("init_args", {})["save_dir"] = RUN_FOLDER
    return checked


def _without_machine(path: str, config: dict[str, Any], given: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return a section without the settings of the machine it was trained on; report those that were not default."""
    own = given.get(section)
    for key, default in MACHINE[section].items():
        value = config[section].get(key, default)
        if value != default and not (isinstance(own, dict) and key in own):
            print_message(f"{path}: {section}.{key} is not taken from it; to set it, give --{section}.{key}.")
    return {key: value for key, value in config[section].items() if key not in MACHINE[section]}


def _without(config: Any, given: Any) -> Any:
    """Return settings without those that the user gives a value for; classes remain, and the data's `init_args`."""
    if not isinstance(config, dict) or not isinstance(given, dict):
        return config
    if "init_args" in config and "init_args" not in given:  # --data.source.root is short for its init_args
        return {**config, "init_args": _without(config["init_args"], given)}
    replaced = {key for key, value in given.items() if key != "class_path" and not isinstance(value, dict)}
    return {
        key: _without(value, given.get(key))
        for key, value in config.items()
        if isinstance(value, dict) or key not in replaced
    }


def _kinds(function: Any) -> dict[str, Any]:
    return {name: parameter.annotation for name, parameter in arguments_of(function).items()}


def _some(section: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: section[key] for key in keys if key in section}


def _loggers(trainer: dict[str, Any]) -> list[dict[str, Any]]:
    logger = trainer.get("logger")
    return [one for one in (logger if isinstance(logger, list) else [logger]) if isinstance(one, dict)]


def classes_of(config: dict[str, Any]) -> list[str]:
    """Return every class that parsed settings name, as they name it and where it is defined."""
    named = find_classes(config)
    return [*named, *(name for path in named if is_below(path, ROOMS) for name in imports_of(find_class(path)))]


def place_loggers(trainer: Any, folder: Path) -> None:
    """Let the loggers that a checkpoint brought write to the run's folder."""
    for logger in trainer.logger if isinstance(trainer.logger, list) else [trainer.logger]:
        if isinstance(logger, Namespace) and (logger.get("init_args") or Namespace()).get("save_dir") == RUN_FOLDER:
            logger.init_args.save_dir = str(folder)


def replace_network_settings(path: str, net: dict[str, Any], allowed: Sequence[str]) -> Namespace:
    """Replace the settings of a network, as parsed, by those for which nothing is fetched or read.

    `path` brings the weights.

    Raises MisuseError for what would be looked up elsewhere, except by the classes of `allowed`.
    """
    try:
        return _normalise_settings(offline(net, allowed))
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from error


def _normalise_settings(config: Any) -> Any:
    if isinstance(config, list):
        return [_normalise_settings(value) for value in config]
    if isinstance(config, dict) and "class_path" in config:
        settings = {key: _normalise_settings(value) for key, value in config["init_args"].items()}
        return Namespace(class_path=config["class_path"], init_args=Namespace(settings))
    return config


def _refuse_weights_alone(path: str, checkpoint: dict[str, Any]) -> None:
    if "loops" not in checkpoint or "optimizer_states" not in checkpoint:
        raise MisuseError(
            f"{path}: holds weights, but not how far the training and its optimiser were, so no fit can go on from it: "
            "give the run's checkpoints/last.ckpt."
        )
