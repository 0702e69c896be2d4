"""A checkpoint that a run goes on from or is scored with: whether it and the run agree."""

import math
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.callbacks import Timer

from segapp.checkpoints.building import brief, offline
from segapp.errors import MisuseError
from segapp.loading.datamodule import SegmentationDataModule
from segapp.training.console import print_message

_ABSENT = object()


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


def explain_finished_run(checkpoint: dict[str, Any], trainer: Any) -> str | None:
    """Explain that a run has reached its end already, or return None.

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


def explain_cut(steps: int, command: str) -> str:
    """Explain that a limit ended a run in the middle of an epoch, after `steps`, and how `command` continues it."""
    return (
        f"a limit ended it in the middle of an epoch, after {steps} steps; it goes on with "
        f"a larger --trainer.max_steps or --trainer.max_time: {command}"
    )


def explain_unfit_weights(
    error: Exception, path: str | None, old: dict[str, Any] | None, new: dict[str, Any]
) -> MisuseError | None:
    """Explain weights that do not fit the network; return None for another error.

    Args:
        error: As torch raises it when weights are loaded.
        path: The checkpoint.
        old: The model section it was trained with.
        new: The model section of this run.
    """
    if old is None or "loading state_dict" not in str(error):
        return None
    parts = {name: old.get(name) for name in ("net", "loss")}, {name: new.get(name) for name in ("net", "loss")}
    changed = [f"{key} was {was} and is {now} now" for key, was, now in _find_differences(*parts, "model")]
    lines = str(error).splitlines()
    why = "; ".join(changed) or f"no setting differs, so its class has changed ({lines[-1].strip().rstrip('.')})"
    return MisuseError(
        f"the weights of {path} do not fit the network: {why}. "
        "Leave that as it was; another network is a new run's (segapp fit without --ckpt_path)."
    )


def explain_unrestored(error: Exception, path: str | None) -> MisuseError | None:
    """Return the message for a checkpoint with whose state Lightning or the optimiser failed; None for other errors."""
    frames = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    is_restoring = any(frame.name == "checkpoint_connector.py" for frame in frames)
    if path is None or not (is_restoring or _is_in_optimizer(frames)):
        return None
    return MisuseError(
        f"{path}: a damaged checkpoint, training cannot go on from it ({type(error).__name__}: {brief(error)}). Give "
        "another of its run, or start a new one from its weights: segapp fit --init_from."
    )


def _is_in_optimizer(frames: Sequence[Path]) -> bool:
    """Return whether the innermost frames of an error are of torch, and among them of an optimiser or a scheduler."""
    for frame in reversed(frames):
        if "torch" not in frame.parts:
            return False
        if "optim" in frame.parts:
            return True
    return False


def restore_splits(data: SegmentationDataModule, settings: dict[str, Any], record: dict[str, Any], new: bool) -> None:
    """Give the data the split of a checkpoint, wherever the images are now, so that no training image is scored.

    Args:
        data: The images of this run.
        settings: The data section of this run's config.
        record: What the checkpoint says about itself.
        new: Whether the user asked for a new split (`--new_split`).
    """
    count = len({name for names in record["splits"].values() for name in names})
    if new or not count:
        why = "as --new_split asks" if new else "since the checkpoint records none"
        print_message(f"the images are divided by the data's own `split`, {why}.")
        data.keep_split()
        return
    was, now = record["config"]["data"]["source"], settings["source"]
    old, own = ((source.get("init_args") or {}).get("split") for source in (was, now))
    if was["class_path"] == now["class_path"] and old != own:
        raise MisuseError(
            f"the checkpoint's split of {count} images holds, and another `split` is given: leave that out, or divide "
            "the images anew with --new_split, where images that it was trained on may be scored."
        )
    data.restore_splits(record["splits"])


def refuse_other_classes(there: tuple[str, ...], here: tuple[str, ...], verb: str = "test") -> None:
    """Raise MisuseError unless the data have the checkpoint's classes."""
    if here != there:
        other = "; for other classes start a new run from its weights: --init_from instead of --ckpt_path"
        raise MisuseError(
            f"the network of the checkpoint has the {len(there)} classes {', '.join(there)}; the data has {len(here)}: "
            f"{', '.join(here)}. Give data with the same classes in the same order{other if verb == 'fit' else ''}."
        )


def _find_differences(old: Any, new: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Find the dotted key, old and new value of every setting that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _find_differences(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{place}.{key}")
    elif old != new:
        was, now = ("not set" if value is _ABSENT else value for value in (old, new))
        yield place, was, now
