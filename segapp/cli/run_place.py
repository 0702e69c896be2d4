"""Chooses the folder of a fit, or that of an evaluation beside its checkpoint."""

import os
from pathlib import Path

from jsonargparse import Namespace

from segapp.cli.arguments import Arguments
from segapp.errors import MisuseError
from segapp.system.regular_files import refuse_linked_folder, refuse_links_out
from segapp.training.run_folder import (
    FOLDER_OPTIONS,
    find_job,
    find_run,
    make_results_folder,
    make_run_folder,
    refuse_other_folder,
)


def place_fit(settings: Namespace, arguments: Arguments) -> tuple[Path, bool]:
    """Return the folder of a fit, and whether it is that of the checkpoint it resumes.

    Raises MisuseError where an option asks for another folder than that of a resumed run.
    """
    run = _find_run(settings)
    if run is not None:
        refuse_other_folder(run, [name for name in FOLDER_OPTIONS if arguments.get(name)])
        refuse_links_out(run)  # a folder from elsewhere could have the run's files written anywhere
        _refuse_variables(run)
        return run, True
    folder = make_run_folder(_get_root(settings), settings.name, find_job(settings.job, os.environ))
    refuse_links_out(folder)  # that of a job may have been there
    _refuse_variables(folder.resolve())
    if found := sorted(folder.glob("hpc_ckpt_*")):  # Lightning would resume from it, unchecked
        raise MisuseError(f"{found[0]}: a checkpoint that segapp does not write; remove it, or choose another --job.")
    return folder, False


def place_results(settings: Namespace, arguments: Arguments) -> Path:
    """Return a new folder for the results of `validate` or `test`: in the run, unless the user names a root."""
    run = _find_run(settings) if arguments.get("--trainer.default_root_dir") is None else None
    folder = run or _get_root(settings) / settings.name
    if run is None:
        refuse_linked_folder(folder, _get_root(settings))
    return make_results_folder(folder, arguments.command, find_job(settings.job, os.environ))


def _find_run(settings: Namespace) -> Path | None:
    checkpoint = settings.get("ckpt_path")
    return find_run(Path(checkpoint)) if checkpoint else None


def _refuse_variables(folder: Path) -> None:
    """Raise MisuseError for a path in which TensorBoard would put the value of an environment variable."""
    if "$" in str(folder):
        raise MisuseError(f"{folder}: has a $ in its path, which TensorBoard takes for a variable; rename the folder.")


def _get_root(settings: Namespace) -> Path:
    return Path(settings.trainer.default_root_dir or "runs")
