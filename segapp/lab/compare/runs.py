"""Finished runs of a comparison: their configs, results and data."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from segapp.checkpoints.merge import get_value
from segapp.datasets import Source
from segapp.errors import MisuseError
from segapp.lab.study.sizes import measure_size
from segapp.loading.source_building import build_source
from segapp.report.results import Result, name_damaged
from segapp.system.text_files import read_json
from segapp.system.yaml_files import read_yaml

ScoredOn = Literal["test", "validate"]

NEEDED = ("name", "seed_everything", "data.source.class_path", "model.net.class_path")
"""Settings that the config of every run has."""


def read_config(run: Path) -> dict[str, Any]:
    """Read the config of a run; raise MisuseError for a folder that is no run."""
    path = run / "config.yaml"
    if not path.is_file():
        inside = f"; below it: {found[0].parent}" if (found := sorted(run.glob("*/config.yaml"))) else ""
        hint = "" if inside else f" Predictions of another tool are given as NAME=FOLDER, as tool={run}."
        raise MisuseError(f"{run} is not the folder of a run (it has no config.yaml){inside}.{hint}")
    config = read_yaml(path)
    missing = [key for key in NEEDED if get_value(config, key) is None]
    if missing:
        raise MisuseError(f"{path}: not the config of a run of segapp: it has no {missing[0]}.")
    return dict(config)


def open_run(
    name: str, run: Path, config: dict[str, Any], score_on: ScoredOn, allow: Sequence[str]
) -> tuple[Result, Source]:
    """Return the results of a run's best checkpoint and its data set; raise MisuseError where it was not scored."""
    evaluation = find_evaluation(run, score_on)
    with name_damaged(run / "config.yaml"):
        source = build_source(str(run), config["data"], allow)
        size = measure_size(str(run), config, source, allow)
    groups = {item.name: item.group for item in source.items("test" if score_on == "test" else "val")}
    result = Result(
        variant=name,
        seed=0,  # paired by image alone; the runs' seeds do not matter
        run=run,
        evaluation=evaluation,
        facts=asdict(size) | {"groups": groups},
        levels={"training seed": str(config["seed_everything"])},
    )
    return result, source


def find_evaluation(run: Path, score_on: ScoredOn) -> Path:
    """Find the newest results of the run's best checkpoint; results without a checkpoint's name count too."""
    records = sorted(run.glob(f"{score_on}-*/metrics.json"), key=lambda path: path.stat().st_mtime)
    scored = {record: Path(str(read_json(record).get("checkpoint") or "best.ckpt")).name for record in records}
    of_best = [record for record, checkpoint in scored.items() if checkpoint == "best.ckpt"]
    if not of_best:
        only = f" of best.ckpt, only of {', '.join(sorted(set(scored.values())))}" if scored else ""
        best = run / "checkpoints" / "best.ckpt"
        raise MisuseError(
            f"{run} has no {score_on} evaluation{only}; run segapp {score_on} --ckpt_path {shlex.quote(str(best))}"
        )
    return of_best[-1].parent
