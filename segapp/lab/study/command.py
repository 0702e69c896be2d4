"""`segapp study`: run an ablation from one YAML."""

import shlex
import shutil
from collections.abc import Sequence
from inspect import signature
from pathlib import Path

from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.lab.landscape.command import landscape
from segapp.lab.landscape.options import check_options
from segapp.lab.study.config import LANDSCAPE_NUMBERS, Study, read_study
from segapp.lab.study.differences import find_differing_settings
from segapp.lab.study.effects import Question
from segapp.lab.study.execution import run_jobs
from segapp.lab.study.jobs import CONFIG, StudyJob, make_jobs
from segapp.lab.study.page import Report, write_report
from segapp.lab.study.results import read_result
from segapp.report.results import Result
from segapp.system.regular_files import refuse_linked_folder
from segapp.system.yaml_files import read_yaml
from segapp.terminal.text import for_terminal


def study(config: str, workers: int | None = None, ray: str | None = None, redraw: bool = False) -> int:
    """Run an ablation study: every variant of a grid with every seed, and one page of results.

    Each variant is an ordinary fit and test in a process of its own, in runs/<study>/variants/<variant>/seed-<n>.
    Variants differ only in the settings of the grid: initial weights are a function of the seed and of their names;
    order and augmentation are functions of the seed, the epoch and the image. After an interruption or a failure
    run the same command again to resume. Results: runs/<study>/report.html, table.csv, effects.csv, images.csv, *.tex
    and figures/.

    Args:
        config: The YAML of a study, such as configs/studies/addition_or_concatenation.yaml; see docs/studies.md.
        workers: Variants that run at once; default: one per GPU, or one per core.
        ray: A Ray cluster to run variants on, instead of this machine: its address, auto for the one this host belongs
            to, local for one that is started here. Its hosts share this folder and have segapp.
        redraw: Run nothing, only write tables, figures and the page again.
    """
    study = read_study(Path(config))
    _check_landscape(config, study)
    folder = Path("runs") / study.name
    refuse_linked_folder(folder, Path("runs"))
    print(
        f"{study.name}: {len(study.variants)} variants, {len(study.seeds)} seeds; preparing their networks", flush=True
    )
    jobs = make_jobs(study, folder)
    if not redraw:
        if not run_jobs(jobs, folder, workers, ray):
            return 130
        kept = folder / "study.yaml"
        if not (kept.exists() and kept.samefile(config)):
            with write_atomically(kept) as temporary:
                shutil.copyfile(config, temporary)
    results = [read_result(job, study) for job in jobs]
    if not any(result.status == "finished" for result in results):
        messages = {result.message for result in results if result.message}
        raise MisuseError(f"no run of {study.name} is finished. {' '.join(sorted(messages))}".strip())
    print("drawing tables, figures and the page", flush=True)
    page = write_report(_make_report(study, config, jobs, results), folder)
    failed = [result for result in results if result.status != "finished"]
    for result in failed:
        print(for_terminal(f"{result.status}: {result.variant}, seed {result.seed}: {result.message}"))
    print(f"{len(results) - len(failed)} of {len(results)} runs finished; tables beside the page: {page}")
    return 1 if failed else 0


def _check_landscape(config: str, study: Study) -> None:
    """Check the landscape's settings before a variant is trained, rather than after."""
    if study.landscape is None:
        return
    defaults = signature(landscape).parameters
    try:
        check_options(**{key: study.landscape.get(key, defaults[key].default) for key in LANDSCAPE_NUMBERS})
    except MisuseError as error:
        raise MisuseError(f"{config}: landscape: {error}") from error


def _read_configs(jobs: Sequence[StudyJob]) -> dict[str, dict]:
    """Read the config of every variant's fit, with the widths that `match_params` found for it."""
    first = [job for job in jobs if job.seed == jobs[0].seed]
    return {job.variant: read_yaml(job.folder / CONFIG) for job in first}


def _make_report(study: Study, config: str, jobs: Sequence[StudyJob], results: Sequence[Result]) -> Report:
    return Report(
        title=study.name.replace("_", " "),
        about=study.about,
        budget=study.budget,
        command=shlex.join(["segapp", "study", "--config", config, "--redraw", "true"]),
        results=results,
        questions=[Question(contrast.name, contrast.variants, contrast.against) for contrast in study.contrasts],
        groups=study.groups,
        differences=find_differing_settings(_read_configs(jobs)),
    )
