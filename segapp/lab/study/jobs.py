"""Make the jobs of a study: one per variant and seed, each with a complete config and its own folder."""

import json
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from segapp.checkpoints.merge import flatten_settings, get_value, merged, override_values
from segapp.checkpoints.trust import find_classes
from segapp.datasets import Source
from segapp.errors import MisuseError
from segapp.io import read_table, write_atomically
from segapp.lab.study.config import Study
from segapp.lab.study.sizes import NetworkSize, match_variants, measure_size
from segapp.lab.study.variants import Variant
from segapp.loading.source_building import build_source
from segapp.report.results import name_damaged
from segapp.system.regular_files import refuse_links_out
from segapp.system.text_files import read_json, read_text
from segapp.system.yaml_files import read_yaml

EXAMPLES = 3
"""Images whose predictions by every variant are kept, spread over the scored set."""

CONFIG, STATE, LOG, SECONDS = "config.yaml", "state.json", "log.txt", "seconds.txt"


@dataclass(frozen=True)
class StudyJob:
    """One variant with one seed: `segapp fit`, then `segapp test`."""

    variant: str
    seed: int
    folder: Path
    """`<study>/variants/<variant>/seed-<n>`; the run is written into it."""
    verb: str
    """`test` or `validate`."""
    limits: dict[str, int]
    """The last `epoch` or `step` of the fit, as metrics.csv counts them, where there is one."""
    examples: tuple[str, ...]
    classes: tuple[str, ...]
    """Classes outside segapp that the config names, and that its checkpoints may use."""
    facts: dict[str, Any]
    """Sizes of the network and groups of the scored images, for the tables."""
    landscape: dict[str, Any] | None = None
    """Options of `segapp landscape`; None for no loss surface."""

    @property
    def options(self) -> dict[str, Any]:
        """The steps after the fit."""
        return {"score_on": self.verb, "landscape": self.landscape}

    def read_state(self) -> dict[str, Any]:
        """Read the job's progress; `status` is new, running, failed or finished."""
        path, seconds_file = self.folder / STATE, self.folder / SECONDS
        state: dict[str, Any] = read_json(path) if path.is_file() else {"status": "new", "seconds": 0.0}
        try:
            if state["status"] == "running" and seconds_file.is_file():
                state["seconds"] = max(float(state["seconds"]), float(read_text(seconds_file, 100)))
            _check_state(state)
        except (KeyError, TypeError, ValueError) as error:
            raise MisuseError(f"{path}: damaged ({error}); remove {self.folder} to run it again.") from error
        return state

    def write_state(self, **state: Any) -> None:
        """Replace the job's state."""
        with write_atomically(self.folder / STATE) as path:
            path.write_text(json.dumps(self.facts | self.options | state, indent=1))

    def record_seconds(self, seconds: float) -> None:
        """Record how long the job has run, in a separate file, because the job itself writes its state."""
        with write_atomically(self.folder / SECONDS) as path:
            path.write_text(f"{seconds:.1f}")

    def find_run(self) -> Path | None:
        """Find the folder of the newest run that can be continued or scored."""
        last = [path for path in self.folder.glob("*/checkpoints/last.ckpt") if not path.parents[1].is_symlink()]
        found = sorted(last, key=lambda path: path.stat().st_mtime)
        return found[-1].parents[1] if found else None

    def measure_progress(self) -> float:
        """Return the fraction of the job that is done, by the epochs or steps of its runs; 0 where none is limited."""
        if self.read_state()["status"] == "finished":
            return 1.0
        return max(map(self._measure_run, self.folder.glob("*/metrics.csv")), default=0.0)

    def _measure_run(self, table: Path) -> float:
        with name_damaged(table):
            last = (read_table(table) or [dict.fromkeys(self.limits, "0")])[-1]
            return min(1.0, max((int(last[name]) / most for name, most in self.limits.items()), default=0.0))


def _check_state(state: dict[str, Any]) -> None:
    """Raise ValueError for a status that no run has, and for results that would lie outside the job's folder."""
    if state["status"] not in ("new", "running", "failed", "finished"):
        raise ValueError(f"status {state['status']!r}")
    float(state["seconds"])
    if not isinstance(state.get("message", ""), str):
        raise ValueError(f"message {state['message']!r:.40}")
    for key in ("run", "evaluation") if state["status"] == "finished" else ():
        if state[key] in ("", ".", "..") or Path(state[key]).name != state[key]:
            raise ValueError(f"{key} {state[key]!r}")


