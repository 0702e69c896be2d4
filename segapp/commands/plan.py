"""`segapp plan`: a complete configuration for a folder of images and masks."""

import re
from pathlib import Path

from segapp.errors import MisuseError
from segapp.io import require_writable
from segapp.planning.decisions import Decision
from segapp.planning.machine import look_at_machine
from segapp.planning.page import write_page
from segapp.planning.plan import Plan, make_plan
from segapp.planning.source import describe_folder, describe_section
from segapp.planning.write import write_plan

UNITS = {"s": 1, "m": 60, "h": 3600}


def plan(
    images: str = "",
    masks: str = "",
    data: str = "",
    output: str = "plan.yaml",
    budget: str = "30m",
    classes: str = "",
    overwrite: bool = False,
) -> int:
    """Look at images and masks, measure a few training steps, and write a complete configuration for `segapp fit`.

    Every decision stands in the YAML with its reason and numbers as a comment; beside it, a page of the same name
    shows what was measured. Change whatever you know better. docs/plan.md has the rules.

    Args:
        images: Folder of images, or a pattern with * in quotes.
        masks: Folder of masks, or a pattern with {name} in quotes.
        data: Data section that describes a data set, as configs/data/mine.yaml, instead of images and masks.
        output: YAML to write.
        budget: Time that the training may take on this machine, as 90s, 30m or 2h.
        classes: Names of the classes, separated by commas, in the order of their values or colours in the masks.
        overwrite: Whether to replace an existing YAML.
    """
    path, seconds = Path(output), read_budget(budget)
    _require_free(path, overwrite)
    names = [name.strip() for name in classes.split(",") if name.strip()]
    decisions = _describe_source(images, masks, data, names)
    made = make_plan(path.stem, decisions, look_at_machine(), seconds)
    page = path.with_suffix(".html")
    write_page(page, made, path)
    write_plan(path, made.decisions, _head(made, path, budget))
    print(f"written: {path}, {page}\nnext: segapp fit --config {path}")
    return 0


def read_budget(text: str) -> float:
    """Return seconds; MisuseError for what is no time.

    >>> read_budget("1.5h")
    5400.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    if match is None or not float(match[1]):
        raise MisuseError(f"--budget takes a time such as 90s, 30m or 2h, got {text!r}.")
    return float(match[1]) * UNITS[match[2]]


def _require_free(path: Path, overwrite: bool) -> None:
    if path.suffix not in (".yaml", ".yml"):
        raise MisuseError(f"--output is a YAML to write, such as mine.yaml, got {str(path)!r}.")
    if path.exists() and not overwrite:
        raise MisuseError(f"{path}: is there already; name another --output, or replace it with --overwrite true.")
    require_writable(path.parent, "name another --output")


def _describe_source(images: str, masks: str, data: str, classes: list[str]) -> list[Decision]:
    if data and (images or masks):
        raise MisuseError("--data describes images and masks itself: give either it, or --images and --masks.")
    if data and classes:
        raise MisuseError("--classes names what masks of --masks hold; a data section (--data) has classes of its own.")
    if data:
        return describe_section(Path(data))
    if not images or not masks:
        raise MisuseError("segapp plan needs --images FOLDER and --masks FOLDER, or --data FILE.")
    return describe_folder(images, masks, classes)


def _head(made: Plan, path: Path, budget: str) -> str:
    return (
        f"segapp fit --config {path}\n\nWritten by segapp plan for {made.machine.name} and a budget of {budget}, from "
        f"{made.fingerprint.total} images."
    )
