"""What a comparison of alternatives began with, so that the same command continues it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.planning.decisions import Decision
from segapp.system.text_files import read_json

RECORD = "plan.json"


@dataclass(frozen=True)
class Begun:
    """A plan that is being compared."""

    inputs: Mapping[str, Any]
    """Options of `segapp plan`."""
    heading: str
    """Of its YAML."""
    decisions: tuple[Decision, ...]


def write_begun(folder: Path, begun: Begun) -> None:
    """Keep a plan for the next start; its measured times would be others then."""
    folder.mkdir(parents=True, exist_ok=True)
    with write_atomically(folder / RECORD) as path:
        path.write_text(json.dumps(asdict(begun), indent=1), encoding="utf-8")


def read_begun(folder: Path, inputs: Mapping[str, Any]) -> Begun | None:
    """Return the plan of an earlier start, None without one; MisuseError where it had other options."""
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        found = read_json(path)
        decisions = tuple(Decision(**decision) for decision in _require_list(found["decisions"]))
        begun = Begun(dict(found["inputs"]), str(found["heading"]), decisions)
    except (KeyError, TypeError, ValueError) as error:
        raise MisuseError(f"{path}: damaged ({error}); remove {folder} to start the comparison again.") from error
    different = [key for key in inputs if begun.inputs.get(key) != inputs[key]]
    if different:
        key = different[0]
        raise MisuseError(
            f"{folder}: holds a comparison with --{key} {begun.inputs.get(key)!r}, not {inputs[key]!r}; "
            "remove the folder, or name another --output."
        )
    return begun


def _require_list(value: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise ValueError("decisions are a list")
    return value