def make_jobs(study: Study, folder: Path) -> list[StudyJob]:
    """Make all jobs, seed by seed, so that an unfinished study is already a comparison, and write their configs.

    Raises MisuseError when a variant cannot be built, or when `folder` holds runs of other settings, scored on other
    images, or with other landscapes; and for links out of it.
    """
    refuse_links_out(folder)
    sources = _build_sources(study)
    study = match_variants(study, sources, _read_known_widths(study, folder))
    sizes = {
        variant.name: measure_size(variant.name, variant.config, sources[variant.name]) for variant in study.variants
    }
    groups = {variant.name: _find_groups(study, variant, sources[variant.name]) for variant in study.variants}
    jobs = [
        _make_job(study, variant, seed, folder, sizes[variant.name], groups[variant.name])
        for seed in study.seeds
        for variant in study.variants
    ]
    for job, variant in zip(jobs, list(study.variants) * len(study.seeds), strict=True):
        _write_config(job, variant, folder)
        _require_same_options(job, folder)
    return jobs


def _read_known_widths(study: Study, folder: Path) -> dict[str, list[int]]:
    """Read the widths from the configs of an earlier start: searching for them again takes a second per variant."""
    if study.matching is None:
        return {}
    found = {}
    for variant in study.variants:
        path = folder / "variants" / variant.folder / f"seed-{study.seeds[0]}" / CONFIG
        if path.is_file():
            found[variant.name] = get_value(read_yaml(path), study.matching.widths)
    return found


def _build_sources(study: Study) -> dict[str, Source]:
    """Build every variant's data set; variants with the same data share it."""
    made: dict[str, Source] = {}
    sources = {}
    for variant in study.variants:
        data = variant.config.get("data") or {}
        key = json.dumps(data.get("source"), sort_keys=True)
        made[key] = made.get(key) or build_source(variant.name, data)
        sources[variant.name] = made[key]
    return sources


def _find_groups(study: Study, variant: Variant, source: Source) -> dict[str, str]:
    """Return the scored images' groups by name.

    For Cells this generates the set once, before several variants would do so at the same time.
    """
    split = "test" if study.score_on == "test" else "val"
    groups = {item.name: item.group for item in source.items("test" if split == "test" else "val")}
    if not groups:
        other = "; set score_on: validate to score the validation images" if split == "test" else ""
        raise MisuseError(f"{variant.name}: its data set has no {split} images{other}.")
    return groups


def _make_job(
    study: Study, variant: Variant, seed: int, folder: Path, size: NetworkSize, groups: dict[str, str]
) -> StudyJob:
    names = list(groups)
    count = min(EXAMPLES, len(names))
    examples = tuple(names[(2 * i + 1) * len(names) // (2 * count)] for i in range(count))
    trainer = variant.config.get("trainer") or {}
    most = {name: int(trainer.get(f"max_{name}s") or -1) for name in ("epoch", "step")}
    limits = {name: value for name, value in most.items() if value > 0}  # -1: no limit
    classes = tuple(find_classes(variant.config))
    seed_folder = folder / "variants" / variant.folder / f"seed-{seed}"
    facts = asdict(size) | {"groups": groups}
    return StudyJob(variant.name, seed, seed_folder, study.score_on, limits, examples, classes, facts, study.landscape)


def _write_config(job: StudyJob, variant: Variant, folder: Path) -> None:
    """Write the file that `segapp fit --config` reads; refuse to mix runs of different settings in one folder."""
    quiet = {"trainer": {"enable_progress_bar": False, "logger": False}}  # log.txt and metrics.csv have it all
    own = {
        "name": str(job.folder.relative_to(folder.parent)),
        "seed_everything": job.seed,
        "trainer.default_root_dir": str(folder.parent),
    }
    config = override_values(merged(quiet, variant.config), own)
    path = job.folder / CONFIG
    if path.is_file():
        _require_same(path, config, folder)
        return
    with write_atomically(path) as temporary:
        header = f"# {variant.name}, seed {job.seed}; alone: segapp fit --config {shlex.quote(str(path))}\n"
        temporary.write_text(header + yaml.safe_dump(config, sort_keys=False))


def _require_same(path: Path, config: dict[str, Any], folder: Path) -> None:
    before, now = flatten_settings(read_yaml(path)), flatten_settings(json.loads(json.dumps(config)))
    different = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if different:
        key = different[0]
        raise MisuseError(
            f"{path}: was made with {key}={before.get(key)!r}; the study now has {now.get(key)!r}. "
            f"Give the study another name, or remove {folder}."
        )


def _require_same_options(job: StudyJob, folder: Path) -> None:
    """Require the same options for a run that has been scored, or whose landscape has begun.

    Those of a run that failed before may change.
    """
    before, run = job.read_state(), job.find_run()
    if before["status"] != "finished" and (run is None or not (run / "landscape").is_dir()):
        return
    for key, now in job.options.items():
        if key in before and before[key] != now:
            raise MisuseError(
                f"{job.folder}: was run with {key}: {before[key]}; the study now has {now}. "
                f"Give the study another name, or remove {folder}."
            )
