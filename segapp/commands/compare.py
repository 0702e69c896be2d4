"""`segapp compare`: finished runs set against each other."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from segapp.commands.study import differing
from segapp.datamodule import source_of
from segapp.errors import MisuseError
from segapp.inference import classes_named
from segapp.report.effects import Question
from segapp.report.results import LOWER_IS_BETTER, Result, common_images
from segapp.report.study import Report, write_report
from segapp.studies.examples import slug, write_examples
from segapp.studies.sizes import size_of


def compare(
    runs: list[str],
    output: str = "comparison",
    score_on: Literal["test", "validate"] = "test",
    score: str = "dice",
    pictures: int = 3,
    neighbours: int = 1,
    overwrite: bool = False,
) -> int:
    """Set finished runs against each other: segapp compare RUN RUN [RUN ...].

    Every other run is compared with the first one, image by image: settings that differ, learning curves, differences
    of every score with 95 % intervals, and the images on which a run wins and loses most. Each run needs a verdict
    (`segapp test --ckpt_path RUN/checkpoints/best.ckpt`) on the same images, the newest one is taken; the data must
    still be there.

    Args:
        runs: Folders of runs, runs/<name>/<time>.
        output: Folder for report.html and its tables.
        score_on: Which verdicts are compared.
        score: Score per image by which wins and losses are chosen.
        pictures: Wins, and as many losses, that are shown of every run.
        neighbours: So many images that follow each other by name are one group, as slices of one tissue;
            default: groups as the data set says.
        overwrite: Write into a folder that is not empty.
    """
    folder = Path(output)
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise MisuseError(f"{folder} is not empty; name another --output, or allow --overwrite.")
    if len(runs) < 2:
        raise MisuseError(f"a comparison needs two runs or more, got {len(runs)}: segapp compare RUN RUN.")
    names = _names(runs)
    configs = {name: _config(Path(run)) for name, run in zip(names, runs, strict=True)}
    results = [_result(name, Path(run), configs[name], score_on, folder) for name, run in zip(names, runs, strict=True)]
    images = common_images(results)
    _require_same_images(results, images)
    if score not in results[0].images[images[0]]:
        raise MisuseError(f"there is no score {score!r} per image; there is {', '.join(results[0].images[images[0]])}.")
    pairs = _wins_and_losses(results, images, score, pictures) if pictures else []
    wanted = list(dict.fromkeys(image for _, chosen in pairs for image in chosen))
    for name, run in zip(names, runs, strict=True) if wanted else []:
        best = Path(run) / "checkpoints" / "best.ckpt"
        write_examples(best, wanted, folder / "examples" / slug(name), classes_named(configs[name]))
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
    first = results[0].arm
    return Report(
        title=f"Comparison with {first}",
        about="The same images, scored run by run. Differences are a run minus the first one; with one run of each "
        "setting they speak of these runs on other images, not of what another seed would give.",
        budget="",
        command=command,
        results=results,
        questions=[Question(f"{result.arm} − {first}", (result.arm,), (first,)) for result in results[1:]],
        groups={"neighbours": neighbours} if neighbours > 1 else {},
        differences=differing(configs),
        pairs=[(heading, [slug(image) for image in chosen]) for heading, chosen in pairs],
    )


def _names(runs: Sequence[str]) -> list[str]:
    """The names the runs were given, with their times where those are needed to tell them apart."""
    paths = [Path(run).resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise MisuseError("a run is named twice; compare different runs.")
    short = [str(_config(Path(run))["name"]) for run in runs]
    if len(set(short)) == len(short):
        return short
    return [f"{name} {path.name}" for name, path in zip(short, paths, strict=True)]


def _config(run: Path) -> dict[str, Any]:
    path = run / "config.yaml"
    if not path.is_file():
        inside = f"; below it: {found[0].parent}" if (found := sorted(run.glob("*/config.yaml"))) else ""
        raise MisuseError(f"{run} is not the folder of a run (it has no config.yaml){inside}.")
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    return config


def _result(name: str, run: Path, config: dict[str, Any], verb: str, folder: Path) -> Result:
    verdicts = sorted(run.glob(f"{verb}-*/metrics.json"), key=lambda path: path.stat().st_mtime)
    best = run / "checkpoints" / "best.ckpt"
    if not verdicts:
        raise MisuseError(f"{run} has no {verb} verdict; make one: segapp {verb} --ckpt_path {best}")
    source = source_of(str(run), config["data"])
    groups = {item.name: item.group for item in source.items("test" if verb == "test" else "val")}
    return Result(
        arm=name,
        seed=0,  # paired by image alone, whatever the runs' own seeds are
        run=run,
        verdict=verdicts[-1].parent,
        examples=folder / "examples" / slug(name),
        facts=asdict(size_of(str(run), config, source)) | {"groups": groups},
        levels={"training seed": str(config["seed_everything"])},
    )


def _require_same_images(results: Sequence[Result], images: Sequence[str]) -> None:
    for result in results:
        if len(result.images) != len(images) or not images:
            raise MisuseError(
                f"{result.arm} was scored on {len(result.images)} images, of which {len(images)} are common to all; "
                "score all runs on the same images (segapp test --ckpt_path … --data …)."
            )


def _wins_and_losses(
    results: Sequence[Result], images: Sequence[str], score: str, count: int
) -> list[tuple[str, list[str]]]:
    """Per run the images on which it is furthest above and below the first one.

    Where no class is there and none was found there is no score; beside a false alarm that is the best one.
    """
    less = score in LOWER_IS_BETTER
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
                pairs.append((f"Where {result.arm} is {word} than {results[0].arm}, by {score}", chosen))
    return pairs
