"""Save the times that a compared plan was measured with, so that the same command makes the same plan again."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.planning.run_length import Pace
from segapp.system.text_files import read_json

FILE = "plan.json"


@dataclass(frozen=True)
class SavedPlan:
    """What a plan that is being compared was made from: no decisions, which could be somebody else's."""

    inputs: Mapping[str, Any]
    """Options of `segapp plan`."""
    paces: tuple[Pace | None, ...]
    """The times that were measured."""


def write_saved_plan(folder: Path, saved: SavedPlan) -> None:
    """Save the measurements for the next start, which would measure other times."""
    paces = [None if pace is None else [pace.step, pace.validation] for pace in saved.paces]
    folder.mkdir(parents=True, exist_ok=True)
    with write_atomically(folder / FILE) as path:
        path.write_text(json.dumps({"inputs": dict(saved.inputs), "paces": paces}, indent=1), encoding="utf-8")


def read_saved_plan(folder: Path, inputs: Mapping[str, Any]) -> SavedPlan | None:
    """Return the measurements of an earlier start, None without one; MisuseError where it had other options."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        saved = SavedPlan(dict(found["inputs"]), tuple(_read_pace(pace) for pace in _require_list(found["paces"])))
    except (KeyError, TypeError, ValueError) as error:
        raise MisuseError(f"{path}: damaged ({error}); remove {folder} to start the comparison again.") from error
    different = [key for key in inputs if saved.inputs.get(key) != inputs[key]]
    if different:
        key = different[0]
        raise MisuseError(
            f"{folder}: holds a comparison with --{key} {saved.inputs.get(key)!r}, not {inputs[key]!r}; "
            "remove the folder, or name another --output."
        )
    return saved


def _read_pace(value: Any) -> Pace | None:
    if value is None:
        return None
    step, validation = (float(number) for number in _require_list(value))
    if not (math.isfinite(step + validation) and step > 0 and validation >= 0):
        raise ValueError(f"{value} are no seconds")
    return Pace(step, validation)


def _require_list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r:.40} is no list")
    return value
