"""Read the numbers of a landscape from its files, and check them."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segapp.errors import MisuseError
from segapp.system.regular_files import describe_irregular
from segapp.system.text_files import read_json
from segapp.terminal.text import for_plot

NUMBERS, SETTINGS = "landscape.npz", "landscape.json"

AXES = ("t", "lines", "first", "second", "plane", "path")
"""The arrays of landscape.npz that are drawn."""

MAX_BYTES = 2**28
"""Bytes that landscape.npz may expand to: a plane of 5,000 x 5,000 points."""


class UnfinishedError(MisuseError):
    """A landscape with points that are not computed yet."""


@dataclass(frozen=True)
class Landscape:
    """The numbers of one landscape.

    Attributes:
        name: The title of its panel.
        settings: landscape.json.
        t: Positions on the lines (T,), and their losses `lines` (S, T).
        first: Positions on the plane's axes (A,), and `second` (B,); losses `plane` (B, A). Empty without a plane.
        path: Positions of training's checkpoints in the plane (M, 2), or (0, 2).
    """

    name: str
    settings: dict[str, Any]
    t: np.ndarray
    lines: np.ndarray
    first: np.ndarray
    second: np.ndarray
    plane: np.ndarray
    path: np.ndarray


def read_landscape(folder: Path, name: str | None = None) -> Landscape:
    """Read the landscape in a folder; raise MisuseError for a missing or an unfinished one."""
    try:
        settings, numbers = read_json(folder / SETTINGS), read_numbers(folder / NUMBERS)
        parts = {key: numbers[key].astype(float, casting="same_kind") for key in AXES}
        if not numbers["done"].all() or "sharpness" not in settings:
            raise UnfinishedError(f"{folder}: its landscape is not finished; run the command that started it again.")
        checkpoint = str(settings["checkpoint"])
        _require_shapes(**parts)
        landscape = Landscape(name or _shorten_path(checkpoint), settings, **parts)
        _require_facts(landscape)
    except UnfinishedError:
        raise
    except (MisuseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MisuseError(f"{folder}: holds no landscape of `segapp landscape`, or a damaged one ({error}).") from error
    return landscape


def _require_facts(landscape: Landscape) -> None:
    """Raise ValueError, KeyError or TypeError where a figure would lack a setting of the landscape."""
    write_caption(landscape)
    for line in landscape.settings.get("sharpness", []):
        for value in line.values():
            float(value)
    if landscape.path.size:
        explained = [float(value) for value in landscape.settings["explained"]]
        if len(explained) != 2:
            raise ValueError("its plane is not explained by two numbers")


def read_numbers(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a landscape.npz; raise MisuseError for another file, or one too large for memory."""
    if (kind := describe_irregular(path)) is not None:
        raise MisuseError(f"{path}: {kind}, no numbers of a landscape.")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise MisuseError(f"{path}: would take {size:,} bytes of memory; a landscape has at most {MAX_BYTES:,}.")
        with np.load(path) as numbers:
            return {key: numbers[key] for key in numbers.files}
    except (OSError, ValueError, MemoryError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise MisuseError(f"{path}: holds no numbers of a landscape ({error}).") from error


def _require_shapes(
    t: np.ndarray, lines: np.ndarray, first: np.ndarray, second: np.ndarray, plane: np.ndarray, path: np.ndarray
) -> None:
    """Raise ValueError unless the shapes of the arrays agree."""
    fits = lines.ndim == 2 and lines.shape[1:] == t.shape and path.ndim == 2 and path.shape[1] == 2
    if not fits or plane.shape != (*second.shape, *first.shape):
        raise ValueError("its arrays do not fit together")


def _shorten_path(checkpoint: str) -> str:
    """Shorten `runs/deep/20260101-120000/checkpoints/best.ckpt` to `deep/20260101-120000`."""
    parts = Path(checkpoint).parts
    return "/".join(parts[-4:-2]) if parts[-2:-1] == ("checkpoints",) and len(parts) > 2 else Path(checkpoint).stem


def write_caption(landscape: Landscape) -> str:
    """Write the caption of a figure: loss, samples and batch-norm statistics."""
    settings = landscape.settings
    height, width = settings["size"]
    statistics = {"frozen": "frozen", "recalibrated": "counted anew at every point", "none": "none in the network"}
    loss = for_plot(settings["loss"].rpartition(".")[2])
    return (
        f"{loss} over {settings['samples']} samples of {height} × {width} ({for_plot(settings['split'])}, not "
        f"augmented); batch-norm statistics: {statistics[settings['statistics']]}"
    )
