"""Where a run lives: `runs/<name>/<YYYYmmdd-HHMMSS>/`, and the verdicts beside it."""

import os
from datetime import datetime
from pathlib import Path

from segapp.errors import MisuseError

_SHARED = "SEGAPP_RUN_FOLDER"  # so that the processes of one run on one machine agree on its folder


def new_run(root: Path, name: str) -> Path:
    """A folder that does not exist yet; created, and shared with the processes this one starts."""
    if "LOCAL_RANK" in os.environ and _SHARED in os.environ:
        return Path(os.environ[_SHARED])
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise MisuseError(f"name={name!r} must be a plain name: it becomes a folder under {root}.")
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = root / name / stamp
    attempt = 1
    while True:
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            attempt += 1
            folder = root / name / f"{stamp}-{attempt}"
    os.environ[_SHARED] = str(folder)
    return folder


def run_of(checkpoint: Path) -> Path | None:
    """The run folder that a checkpoint lies in, `<run>/checkpoints/x.ckpt`, or None for a checkpoint by itself."""
    run = checkpoint.resolve().parent.parent
    return run if (run / "config.yaml").is_file() and checkpoint.resolve().parent.name == "checkpoints" else None


def new_verdict(run: Path, verb: str) -> Path:
    """`<run>/<verb>-<n>`, the first n that is free; created, and shared with the processes this one starts."""
    if "LOCAL_RANK" in os.environ and _SHARED in os.environ:
        return Path(os.environ[_SHARED])
    number = 1
    while True:
        folder = run / f"{verb}-{number}"
        try:
            folder.mkdir(parents=True)
            break
        except FileExistsError:
            number += 1
    os.environ[_SHARED] = str(folder)
    return folder


def newest_best(root: Path = Path("runs")) -> str:
    """` The newest here is …` for an error that asks for a checkpoint, or nothing."""
    found = sorted(root.glob("*/*/checkpoints/best.ckpt"), key=lambda path: path.stat().st_mtime)
    return f" The newest here is {found[-1]}." if found else ""
