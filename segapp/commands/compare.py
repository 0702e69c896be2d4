"""`segapp compare`: compares finished runs."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segapp.checkpoints.merge import get_value
from segapp.errors import MisuseError
from segapp.lab.study.differences import find_differing_settings
from segapp.lab.study.effects import Question
from segapp.lab.study.examples import make_slug, write_examples
from segapp.lab.study.page import Report, write_report
from segapp.lab.study.sizes import measure_size
from segapp.loading.source_building import build_source
from segapp.report.results import Result, find_common_images, is_lower_better, name_damaged
from segapp.system.regular_files import refuse_linked_folder, refuse_links_out
from segapp.system.text_files import read_json
from segapp.system.yaml_files import read_yaml

NEEDED = ("name", "seed_everything", "data.source.class_path", "model.net.class_path")
"""Settings that the config of every run has."""


def compare(
    runs: list[str],
    output: str = "comparison",
    score_on: Literal["test", "validate"] = "test",
    score: str = "dice",
    pictures: int = 3,
    neighbours: int = 1,
    overwrite: bool = False,
    allow: list[str] = [],  # noqa: B006 - only read; a list is what the command line gives and shows
) -> int:
    """Compare finished runs: segapp compare RUN RUN [RUN ...].

    Every other run is compared with the first one, image by image: settings that differ, learning curves, differences
    of every score with 95 % intervals, and the images on which a run wins and loses most. Each run needs an evaluation
    (`segapp test --ckpt_path RUN/checkpoints/best.ckpt`) on the same images; the newest one of best.ckpt is used. The
    images must still exist.

    Args:
        runs: Folders of runs, runs/<name>/<time>.
        output: Folder for report.html and its tables.
        score_on: Which evaluations are compared.
        score: Score per image by which wins and losses are chosen: a column of per_image.csv without a class.
        pictures: Number of wins, and of losses, that are shown of every run.
        neighbours: Number of images, consecutive by name, that form one group, such as slices of one tissue;
            default: the groups of the data set.
        overwrite: Write into a folder that is not empty.
        allow: Class or package outside segapp that the runs may use, for user-defined networks and data sets.
    """
    folder = Path(output)
    if output == "comparison":  # what the user names may be a link
        refuse_linked_folder(folder, Path())
    for inside in ("examples", "figures"):
        refuse_links_out(folder / inside)
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise MisuseError(f"{folder} is not empty; name another --output, or add --overwrite true.")
    if len(runs) < 2:
        raise MisuseError(f"a comparison needs two runs or more, got {len(runs)}: segapp compare RUN RUN.")
    found = [_read_config(Path(run)) for run in runs]
    names = _names(runs, [str(config["name"]) for config in found])
    configs = dict(zip(names, found, strict=True))
    results = [
        _make_result(name, Path(run), configs[name], score_on, folder, allow)
        for name, run in zip(names, runs, strict=True)
    ]
    images = find_common_images(results)
    _require_same_images(results, images)
    if score not in results[0].images[images[0]]:
        raise MisuseError(
            f"there is no score {score!r} per image; choose from {', '.join(results[0].images[images[0]])}."
        )
    pairs = _rank_images(results, images, score, pictures) if pictures else []
    wanted = list(dict.fromkeys(image for _, chosen in pairs for image in chosen))
    for name, run in zip(names, runs, strict=True) if wanted else []:
        best = Path(run) / "checkpoints" / "best.ckpt"
        write_examples(best, wanted, folder / "examples" / make_slug(name), allow)
    options = {"output": output, "score_on": score_on, "score": score, "pictures": pictures, "neighbours": neighbours}
    words = [f"--{name}={value}" for name, value in options.items()]
    command = shlex.join(["segapp", "compare", *runs, *words, "--overwrite=true"])
    page = write_report(_report(command, results, configs, pairs, neighbours), folder)
    print(f"{len(runs)} runs on {len(images)} images; tables beside the page: {page}")
    return 0


def _report(
    command: str,
    results: Sequence[Result],
    configs: dict[str, dict[str, Any]],
    pairs: Sequence[tuple[str, list[str]]],
    neighbours: int,
) -> Report:
    first = results[0].variant
    return Report(
        title=f"Comparison with {first}",
        about="The same images, scored run by run. Differences are a run minus the first one; with one run of each "
        "setting they speak of these runs on other images, not of what another seed would give.",
        budget="",
        command=command,
        results=results,
        questions=[Question(f"{result.variant} − {first}", (result.variant,), (first,)) for result in results[1:]],
        groups={"neighbours": neighbours} if neighbours > 1 else {},
        differences=find_differing_settings(configs),
        pairs=[(heading, [make_slug(image) for image in chosen]) for heading, chosen in pairs],
    )


def _names(runs: Sequence[str], given: Sequence[str]) -> list[str]:
    """Name the runs as given, followed by as much of their paths as distinguishes them.

    The names also differ as names of folders, since each run's examples lie in one.
    """
    paths = [Path(run).resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise MisuseError("a run is named twice; compare different runs.")
    names = list(given)
    for count in range(1, max(len(path.parts) for path in paths) + 1):
        if len({make_slug(name) for name in names}) == len(names):
            return names
        ends = [Path(*path.parts[-count:]) for path in paths]
        names = [f"{name} {end}" for name, end in zip(given, ends, strict=True)]
    return [f"{number} {name}" for number, name in enumerate(names, 1)]  # paths that differ only in signs


def _read_config(run: Path) -> dict[str, Any]:
    path = run / "config.yaml"
    if not path.is_file():
        inside = f"; below it: {found[0].parent}" if (found := sorted(run.glob("*/config.yaml"))) else ""
        raise MisuseError(f"{run} is not the folder of a run (it has no config.yaml){inside}.")
    config = read_yaml(path)
    missing = [key for key in NEEDED if get_value(config, key) is None]
    if missing:
        raise MisuseError(f"{path}: not the config of a run of segapp: it has no {missing[0]}.")
    return dict(config)


def _make_result(name: str, run: Path, config: dict[str, Any], verb: str, folder: Path, allow: Sequence[str]) -> Result:
    evaluation = _find_results(run, verb)
    with name_damaged(run / "config.yaml"):
        source = build_source(str(run), config["data"], allow)
        size = measure_size(str(run), config, source, allow)
    groups = {item.name: item.group for item in source.items("test" if verb == "test" else "val")}
    return Result(
        variant=name,
        seed=0,  # paired by image alone; the runs' seeds do not matter
        run=run,
        evaluation=evaluation,
        examples=folder / "examples" / make_slug(name),
        facts=asdict(size) | {"groups": groups},
        levels={"training seed": str(config["seed_everything"])},
    )


def _find_results(run: Path, verb: str) -> Path:
    """Find the newest results of the run's best checkpoint; results without a checkpoint's name count too."""
    records = sorted(run.glob(f"{verb}-*/metrics.json"), key=lambda path: path.stat().st_mtime)
    scored = {record: Path(str(read_json(record).get("checkpoint") or "best.ckpt")).name for record in records}
    of_best = [record for record, checkpoint in scored.items() if checkpoint == "best.ckpt"]
    if not of_best:
        only = f" of best.ckpt, only of {', '.join(sorted(set(scored.values())))}" if scored else ""
        best = run / "checkpoints" / "best.ckpt"
        raise MisuseError(
            f"{run} has no {verb} evaluation{only}; run segapp {verb} --ckpt_path {shlex.quote(str(best))}"
        )
    return of_best[-1].parent


def _require_same_images(results: Sequence[Result], images: Sequence[str]) -> None:
    for result in results:
        if len(result.images) != len(images) or not images:
            raise MisuseError(
                f"{result.variant} was scored on {len(result.images)} images, of which {len(images)} are common to all "
                "runs; score all runs on the same images (segapp test --ckpt_path … --data …)."
            )


def _rank_images(
    results: Sequence[Result], images: Sequence[str], score: str, count: int
) -> list[tuple[str, list[str]]]:
    """Rank the images on which each run is furthest above and below the first run.

    An image without a class in target and prediction has no score; it counts as the best score.
    """
    less = is_lower_better(score)
    of_each = [np.array([result.images[name][score] for name in images]) for result in results]
    known = [np.nan_to_num(values, nan=0.0 if less else 1.0) for values in of_each]
    pairs = []
    for result, values in zip(results[1:], known[1:], strict=True):
        gain = known[0] - values if less else values - known[0]
        order = [int(index) for index in np.argsort(-gain, kind="stable")]
        wins = [images[index] for index in order[:count] if gain[index] > 0]
        losses = [images[index] for index in order[::-1][:count] if gain[index] < 0]
        for word, chosen in (("better", wins), ("worse", losses)):
            if chosen:
                pairs.append((f"Where {result.variant} is {word} than {results[0].variant}, by {score}", chosen))
    return pairs
