"""`segapp compare`: compares finished runs, and the predictions of other tools."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segapp.errors import MisuseError
from segapp.lab.compare.images import rank_images
from segapp.lab.compare.opening import Opened, Request, open_competitors
from segapp.lab.compare.runs import ScoredOn
from segapp.lab.compare.scoring import score_all, write_all_examples
from segapp.lab.study.differences import find_differing_settings
from segapp.lab.study.effects import Question
from segapp.lab.study.examples import make_slug
from segapp.lab.study.page import Report, write_report
from segapp.report.results import Result, assign_groups
from segapp.system.regular_files import refuse_linked_folder, refuse_links_out

DEFAULT_OUTPUT = "comparison"


def compare(
    runs: list[str],
    output: str = DEFAULT_OUTPUT,
    data: str = "",
    encoding: list[str] = [],  # noqa: B006 - only read; a list is what the command line gives and shows
    only_common: bool = False,
    score_on: ScoredOn = "test",
    score: str = "dice",
    pictures: int = 3,
    neighbours: int = 0,
    overwrite: bool = False,
    allow: list[str] = [],  # noqa: B006
) -> int:
    """Compare finished runs, and predictions of any tool: segapp compare RUN RUN NAME=FOLDER [...].

    Every other one is compared with the first, image by image: settings that differ, learning curves, differences
    of every score with 95 % intervals, and the images on which it wins and loses most. Each run needs an evaluation
    (`segapp test --ckpt_path RUN/checkpoints/best.ckpt`) on the same images; the newest one of best.ckpt is used. The
    masks of a folder are scored as `segapp test` scores, on the images of the first run or of --data, whose names they
    have. The images must still exist.

    Args:
        runs: Folders of runs, runs/<name>/<time>; and folders of masks that any tool predicted, as
            nnunet=predictions/nnunet.
        output: Folder for report.html and its tables.
        data: Data section with the images and true masks for folders of predictions; default: those of the first run.
            Without test images, all of its images are compared.
        encoding: What the values in folders of predictions mean, if not class indices: background=0,cell=255, or a
            data section (for colours); after NAME: for one folder only.
        only_common: Compare the images that all have, where some lack images.
        score_on: Which evaluations are compared, and which images.
        score: Score per image by which wins and losses are chosen: a column of per_image.csv without a class.
        pictures: Number of wins, and of losses, that are shown of each.
        neighbours: Number of images, consecutive by name, that form one group, such as slices of one tissue; 1 for
            images that are all independent; 0: the groups of the data set.
        overwrite: Write into a folder that is not empty.
        allow: Class or package outside segapp that the runs may use, for user-defined networks and data sets.
    """
    folder = Path(output)
    _require_free(folder, overwrite)
    request = Request(runs, folder, data, encoding, only_common, score_on, allow)
    opened = open_competitors(request)
    images, results = score_all(opened, request)
    _require_score(results, score)
    pairs = rank_images(results, images, score, pictures) if pictures else []
    wanted = list(dict.fromkeys(image for _, chosen in pairs for image in chosen))
    if wanted:
        write_all_examples(opened, results, wanted, allow)
    rule = {"neighbours": neighbours} if neighbours else {}
    options: dict[str, Any] = {"output": output, "data": data, "only_common": str(only_common).lower()}
    options |= {"score_on": score_on, "score": score, "pictures": pictures, "neighbours": neighbours}
    command = _format_command(opened, options, {"encoding": encoding, "allow": allow})
    page = write_report(_report(command, results, opened, pairs, rule), folder)
    print(f"{len(results)} compared on {len(images)} images; tables beside the page: {page}")
    if len(set(assign_groups(images, results[0].facts["groups"], rule))) == 1:
        print("all images are one group, so there are no intervals; --neighbours 1 takes them for independent.")
    return 0


def _require_free(folder: Path, overwrite: bool) -> None:
    if folder == Path(DEFAULT_OUTPUT):  # what the user names may be a link
        refuse_linked_folder(folder, Path())
    for inside in ("examples", "figures", "scores"):
        refuse_links_out(folder / inside)
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise MisuseError(f"{folder} is not empty; name another --output, or add --overwrite true.")


def _require_score(results: Sequence[Result], score: str) -> None:
    known = [next(iter(result.images.values())) for result in results]
    common = [name for name in known[0] if all(name in scores for scores in known)]
    if score not in common:
        raise MisuseError(f"there is no score {score!r} per image; choose from {', '.join(common)}.")


def _format_command(opened: Opened, options: dict[str, Any], lists: dict[str, list[str]]) -> str:
    """Return the command that draws the page again."""
    words = [one.word for one in opened.competitors]
    words += [f"--{name}={value}" for name, value in options.items() if value != ""]
    words += [word for name, values in lists.items() for word in (f"--{name}={one}" for one in values)]
    return shlex.join(["segapp", "compare", *words, "--overwrite=true"])


def _report(
    command: str,
    results: Sequence[Result],
    opened: Opened,
    pairs: Sequence[tuple[str, list[str]]],
    rule: dict[str, Any],
) -> Report:
    first = results[0].variant
    about = (
        "The same images, scored one by one for each. Differences are to the first; with one training of each they "
        "speak of these very networks on other images, not of what another seed would give."
    )
    if opened.masks:
        about += f" Predictions of {', '.join(opened.masks)} were scored as segapp test scores its own."
    return Report(
        title=f"Comparison with {first}",
        about=about,
        budget="",
        command=command,
        results=results,
        questions=[Question(f"{result.variant} − {first}", (result.variant,), (first,)) for result in results[1:]],
        groups=rule,
        differences=find_differing_settings(dict(opened.configs)),
        pairs=[(heading, [make_slug(image) for image in chosen]) for heading, chosen in pairs],
    )
