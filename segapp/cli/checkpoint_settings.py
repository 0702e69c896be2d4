"""Reads the settings that fit, validate and test take from a checkpoint, and checks each of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from jsonargparse import Namespace
from lightning.pytorch import Trainer

from segapp.checkpoints.building import make_offline
from segapp.checkpoints.number_limits import require_small_batch, require_small_samples
from segapp.checkpoints.roles import (
    CALLBACK,
    IMPORTABLE_MODULES,
    LOGGER,
    LOSS,
    NETWORK,
    OPTIMIZER,
    PROFILER,
    SCHEDULER,
    SOURCE,
    TRANSFORM,
    find_class,
    is_below,
)
from segapp.checkpoints.trust import Review, check_class_paths, find_classes, list_imports, resolve_parameters
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

USER_ONLY = ("default_root_dir", "model_registry", "plugins", "enable_autolog_hparams")
"""Settings of the trainer that no checkpoint chooses: output folders, and replacements of the trainer's parts."""

MACHINE_SETTINGS: dict[str, dict[str, Any]] = {
    "trainer": {"accelerator": "auto", "devices": "auto", "num_nodes": 1, "strategy": "auto"},
    "data": {"num_workers": None, "cache_gb": 0.0},
}
"""Settings of the machine, with their defaults: never a checkpoint's, but the user's."""

RUN_FOLDER = "{run}"
"""A placeholder for the run's folder until it is known."""

WEIGHT_KINDS = ("package", "hub")
"""Words for the weights that a training began from; other text is a file."""

TRAINER_TYPES: dict[str, Any] = {
    "accelerator": Literal["auto", "cpu", "gpu", "cuda", "mps"],
    "logger": (bool, LOGGER, list[LOGGER]),  # type: ignore[valid-type]
    "callbacks": (CALLBACK, list[CALLBACK]),  # type: ignore[valid-type]
    "profiler": (Literal["simple", "advanced"], PROFILER),
}
"""The types of the values that a checkpoint may give to settings of the trainer."""


