"""Checks the part of a checkpoint that only a resumed training reads, before Lightning relies on its structure."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from segapp.errors import MisuseError

COUNTERS = ("ready", "started", "processed", "completed", "_batches_that_stepped")
AVERAGES = (
    *("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg"),
    *("grad_avg", "acc_delta", "sum", "exp_inf", "ax", "prev", "step_size"),
)
"""State of torch's optimisers that is a tensor per parameter."""
PATHS = ("dirpath", "best_model_path", "kth_best_model_path", "last_model_path")
"""State of Lightning's callbacks that is a path."""
SCORES = (
    *("best_model_score", "current_score", "kth_value", "best_score", "wait_count", "stopped_epoch", "patience"),
    *("latest_update_step", "end", "spent", "best", "waited"),
)
"""State of callbacks that is a number."""
LIGHTNING, VERSION = "pytorch-lightning_version", re.compile(r"2\.\d{1,4}\S{0,40}")
"""Checkpoints of older versions are rewritten by Lightning, which expects them to be complete."""
MAPPINGS, LISTS = ("callbacks", "loops"), ("optimizer_states", "lr_schedulers")


def require_training_state(file: Path, checkpoint: dict[str, Any]) -> None:
    """Raise MisuseError for a state of loops, callbacks, optimisers or schedulers that cannot be one.

    Missing entries are accepted: weights alone have none.
    """
    wrong = [name for name in MAPPINGS if not _is_mapping_of_mappings(checkpoint.get(name, {}))]
    wrong += [name for name in LISTS if not _is_list_of_states(checkpoint.get(name, []), STATE_CHECKS[name])]
    wrong += ["loops"] if not _has_valid_loops(checkpoint) else []
    if not wrong and not all(map(_is_callback, checkpoint.get("callbacks", {}).items())):
        wrong = ["callbacks"]
    wrong += [] if VERSION.fullmatch(str(checkpoint.get(LIGHTNING, "2.0"))) else [LIGHTNING]
    sums = (checkpoint.get("segapp") or {}).get("train_loss") or [0.0, 0.0]
    if not (isinstance(sums, list) and len(sums) == 2 and all(map(_is_number, sums))):
        wrong.append("train_loss")
    if wrong:
        raise MisuseError(f"{file}: a damaged checkpoint, its {wrong[0]} cannot be those of a training.")


def clear_foreign_paths(checkpoint: dict[str, Any], folders: Sequence[Path]) -> None:
    """Clear the files in callbacks' states unless all of a state are checkpoints below these folders.

    Lightning removes the files that are no longer the best, complete folders too, and asks only whether a path begins
    with the folder of its callback; `..` may follow. It writes none itself.
    """
    states = checkpoint.get("callbacks", {})
    for key, state in states.items():
        best, place = state.get("best_k_models") or {}, state.get("dirpath")
        files = [str(path) for path in (*(state.get(name) for name in PATHS if name != "dirpath"), *best) if path]
        if all(path.endswith(".ckpt") and _is_below(path, folders) for path in files):
            continue
        cleared: dict[str, Any] = dict.fromkeys(PATHS, "") | {"best_k_models": {}, "dirpath": place}
        states[key] = {name: cleared.get(name, value) for name, value in state.items()}


def _is_below(path: str, folders: Sequence[Path]) -> bool:
    """Return whether a path has no `..` and leads below one of these folders, links followed."""
    file = Path(path)
    return ".." not in file.parts and any(file.resolve().is_relative_to(folder.resolve()) for folder in folders)


def _is_mapping_of_mappings(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(inner, dict) for inner in value.values())


def _is_callback(entry: tuple[Any, Any]) -> bool:
    """Return whether a callback's name is text, and what its state says of files and of time is of their kinds."""
    name, state = entry
    best, used = state.get("best_k_models", {}), state.get("time_elapsed", {})
    if not isinstance(name, str) or not isinstance(best, dict) or not isinstance(used, dict):
        return False
    paths = [*(state[key] for key in PATHS if state.get(key) is not None), *best]
    scores = [state[key] for key in SCORES if state.get(key) is not None]
    numbers = [*best.values(), *used.values(), *scores]
    return all(map(_is_path, paths)) and all(map(_is_number, numbers))


def _is_path(path: Any) -> bool:
    """Return whether this is a path of a file here; Lightning removes unasked what an address names."""
    return isinstance(path, str) and path.isprintable() and "://" not in path and "::" not in path


def _is_number(value: Any) -> bool:
    return value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, int | float)


def _has_valid_loops(checkpoint: dict[str, Any]) -> bool:
    """Return whether the loops, if there are any, have whole numbers of finished epochs and steps."""
    value: Any = checkpoint.get("loops", {})
    if "loops" not in checkpoint:  # weights alone
        return True
    if not isinstance(value, dict) or "fit_loop" not in value:
        return False
    if not _has_whole_counters(value):
        return False
    for key in ("fit_loop", "epoch_progress", "current", "processed"):
        value = value.get(key) if isinstance(value, dict) else None
    return type(value) is int and type(checkpoint.get("global_step")) is int


def _has_whole_counters(value: Any) -> bool:
    """Return whether every entry with the name of a Lightning counter is a whole number."""
    if not isinstance(value, dict):
        return True
    return all(type(inner) is int if key in COUNTERS else _has_whole_counters(inner) for key, inner in value.items())


def _is_list_of_states(value: Any, is_state: Callable[[dict[str, Any]], bool]) -> bool:
    return isinstance(value, list) and all(isinstance(inner, dict) and is_state(inner) for inner in value)


def _is_optimizer(state: dict[str, Any]) -> bool:
    groups, values = state.get("param_groups"), state.get("state")
    if not isinstance(groups, list) or not isinstance(values, dict):
        return False
    if not all(isinstance(inner, dict) for inner in (*groups, *values.values())):
        return False
    kept = [pair for inner in values.values() for pair in inner.items()]
    averages = [value for name, value in kept if name in AVERAGES]
    return not any(isinstance(value, str | bytes) for _, value in kept) and all(
        value is None or isinstance(value, Tensor) for value in averages
    )


def _is_scheduler(state: dict[str, Any]) -> bool:
    """Return whether the learning rates of a scheduler's state are numbers."""
    rates = [state.get(key, []) for key in ("base_lrs", "_last_lr")]
    return all(isinstance(one, list) and all(isinstance(rate, int | float | Tensor) for rate in one) for one in rates)


STATE_CHECKS = {"optimizer_states": _is_optimizer, "lr_schedulers": _is_scheduler}
