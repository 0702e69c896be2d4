"""`segapp study`: an ablation from one YAML."""

import shlex
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from inspect import signature
from pathlib import Path

from segapp.checkpoints.merge import flatten_settings
from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.lab.landscape.command import landscape
from segapp.lab.landscape.surface import require_sensible
from segapp.lab.study.cluster import open_cluster
from segapp.lab.study.config import LANDSCAPE, Study, read_study
from segapp.lab.study.effects import Question
from segapp.lab.study.jobs import CONFIG, StudyJob, plan_jobs
from segapp.lab.study.page import Report, write_report
from segapp.lab.study.processes import Processes
from segapp.lab.study.queue import Executor, run_all
from segapp.lab.study.results import read_result
from segapp.report.results import Result
from segapp.system.yaml_files import read_yaml
from segapp.terminal.text import for_terminal

BOOKKEEPING = ("name", "seed_everything")
"""Settings in which variants differ without being different."""


def study(config: str, workers: int | None = None, ray: str | None = None, redraw: bool = False) -> int:
    """Run an ablation study: every variant of a grid with every seed, and one page of results.

    Each variant is an ordinary fit and test in a process of its own, in runs/<study>/variants/<variant>/seed-<n>.
    Variants differ only by what is varied: initial weights are a function of the seed and of their names; order and
    augmentation are functions of the seed, the epoch and the image. After an interruption or a failure run the same
    command again to resume. Results: runs/<study>/report.html, table.csv, effects.csv, images.csv, *.tex and figures/.

    Args:
        config: The YAML of a study, such as configs/studies/addition_or_concatenation.yaml; see docs/studies.md.
        workers: Variants that run at once; default: one per GPU, or one per core.
        ray: A Ray cluster to run variants on, instead of this machine: its address, auto for the one this host belongs
            to, local for one that is started here. Its hosts share this folder and have segapp.
        redraw: Run nothing, only write tables, figures and the page again.
    """
    plan = read_study(Path(config))
    _require_sensible_landscape(config, plan)
    folder = Path("runs") / plan.name
    print(f"{plan.name}: {len(plan.variants)} variants, {len(plan.seeds)} seeds; preparing their networks", flush=True)
    jobs = plan_jobs(plan, folder)
    if not redraw:
        if not carry_out(jobs, folder, workers, ray):
            return 130
        kept = folder / "study.yaml"
        if not (kept.exists() and kept.samefile(config)):
            with write_atomically(kept) as temporary:
                shutil.copyfile(config, temporary)
    results = [read_result(job, plan) for job in jobs]
    if not any(result.status == "finished" for result in results):
        messages = {result.message for result in results if result.message}
        raise MisuseError(f"no run of {plan.name} is finished. {' '.join(sorted(messages))}".strip())
    print("drawing tables, figures and the page", flush=True)
    page = write_report(_report(plan, config, jobs, results), folder)
    failed = [result for result in results if result.status != "finished"]
    for result in failed:
        print(for_terminal(f"{result.status}: {result.variant}, seed {result.seed}: {result.message}"))
    print(f"{len(results) - len(failed)} of {len(results)} runs finished; tables beside the page: {page}")
    return 1 if failed else 0


def _require_sensible_landscape(config: str, plan: Study) -> None:
    """Check the landscape's settings before a variant is trained, rather than after."""
    if plan.landscape is None:
        return
    defaults = signature(landscape).parameters
    try:
        require_sensible(**{key: plan.landscape.get(key, defaults[key].default) for key in LANDSCAPE})
    except MisuseError as error:
        raise MisuseError(f"{config}: landscape: {error}") from error


def carry_out(jobs: Sequence[StudyJob], folder: Path, workers: int | None, ray: str | None) -> bool:
    """Run what is left of the jobs, on this machine or a Ray cluster; return False where the user interrupts them."""
    try:
        with _open_executor(ray, workers) as place:
            run_all(jobs, folder, place)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume.")
        return False
    return True


def _open_executor(ray: str | None, workers: int | None) -> AbstractContextManager[Executor]:
    return nullcontext(Processes(workers)) if ray is None else open_cluster(ray, workers)


def _read_configs(jobs: Sequence[StudyJob]) -> dict[str, dict]:
    """Read the config of every variant's fit, with the widths that were found for it."""
    first = [job for job in jobs if job.seed == jobs[0].seed]
    return {job.variant: read_yaml(job.folder / CONFIG) for job in first}


def _report(plan: Study, config: str, jobs: Sequence[StudyJob], results: Sequence[Result]) -> Report:
    return Report(
        title=plan.name.replace("_", " "),
        about=plan.about,
        budget=plan.budget,
        command=shlex.join(["segapp", "study", "--config", config, "--redraw", "true"]),
        results=results,
        questions=[Question(contrast.name, contrast.variants, contrast.against) for contrast in plan.contrasts],
        groups=plan.groups,
        differences=find_differing_settings(_read_configs(jobs)),
    )


def find_differing_settings(configs: dict[str, dict]) -> list[dict[str, str]]:
    """Find the settings that are not the same in all configs.

    One row each, with its key and its value in each config.
    """
    settings = {name: flatten_settings(config) for name, config in configs.items()}
    keys = dict.fromkeys(key for values in settings.values() for key in values)
    rows = []
    for key in keys:
        values = {name: str(found.get(key, "–")) for name, found in settings.items()}
        if len(set(values.values())) > 1 and key not in BOOKKEEPING:
            rows.append({"setting": key, **values})
    return rows