def read_checkpoint_settings(
    path: str,
    checkpoint: dict[str, Any],
    verb: str,
    allowed: Sequence[str],
    given: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the settings that a verb needs of a checkpoint's config: all of them only to resume training.

    Settings that a file must not choose are left out: output folders, devices, the number of processes.

    Args:
        path: The checkpoint.
        checkpoint: Its content.
        verb: fit, validate or test.
        allowed: Classes or packages that the user named.
        given: Settings that the user gives by options and configs, which replace the checkpoint's.

    Raises:
        MisuseError: A class may not be imported or used in its place, a number is too large, or something
            is missing.
    """
    config = checkpoint["segapp"]["config"]
    needed = (*RESTORED[:-1], *(["trainer"] if verb == "fit" else []))  # none of a run in Python
    missing = [name for name in needed if name not in config or (name in DEEP and not isinstance(config[name], dict))]
    if missing:
        raise MisuseError(
            f"{path}: lacks settings of its training that segapp {verb} needs ({', '.join(missing)}): "
            "use a checkpoint of `segapp fit`. `segapp predict` can use this one."
        )
    if verb == "fit":
        _refuse_weights_alone(path, checkpoint)
        wanted = {key: config[key] for key in ("name", *RESTORED) if key in config}
        wanted["trainer"] = {key: value for key, value in config["trainer"].items() if key not in USER_ONLY}
        wanted |= {name: _drop_machine_settings(path, wanted, given, name) for name in MACHINE_SETTINGS}
    else:
        trainer = config.get("trainer", checkpoint["segapp"].get("spec"))  # a run in Python has none
        wanted = {"seed_everything": config["seed_everything"], "trainer": _select_keys(trainer, ("precision",))}
        wanted |= {
            "model": _select_keys(config["model"], ("net", "loss")),
            "data": _select_keys(config["data"], SCORED),
        }
    wanted |= {name: _drop_given(wanted[name], given.get(name)) for name in ("data", "trainer")}
    try:
        return _check_settings(path, wanted, allowed)
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from error


def _check_settings(path: str, config: dict[str, Any], allowed: Sequence[str]) -> dict[str, Any]:
    """Return the checked settings: names are checked first, before anything is imported, then value by value."""
    check_class_paths(config, allowed)
    review = Review(allowed)
    net = make_offline(config["model"].get("net"), allowed)
    parts = {"net": NETWORK, "loss": LOSS, "optimizer": OPTIMIZER, "lr_scheduler": SCHEDULER}
    expected = {
        "model": _list_parameter_types(SegmentationModule) | parts,
        "data": _list_parameter_types(SegmentationDataModule) | {"source": SOURCE, "augment": list[TRANSFORM]},  # type: ignore[valid-type]
        "trainer": _list_parameter_types(Trainer) | TRAINER_TYPES,
    }
    flat = {"name": str, "seed_everything": (bool, int)}
    checked = {key: review.check_value(config[key], flat[key], key) for key in flat if key in config}
    for section in DEEP:
        content = config[section] | ({"net": net} if section == "model" else {})
        checked[section] = review.check_arguments(content, expected[section], section)
    require_small_batch(checked["data"])
    require_small_samples(checked["data"])
    for place, why in review.dropped.items():
        print_message(f"{path}: {place} is not taken from it; {why}.")
    for logger in _list_loggers(checked["trainer"]):
        logger.setdefault("init_args", {})["save_dir"] = RUN_FOLDER
    return checked


def _drop_machine_settings(path: str, config: dict[str, Any], given: Mapping[str, Any], section: str) -> dict[str, Any]:
    """Return a section without the settings of the machine; report those that differ from the default."""
    given_section = given.get(section)
    for key, default in MACHINE_SETTINGS[section].items():
        value = config[section].get(key, default)
        if value != default and not (isinstance(given_section, dict) and key in given_section):
            print_message(f"{path}: {section}.{key} is not taken from it; to set it, give --{section}.{key}.")
    return {key: value for key, value in config[section].items() if key not in MACHINE_SETTINGS[section]}


def _drop_given(config: Any, given: Any) -> Any:
    """Return settings without those that the user gives; classes remain, and the data's `init_args`."""
    if not isinstance(config, dict) or not isinstance(given, dict):
        return config
    if "init_args" in config and "init_args" not in given:  # --data.source.root is short for its init_args
        return {**config, "init_args": _drop_given(config["init_args"], given)}
    replaced = {key for key, value in given.items() if key != "class_path" and not isinstance(value, dict)}
    return {
        key: _drop_given(value, given.get(key))
        for key, value in config.items()
        if isinstance(value, dict) or key not in replaced
    }


def _list_parameter_types(function: Any) -> dict[str, Any]:
    return {name: parameter.annotation for name, parameter in resolve_parameters(function).items()}


def _select_keys(section: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: section[key] for key in keys if key in section}


def _list_loggers(trainer: dict[str, Any]) -> list[dict[str, Any]]:
    logger = trainer.get("logger")
    return [one for one in (logger if isinstance(logger, list) else [logger]) if isinstance(one, dict)]


def list_classes(config: dict[str, Any]) -> list[str]:
    """List every class in parsed settings, by the name given there and by the one where it is defined."""
    named = find_classes(config)
    return [
        *named,
        *(name for path in named if is_below(path, IMPORTABLE_MODULES) for name in list_imports(find_class(path))),
    ]


def place_loggers(trainer: Any, folder: Path) -> None:
    """Make the loggers of a checkpoint write to the run's folder."""
    for logger in trainer.logger if isinstance(trainer.logger, list) else [trainer.logger]:
        if isinstance(logger, Namespace) and (logger.get("init_args") or Namespace()).get("save_dir") == RUN_FOLDER:
            logger.init_args.save_dir = str(folder)


def replace_network_settings(path: str, net: dict[str, Any], allowed: Sequence[str]) -> Namespace:
    """Replace the parsed settings of a network by ones that download and read nothing.

    The weights come from the checkpoint `path`.

    Raises MisuseError for text that names a hub or another file, except in the classes of `allowed`.
    """
    try:
        return _normalise_settings(make_offline(net, allowed))
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from error


def keep_kind_of_weights(path: str, net: Any, recorded: Any) -> Any:
    """Return the reviewed settings of a network with what its training began from, for the config of the run.

    That config counts as the user's. So of the checkpoint's own settings only a word of `WEIGHT_KINDS` returns to it.

    Args:
        path: The checkpoint.
        net: The settings that were reviewed and read nothing.
        recorded: Those of the checkpoint.
    """
    if isinstance(net, list) and isinstance(recorded, list) and len(net) == len(recorded):
        return [keep_kind_of_weights(path, *pair) for pair in zip(net, recorded, strict=True)]
    if not isinstance(net, dict) or not isinstance(recorded, dict):
        return net
    kept = {key: keep_kind_of_weights(path, value, recorded.get(key)) for key, value in net.items()}
    own, inside = kept.get("init_args"), recorded.get("init_args")
    if "class_path" in net and isinstance(own, dict) and isinstance(inside, dict) and "pretrained" in own:
        kind = inside.get("pretrained", False)
        if isinstance(kind, bool) or kind in WEIGHT_KINDS:
            own["pretrained"] = kind
        else:
            print_message(f"{path}: pretrained {str(kind)[:80]!r} is not taken from it; it brings its weights.")
    return kept


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
            f"{path}: holds weights, but not the state of the training and its optimiser, so a fit cannot resume: "
            "use the run's checkpoints/last.ckpt."
        )
