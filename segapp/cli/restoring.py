"""A checkpoint that a run goes on from or is scored with: its settings, and whether it and the run agree."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.callbacks import Timer

from segapp.cli.typed import named_by_the_person
from segapp.errors import MisuseError
from segapp.inference import check_class_paths, offline

_ABSENT = object()


def settings_of_checkpoint(path: str, checkpoint: dict[str, Any], verb: str, options: list[str]) -> dict[str, Any]:
    """The config it was trained with: all of it to go on training, model and data to score.

    Raises MisuseError for a class that may not be imported, and where something is missing.
    """
    config = checkpoint["segapp"]["config"]
    needed = ("seed_everything", "model", "data", *(["trainer"] if verb == "fit" else []))  # none of a run in Python
    missing = [name for name in needed if name not in config]
    if missing:
        raise MisuseError(
            f"{path}: does not say with which settings it was trained (no {', '.join(missing)}), and segapp {verb} "
            "needs them: give a checkpoint that `segapp fit` wrote. `segapp predict` can use this one."
        )
    if verb == "fit":
        _refuse_weights_alone(path, checkpoint)
    else:
        trainer = {"precision": config.get("trainer", checkpoint["segapp"]["spec"]).get("precision")}
        config = {key: config[key] for key in ("seed_everything", "model", "data")} | {"trainer": trainer}
    check_class_paths(config, allowed=named_by_the_person(options))
    return dict(config)


def filled_by_a_checkpoint(path: str, net: dict[str, Any], allowed: Sequence[str]) -> Namespace:
    """The settings of a network, as parsed, for which nothing is fetched or read: `path` brings the weights.

    Raises MisuseError for what would be looked up elsewhere, except by the classes of `allowed`.
    """
    try:
        return _as_parsed(offline(net, allowed))
    except MisuseError as error:
        raise MisuseError(f"{path}: {error}") from error


def _as_parsed(config: Any) -> Any:
    if isinstance(config, list):
        return [_as_parsed(value) for value in config]
    if isinstance(config, dict) and "class_path" in config:
        settings = {key: _as_parsed(value) for key, value in config["init_args"].items()}
        return Namespace(class_path=config["class_path"], init_args=Namespace(settings))
    return config


def nothing_left(checkpoint: dict[str, Any], trainer: Any) -> str | None:
    """The sentence for a run that has reached its end already, or None.

    Args:
        checkpoint: What it would go on from.
        trainer: The trainer's settings, for `max_epochs`, `max_steps` and `max_time`.
    """
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    for name, done in (("max_epochs", epochs), ("max_steps", checkpoint["global_step"])):
        if 0 < (trainer[name] or -1) <= done:
            return (
                f"nothing is left to train: the run has done {done} of {trainer[name]} {name.removeprefix('max_')}; "
                f"to go on, give more with --trainer.{name}, say {2 * trainer[name]}."
            )
    used = [state["time_elapsed"]["train"] for key, state in checkpoint["callbacks"].items() if key.startswith("Timer")]
    if trainer["max_time"] and used and used[0] >= (Timer(trainer["max_time"]).time_remaining() or math.inf):
        return (
            f"nothing is left to train: the run has had its {trainer['max_time']}; to go on, give more in all with "
            "--trainer.max_time."
        )
    return None


def other_weights(
    error: Exception, path: str | None, old: dict[str, Any] | None, new: dict[str, Any]
) -> MisuseError | None:
    """The sentence for weights that the network here has no place for; None for another error.

    Args:
        error: As torch raises it when weights are loaded.
        path: The checkpoint.
        old: The model section it was trained with.
        new: The model section of this run.
    """
    if old is None or "loading state_dict" not in str(error):
        return None
    parts = {name: old.get(name) for name in ("net", "loss")}, {name: new.get(name) for name in ("net", "loss")}
    changed = [f"{key} was {was} and is {now} now" for key, was, now in _differences(*parts, "model")]
    lines = str(error).splitlines()
    why = "; ".join(changed) or f"no setting differs, so its class has changed ({lines[-1].strip().rstrip('.')})"
    return MisuseError(
        f"the weights of {path} do not fit the network: {why}. "
        "Leave that as it was; another network is a new run's (segapp fit without --ckpt_path)."
    )


def refuse_other_classes(there: tuple[str, ...], here: tuple[str, ...], verb: str = "test") -> None:
    """MisuseError unless the data have the checkpoint's classes."""
    if here != there:
        other = " or start a new run from its weights: --init_from instead of --ckpt_path" if verb == "fit" else ""
        raise MisuseError(
            f"the checkpoint knows the classes {', '.join(there)}; "
            f"the data has {', '.join(here)}. Give data with the same classes{',' if other else ''}{other}."
        )


def _refuse_weights_alone(path: str, checkpoint: dict[str, Any]) -> None:
    if "loops" not in checkpoint or "optimizer_states" not in checkpoint:
        raise MisuseError(
            f"{path}: holds weights, but not how far the training and its optimiser were, so no fit can go on from it: "
            "give the run's checkpoints/last.ckpt."
        )


def _differences(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Dotted key, old and new value of every setting that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{place}.{key}")
    elif old != new:
        was, now = ("not set" if value is _ABSENT else value for value in (old, new))
        yield place, was, now
