"""`segapp folds`: k-fold cross-validation of a config, and the ensemble of its networks."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.errors import MisuseError
from segapp.export.sample_images import generate_images
from segapp.export.write import ExportRequest, TrainedNetwork, write_bundle
from segapp.lab.folds.config import read_folds
from segapp.lab.folds.page import write_page
from segapp.lab.folds.tables import make_fold_rows, make_image_rows, make_score_rows
from segapp.lab.study.execution import run_jobs
from segapp.lab.study.jobs import StudyJob, make_jobs
from segapp.lab.study.results import read_result
from segapp.loading.source_building import build_source
from segapp.report.results import Result
from segapp.report.tables import write_csv
from segapp.system.regular_files import refuse_linked_folder
from segapp.system.yaml_files import read_yaml
from segapp.terminal.text import for_terminal

ENSEMBLE = "ensemble"


def folds(config: str, folds: int = 5, workers: int | None = None, ray: str | None = None) -> int:
    """Train a network for every fold of the data, score every image once, and write the ensemble of all.

    Every fold is an ordinary fit in a process of its own, in runs/<name>_folds/variants/, validated on images outside
    its training set. After an interruption or a failure run the same command again to resume. Results in
    runs/<name>_folds: report.html, scores.csv (with 95 % intervals), folds.csv, images.csv, and ensemble/, a bundle
    that `segapp predict` and `segapp test` accept.

    Args:
        config: A complete config of `segapp fit`, such as `segapp study` writes. Its test images stay out of all folds.
        folds: Number of folds into which the training and validation images are divided.
        workers: Folds that run at once; default: one per GPU, or one per core.
        ray: A Ray cluster to run folds on, instead of this machine: its address, auto for the one this host belongs
            to, local for one that is started here. Its hosts share this folder and have segapp.
    """
    study = read_folds(Path(config), folds)
    folder = Path("runs") / study.name
    refuse_linked_folder(folder, Path("runs"))
    print(f"{study.name}: {folds} folds; preparing their networks", flush=True)
    jobs = make_jobs(study, folder)
    if not run_jobs(jobs, folder, workers, ray):
        return 130
    results = [read_result(job, study) for job in jobs]
    failed = [result for result in results if result.status != "finished"]
    for result in failed:
        print(for_terminal(f"{result.status}: {result.variant}: {result.message}"))
    if failed:
        print(f"{len(failed)} of {folds} folds failed; the same command runs them again.")
        return 1
    _write_results(config, jobs, results, folder)
    _write_ensemble(jobs, results, folder)
    return 0


def _write_results(config: str, jobs: Sequence[StudyJob], results: Sequence[Result], folder: Path) -> None:
    source = build_source(config, read_yaml(Path(config))["data"])
    images = make_image_rows(results)
    scores = make_score_rows(results, images, source.classes, source.background)
    tables = {"scores": scores, "folds": make_fold_rows(results), "images": images}
    for name, rows in tables.items():
        write_csv(folder / f"{name}.csv", rows)
    command = shlex.join(["segapp", "folds", "--config", config, "--folds", str(len(jobs))])
    page = write_page(folder, command, results, tables)
    for row in scores:
        if row["score"].count("/") == 1:
            low, high = row.get("low"), row.get("high")
            interval = "" if low is None else f"  (95 %: {low:.4f} … {high:.4f})"
            print(f"{row['score']:<14} {row['value']:.4f}{interval}")
    print(f"{len(images)} images, each scored by the network that was not trained on it: {page}")


def _write_ensemble(jobs: Sequence[StudyJob], results: Sequence[Result], folder: Path) -> None:
    """Write the bundle of all folds' best networks; keep the one of an earlier start of the same networks."""
    target = folder / ENSEMBLE
    best = [result.run / "checkpoints" / "best.ckpt" for result in results if result.run is not None]
    if not target.exists():
        allow = sorted({name for job in jobs for name in job.classes})
        opened = [load_checkpoint(path, allow) for path in best]
        spec = opened[0][0]
        request = ExportRequest("weights", "fp32", generate_images(spec), [], False, None, None, allow)
        write_bundle([TrainedNetwork(net, record["net"]) for _, net, record in opened], spec, request, target, print)
    elif not target.is_dir():
        raise MisuseError(
            f"{target} is not a folder; remove it and run the same command again: it writes the ensemble there."
        )
    print(f"ensemble: {target}")
    print(f"next: segapp predict --ckpt_path {shlex.quote(str(target))} --images FOLDER --output masks")
