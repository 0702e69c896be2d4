"""Save the plan that a comparison starts with, so that the same command continues it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.planning.decisions import Decision
from segapp.system.text_files import read_json

FILE = "plan.json"


@dataclass(frozen=True)
class SavedPlan:
    """A plan that is being compared."""

    inputs: Mapping[str, Any]
    """Options of `segapp plan`."""
    heading: str
    """Comment at the top of its YAML."""
    decisions: tuple[Decision, ...]


def write_saved_plan(folder: Path, saved: SavedPlan) -> None:
    """Save a plan for the next start, which would measure other times."""
    folder.mkdir(parents=True, exist_ok=True)
    with write_atomically(folder / FILE) as path:
        path.write_text(json.dumps(asdict(saved), indent=1), encoding="utf-8")


def read_saved_plan(folder: Path, inputs: Mapping[str, Any]) -> SavedPlan | None:
    """Return the plan of an earlier start, None without one; MisuseError where it had other options."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        decisions = tuple(Decision(**decision) for decision in _require_list(found["decisions"]))
        saved = SavedPlan(dict(found["inputs"]), str(found["heading"]), decisions)
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


def _require_list(value: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("decisions are a list")
    return value
