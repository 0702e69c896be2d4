"""Read the result of a job from its folder."""

import math

from segapp.lab.study.config import Study
from segapp.lab.study.jobs import StudyJob
from segapp.report.results import Result


def read_result(job: StudyJob, study: Study) -> Result:
    """Read the state and the results of a job from its folder."""
    state = job.read_state()
    levels = next(variant.levels for variant in study.variants if variant.name == job.variant)
    finished = state["status"] == "finished"
    run = job.folder / state["run"] if finished else None
    return Result(
        variant=job.variant,
        seed=job.seed,
        status=state["status"],
        message=state.get("message", ""),
        run=run,
        evaluation=run / state["evaluation"] if run else None,
        examples=job.folder / "examples",
        seconds=float(state["seconds"]) or math.nan,
        facts=job.facts,
        levels=levels if len(levels) > 1 else {},
    )
