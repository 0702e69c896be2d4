"""`segapp plan`: a complete configuration for a folder of images and masks."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from segapp.errors import MisuseError
from segapp.io import require_writable
from segapp.lab.tune.saved_plan import SavedPlan, read_saved_plan, write_saved_plan
from segapp.planning.alternatives import list_alternatives
from segapp.planning.decisions import build_config, change_decisions
from segapp.planning.machine import describe_machine
from segapp.planning.page import write_page
from segapp.planning.plan import Plan, make_plan
from segapp.planning.run_length import Pace
from segapp.planning.source import describe_source
from segapp.planning.write import write_plan
from segapp.report.tables import write_csv
from segapp.system.regular_files import refuse_linked_folder, refuse_links_out

UNITS = {"s": 1, "m": 60, "h": 3600}


def plan(
    images: str = "",
    masks: str = "",
    data: str = "",
    output: str = "plan.yaml",
    budget: str = "30m",
    classes: str = "",
    tune: int = 0,
    overwrite: bool = False,
) -> int:
    """Look at images and masks, measure a few training steps, and write a complete configuration for `segapp fit`.

    Every decision is in the YAML with its reason and numbers as a comment; beside it, a page of the same name
    shows what was measured. Change whatever you know better. docs/plan.md has the rules.

    Args:
        images: Folder of images, one image, or a pattern with * in quotes.
        masks: Folder of masks, the mask of one image, or a pattern with {name} in quotes.
        data: Data section that describes a data set, such as configs/data/mine.yaml, instead of images and masks.
        output: YAML to write.
        budget: Time that the training may take on this machine, such as 90s, 30m or 2h.
        classes: Names of the classes, separated by commas, in the order of their values or colours in the masks.
        tune: Number of alternatives to compare with the plan by short trainings, which take the budget once more; the
            better configuration is written. The same command resumes an interrupted comparison.
        overwrite: Replace an existing YAML.
    """
    if tune:
        return _tune(tune, Request(images, masks, data, output, budget, classes, overwrite))
    request = Request(images, masks, data, output, budget, classes, overwrite)
    _require_no_page(request)
    made = _make(request)
    write_plan(request.path, made.decisions, _format_heading(made, request))
    print(f"written: {request.path}, {request.page}")
    _print_next(made, request)
    return 0


@dataclass(frozen=True)
class Request:
    """The options of `segapp plan`."""

    images: str
    masks: str
    data: str
    output: str
    budget: str
    classes: str
    overwrite: bool

    @property
    def path(self) -> Path:
        """The YAML to write."""
        return Path(self.output)

    @property
    def page(self) -> Path:
        """The page beside it."""
        return self.path.with_suffix(".html")


def _make(request: Request, paces: Sequence[Pace | None] = ()) -> Plan:
    """Decide everything, and write the page."""
    path, seconds = request.path, read_budget(request.budget)
    _require_free(path, request.overwrite)
    decisions = describe_source(request.images, request.masks, request.data, request.classes)
    made = make_plan(path.stem, decisions, describe_machine(), seconds, paces)
    write_page(request.page, made, path)
    return made


def _tune(count: int, request: Request) -> int:
    """Compare alternatives with the plan, and write the better one."""
    folder = Path("runs") / f"{request.path.stem}_tune"
    refuse_linked_folder(folder, Path("runs"))
    inputs = {key: value for key, value in asdict(request).items() if key != "overwrite"} | {"tune": count}
    seconds = read_budget(request.budget)
    _require_free(request.path, request.overwrite)
    refuse_links_out(folder)
    saved = read_saved_plan(folder, inputs)
    if saved is None:
        _require_no_page(request)
    made = _make(request, saved.paces if saved else ())
    config = build_config(made.decisions)
    alternatives = list_alternatives(config)
    if not 1 <= count <= len(alternatives):
        names = "; ".join(alternative.name for alternative in alternatives)
        raise MisuseError(f"--tune {count}: this plan has {len(alternatives)} alternatives: {names}.")
    write_saved_plan(folder, SavedPlan(inputs, made.paces))
    from segapp.lab.study.processes import Processes  # not on Windows, where plans are made all the same
    from segapp.lab.tune.halving import compare_alternatives, describe_outcome

    try:
        outcome = compare_alternatives(folder, config, alternatives[:count], seconds, Processes(), print)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to resume.")
        return 130
    write_csv(folder / "tune.csv", outcome.rows)
    summary = describe_outcome(outcome)
    settings = next((one.settings for one in alternatives if one.name == outcome.winner), {})
    decisions = change_decisions(made.decisions, settings, f"Chosen by --tune: {outcome.winner}.")
    write_plan(request.path, decisions, f"{_format_heading(made, request)}\n\n{summary}")
    print(f"{summary}\nwritten: {request.path}, {request.page}; every run: {folder / 'tune.csv'}")
    _print_next(made, request)
    return 0


def _print_next(made: Plan, request: Request) -> None:
    if made.advice:
        print(f"advice: {made.advice}")
    print(f"next: segapp fit --config {request.path}")


def read_budget(text: str) -> float:
    """Return seconds; MisuseError for what is no time.

    >>> read_budget("1.5h")
    5400.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", text.strip())
    if match is None or not float(match[1]):
        raise MisuseError(f"--budget must be a time such as 90s, 30m or 2h, got {text!r}.")
    return float(match[1]) * UNITS[match[2]]


def _require_free(path: Path, overwrite: bool) -> None:
    if path.suffix not in (".yaml", ".yml"):
        raise MisuseError(f"--output must be the name of a YAML file, such as mine.yaml, got {str(path)!r}.")
    if path.exists() and not overwrite:
        raise MisuseError(f"{path}: exists already; name another --output, or replace it with --overwrite true.")
    require_writable(path.parent, "name another --output")


def _require_no_page(request: Request) -> None:
    if request.page.exists() and not request.overwrite:
        raise MisuseError(
            f"{request.page}: exists already, and the page of this plan has this name; name another --output, or "
            "replace it with --overwrite true."
        )


def _format_heading(made: Plan, request: Request) -> str:
    return (
        f"segapp fit --config {request.path}\n\nWritten by segapp plan for {made.machine.name} and a budget of "
        f"{request.budget}, from {made.fingerprint.total} images for training and validation."
    )
