"""`segapp depth`: measure vanishing and exploding gradients in networks of growing depth."""

import csv
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from segapp.errors import MisuseError, SegappError
from segapp.io import require_writable, write_atomically
from segapp.lab.depth.figures import COLUMNS, read_profiles
from segapp.lab.depth.measure import DepthVariant, Scale, measure_gradients
from segapp.lab.depth.page import FIGURE_FILES, PAGE, draw_all
from segapp.report.results import name_damaged
from segapp.system.regular_files import refuse_linked_folder
from segapp.system.text_files import read_text
from segapp.system.yaml_files import read_yaml
from segapp.terminal.progress import Progress

TABLE = "profiles.csv"


def depth(config: str = "", output: str = "runs/depth", redraw: bool = False) -> int:
    """Measure how gradients vanish or explode with depth, and draw it.

    For every initialisation, activation, depth, short skip and norm of the study, and then for U-Nets with every long
    skip: the RMS gradient with respect to each block's output, beside what theory expects. Written to
    output/profiles.csv (one row per network and block) and output/slopes.csv; output/report.html and its figures are
    drawn from these. An interrupted study continues where it stopped. docs/skip-connections.md explains what is seen.

    Args:
        config: The study, such as configs/studies/vanishing_gradient.yaml.
        output: Folder to write to; created if missing.
        redraw: Measure nothing, only plot again the numbers in the output folder.
    """
    folder = Path(output)
    if output == "runs/depth":  # the default: nobody named this folder
        refuse_linked_folder(folder, Path("runs"))
    if not redraw:
        study = read_grid(config)
        require_writable(folder, "name another --output")
        claim_folder(folder, study)
        try:
            measure_missing(study, folder / TABLE)
        except KeyboardInterrupt:
            tqdm.write("interrupted; run the same command again to resume.", file=sys.stderr)
            return 130
    elif {row["net"] for row in read_profiles(folder / TABLE)} != {"chain", "unet"}:
        raise MisuseError(f"{folder}: its study is not finished; run the command that started it again.")
    with name_damaged(folder / TABLE):
        draw_all(folder / TABLE, folder, shlex.join(["segapp", "depth", "--output", output, "--redraw"]))
    print(f"written: {folder / TABLE}, {folder / 'slopes.csv'}")
    print("\n".join(f"look at: {folder / name}" for name in (PAGE, *FIGURE_FILES)))
    return 0


@dataclass(frozen=True)
class DepthGrid:
    """The grid of a study; every field is a key of its YAML."""

    inits: list[str]
    activations: list[str]
    depths: list[int]
    shorts: list[str]
    norms: list[str]
    seeds: int = 3
    longs: list[str] = field(default_factory=lambda: ["none", "add", "concat"])
    unet_levels: int = 5
    scale: Scale = field(default_factory=Scale)

    def list_variants(self) -> Iterator[DepthVariant]:
        """List the variants to measure: chains first, then U-Nets (with ReLU)."""
        seeds = range(self.seeds)
        for seed, init, act, deep, short, norm in product(
            seeds, self.inits, self.activations, self.depths, self.shorts, self.norms
        ):
            yield DepthVariant("chain", init, act, deep, short, "none", norm, seed)  # type: ignore[arg-type]
        for seed, init, short, long, norm in product(seeds, self.inits, self.shorts, self.longs, self.norms):
            yield DepthVariant("unet", init, "relu", self.unet_levels, short, long, norm, seed)  # type: ignore[arg-type]


CHOICES = {
    "inits": ("default", "he", "xavier"),
    "activations": ("relu", "tanh"),
    "shorts": ("add", "concat", "none"),
    "longs": ("add", "concat", "none"),
    "norms": ("batch", "none"),
}


def read_grid(config: str) -> DepthGrid:
    """Read the study of a YAML file; raise MisuseError for another kind of file."""
    path = Path(config)
    if not path.is_file():
        raise MisuseError(
            f"segapp depth needs a study, got {config or 'none'}: "
            "segapp depth --config configs/studies/vanishing_gradient.yaml"
        )
    found = read_yaml(path)
    try:
        scale = Scale(**found.pop("scale", {}))
        study = DepthGrid(**found, scale=scale)
    except (ValueError, TypeError, AttributeError) as error:
        known, message = ", ".join(part.name for part in fields(DepthGrid)), " ".join(str(error).split())
        raise MisuseError(f"{path}: is no study of depth ({message}); its keys are {known}.") from error
    for key in (*CHOICES, "depths"):
        if not isinstance(getattr(study, key), list) or not getattr(study, key):
            raise MisuseError(f"{path}: {key} must be a list, got {getattr(study, key)!r}.")
    for key, choices in CHOICES.items():
        wrong = [value for value in getattr(study, key) if value not in choices]
        if wrong:
            raise MisuseError(f"{path}: {key} takes {', '.join(choices)}, got {wrong[0]!r}.")
    if not all(type(deep) is int and deep >= 2 for deep in study.depths):
        raise MisuseError(f"{path}: depths must be numbers of blocks, 2 or more, got {study.depths}.")
    if type(study.seeds) is not int or study.seeds < 1:
        raise MisuseError(f"{path}: seeds must be the number of seeds, 1 or more, got {study.seeds!r}.")
    if type(study.unet_levels) is not int or study.unet_levels < 2:
        raise MisuseError(f"{path}: unet_levels must be a number of levels, 2 or more, got {study.unet_levels!r}.")
    for key, value in asdict(study.scale).items():
        if type(value) is not int or value < 1:
            raise MisuseError(f"{path}: scale.{key} must be a whole number, 1 or more, got {value!r}.")
    return study


def claim_folder(folder: Path, study: DepthGrid) -> None:
    """Record the study in its folder; raise MisuseError where the folder has the numbers of another one."""
    record = folder / "study.yaml"
    text = yaml.safe_dump(asdict(study), sort_keys=False)
    if record.is_file() and read_text(record) != text:
        raise MisuseError(f"{folder}: holds the results of another study; name a new folder with --output.")
    with write_atomically(record) as temporary:
        temporary.write_text(text, encoding="utf-8")


def measure_missing(study: DepthGrid, table: Path) -> None:
    """Measure the networks that are not in the table yet."""
    rows = _drop_last_network(table)
    done = {_get_key(row) for row in rows}
    _write_rows(table, rows)
    variants = list(study.list_variants())
    todo = [variant for variant in variants if _get_key(asdict(variant)) not in done]
    bar = Progress(len(variants), "network", "depth", len(variants) - len(todo))
    with bar, table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        for variant in todo:
            writer.writerows(_convert_to_plain(row) for row in measure_gradients(variant, study.scale))
            file.flush()
            bar.update()


def _drop_last_network(table: Path) -> list[dict[str, Any]]:
    """Drop the rows of the last network, whose writing may have been interrupted."""
    if not table.is_file():
        return []
    try:
        rows = read_profiles(table)
    except SegappError:
        return []
    return [row for row in rows if _get_key(row) != _get_key(rows[-1])]


def _get_key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[part.name]) for part in fields(DepthVariant))


def _convert_to_plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: f"{value:.8g}" if isinstance(value, float) else value for name, value in row.items()}


def _write_rows(table: Path, rows: list[dict[str, Any]]) -> None:
    with write_atomically(table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
