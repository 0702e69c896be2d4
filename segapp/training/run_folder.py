"""Make the folder of a run, `runs/<name>/<YYYYmmdd-HHMMSS>/` or `runs/<name>/<job>/`, and those of its results."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from segapp.errors import MisuseError
from segapp.io import require_writable
from segapp.system.regular_files import refuse_linked_folder, refuse_links_out

LATEST = "latest"
"""A link beside the runs of a name to the newest one."""

FOLDER_OPTIONS = ("--name", "--job", "--trainer.default_root_dir")
"""Options that determine the folder of a new run."""

_SHARED = "SEGAPP_RUN_FOLDER"  # so that the processes of one run on one machine agree on its folder


def find_job(given: str | None, environment: Mapping[str, str]) -> str | None:
    """Find the name of the folder of a run whose processes a launcher starts, and perhaps restarts.

    The job given, else torchrun's own name of the run, else None. Raises MisuseError where the processes of a
    launcher could not agree on a folder.
    """
    if given is not None:
        return _require_plain_name("job", given)
    torchrun, tasks = environment.get("TORCHELASTIC_RUN_ID"), int(environment.get("SLURM_NTASKS", "1"))
    if torchrun == "none":  # torchrun's default name for every run on several hosts
        raise MisuseError("all processes need the same run folder: set --job of segapp or --rdzv_id of torchrun.")
    if torchrun is None and tasks > 1 and "SLURM_STEP_ID" in environment and "LOCAL_RANK" not in environment:
        raise MisuseError(f'{tasks} tasks of SLURM need the same run folder: add --job "$SLURM_JOB_ID".')
    return torchrun


def make_run_folder(root: Path, name: str, job: str | None = None) -> Path:
    """Make a folder that does not exist yet; for a job, its own folder, whichever process comes first."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    attempts = (stamp if attempt == 1 else f"{stamp}-{attempt}" for attempt in count(1))
    if job == LATEST:
        raise MisuseError(f"--job cannot be {LATEST}, the name of the link to the newest run; choose another name.")
    parent = root / _require_plain_name("name", name)
    refuse_linked_folder(parent / (job or ""), root)
    return _make_first_free(parent, attempts, job)


def make_results_folder(run: Path, verb: str, job: str | None = None) -> Path:
    """Make `<run>/<verb>-<n>` with the first free n; for a job, `<run>/<verb>-<job>`."""
    attempts = (f"{verb}-{number}" for number in count(1))
    if job is None:
        return _make_first_free(run, attempts, None)
    refuse_links_out(run / f"{verb}-{job}")
    return _make_first_free(run, attempts, f"{verb}-{job}")


def find_last_checkpoint(run: Path) -> Path | None:
    """Find the checkpoint from which a stopped job resumes."""
    last = run / "checkpoints" / "last.ckpt"
    return last if last.is_file() else None


def _make_first_free(parent: Path, attempts: Iterator[str], job: str | None) -> Path:
    """Make the first folder that is new, shared with the processes that this one starts; a job's folder may exist."""
    if "LOCAL_RANK" in os.environ and _SHARED in os.environ:
        return Path(os.environ[_SHARED])
    try:
        if job is not None:
            folder = parent / job
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = next(path for path in (parent / attempt for attempt in attempts) if _is_new(path))
    except OSError as error:
        raise MisuseError(
            f"no folder can be created in {parent} ({error.strerror}: {error.filename}); "
            "choose another folder with --trainer.default_root_dir."
        ) from error
    os.environ[_SHARED] = str(folder)
    return folder


def link_latest(run: Path) -> None:
    """Make `latest` beside a run a link to it; do nothing where `latest` is no link, or the file system has none."""
    link = run.parent / LATEST
    if os.environ.get("LOCAL_RANK", "0") != "0" or not _is_free(link):
        return
    temporary = run.parent / f".{LATEST}-{os.getpid()}"
    with suppress(OSError):  # some file systems have no links
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(run.name, target_is_directory=True)
        temporary.replace(link)


def _is_free(link: Path) -> bool:
    """Return whether there is no such file, or a link of ours: to a run beside it, or to one that was removed."""
    if not link.is_symlink():
        return not link.exists()
    target = str(link.readlink())
    is_beside = os.sep not in target and target not in ("", ".", "..")
    return is_beside and (not link.exists() or (link / "config.yaml").is_file() or not any(link.iterdir()))


def remove_if_empty() -> None:
    """Remove the folder made for this process's run or results when it is empty, and a link to it."""
    if _SHARED in os.environ and "LOCAL_RANK" not in os.environ:
        folder = Path(os.environ[_SHARED])
        with suppress(OSError):  # not empty, as usual, or removed already
            folder.rmdir()
            if (link := folder.parent / LATEST).is_symlink() and not link.exists():
                link.unlink()


def _is_new(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not os.path.lexists(folder):
            raise  # something above it is a link to nothing
        return False
    return True


def _require_plain_name(what: str, name: str) -> str:
    """Return a name that TensorBoard and Lightning take as it is: they expand `$NAME` and `~`, and open addresses."""
    parts = Path(name).parts
    is_elsewhere = Path(name).is_absolute() or any(part == ".." or part.startswith("~") for part in parts)
    is_expanded = "$" in name or "::" in name or any(ord(letter) < 32 for letter in name)
    if not name or is_elsewhere or is_expanded:
        raise MisuseError(
            f"{what}={name!r} must be a plain name without $, :: and a leading ~, because it becomes a folder of the "
            "runs."
        )
    return name


def find_run(checkpoint: Path) -> Path | None:
    """Find the run folder of a checkpoint, `<run>/checkpoints/x.ckpt`, or None for a checkpoint by itself."""
    run = checkpoint.resolve().parent.parent
    return run if (run / "config.yaml").is_file() and checkpoint.resolve().parent.name == "checkpoints" else None


def refuse_other_folder(run: Path, typed: list[str]) -> None:
    """Raise MisuseError for options that would move a resumed run, and for a folder that cannot be written to."""
    if typed:
        raise MisuseError(f"a resumed run stays in its folder {run}: remove {' and '.join(typed)} from the command.")
    require_writable(run, "copy the run to where you may write, and resume it there")


def suggest_newest_best(root: Path = Path("runs")) -> str:
    """Suggest ` The newest here is …` in an error that asks for a checkpoint, or nothing."""
    runs = [path for path in root.glob("*/*/checkpoints/best.ckpt") if path.parts[-3] != LATEST]
    found = sorted(runs, key=lambda path: path.stat().st_mtime)
    return f" The newest here is {found[-1]}." if found else ""
