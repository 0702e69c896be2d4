"""`segapp landscape`: compute and draw the loss around a trained network's weights."""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from segapp.errors import MisuseError
from segapp.io import require_writable, write_atomically
from segapp.lab.landscape.figures import draw_all
from segapp.lab.landscape.hessian import Eigenvalues
from segapp.lab.landscape.numbers import NUMBERS, SETTINGS, read_landscape, read_numbers
from segapp.lab.landscape.opening import LandscapeRequest, OpenedLandscape, open_landscape
from segapp.lab.landscape.options import check_options
from segapp.lab.landscape.points import compute_losses
from segapp.lab.landscape.sharpness import measure_sharpness
from segapp.lab.landscape.surface_points import LINE, SurfacePoints
from segapp.lab.landscape.trajectory import make_axis
from segapp.system.regular_files import refuse_linked_folder, refuse_links_out
from segapp.system.text_files import read_json
from segapp.terminal.progress import Progress

SAVE_EVERY = 20.0
"""Seconds between two saves of an unfinished landscape."""


def landscape(
    ckpt_path: str = "",
    output: str | None = None,
    data: str | None = None,
    split: Literal["train", "val", "test"] = "train",
    samples: int = 32,
    points: int = 21,
    radius: float = 1.0,
    seeds: int = 5,
    recalibrate: bool = False,
    trajectory: list[str] = [],  # noqa: B006 - only read; a list is what the command line gives and shows
    eigenvalues: int = 0,
    devices: int | None = None,
    allow: list[str] = [],  # noqa: B006 - as above
    redraw: list[str] = [],  # noqa: B006 - as above
) -> int:
    """Plot the loss surface around a trained network's weights, and measure how sharp its minimum is.

    After Li et al. 2018: the loss on lines and on a plane through the weights, along random directions whose filters
    are as long as the network's own. Written: landscape.npz and landscape.json, contours.png, surface.png and
    lines.png. To resume an interrupted landscape, run the same command again. docs/landscape.md explains the figures
    and their limits.

    Args:
        ckpt_path: Checkpoint of `segapp fit`.
        output: Folder to write to; default: landscape/ in the checkpoint's run.
        data: A data fragment, such as configs/data/mine.yaml; default: the data of the training.
        split: The split whose images are used.
        samples: Number of samples, cropped as in training but not augmented, the same at every point.
        points: Points on each axis of the plane; 0 computes the lines only.
        radius: Distance from the centre to the edge of the plane; 1 is a step as long as the weights themselves.
        seeds: Number of random directions, from which sharpness and its spread are measured; the first two span the
            plane.
        recalibrate: Compute batch-norm statistics again at every point, instead of keeping those of the training.
        trajectory: Checkpoints of this training, in order; repeat the option. The plane is then spanned by their
            principal components, and the path is plotted.
        eigenvalues: Number of the largest eigenvalues of the loss's Hessian to compute too.
        devices: Number of processes that share the points, each on one GPU or a part of the CPU's cores; default: one
            per GPU.
        allow: Class or package outside segapp that the checkpoint may use, for user-defined networks.
        redraw: Compute nothing, plot the landscape of this folder again. Repeat the option for several landscapes on
            one scale, written to --output. FOLDER, or NAME=FOLDER to set the title of the panel.
    """
    if redraw:
        return _draw_again(redraw, output)
    request = LandscapeRequest(ckpt_path, data, split, samples, seeds, recalibrate, tuple(trajectory), tuple(allow))
    _check_request(request, points, radius, eigenvalues, devices)
    folder = _choose_folder(Path(ckpt_path), output)
    print(f"reading {ckpt_path}, its data and {samples} samples", flush=True)
    opened = open_landscape(request)
    plan = _place_points(opened, seeds, points, radius)
    settings = _collect_settings(request, opened, points, radius)
    losses, done = _read_unfinished(folder, settings, len(plan.list_steps()))
    known = read_json(folder / SETTINGS).get("eigenvalues")
    try:
        _compute_missing(request, opened, plan, folder, losses, done, devices)
        measured = [asdict(measure_sharpness(line)) for line in plan.split_losses(losses)[0]]
        result = settings | {"sharpness": measured, "statistics": opened.surface.statistics}
        _write_json(folder / SETTINGS, result | ({"eigenvalues": known} if known else {}))
        if eigenvalues and (known is None or len(known["largest"]) != eigenvalues):
            _write_json(folder / SETTINGS, result | {"eigenvalues": asdict(_compute_eigenvalues(opened, eigenvalues))})
    except KeyboardInterrupt:
        tqdm.write("interrupted; run the same command again to resume.", file=sys.stderr)
        return 130
    _print_summary(folder, measured, draw_all([read_landscape(folder)], folder))
    return 0


def _check_request(
    request: LandscapeRequest, points: int, radius: float, eigenvalues: int, devices: int | None
) -> None:
    if not request.checkpoint:
        raise MisuseError(
            "--ckpt_path is missing: name a checkpoint of `segapp fit`, such as runs/unet/<time>/checkpoints/best.ckpt."
        )
    check_options(points, radius, request.seeds, request.samples, eigenvalues)
    if request.trajectory and radius != 1.0:
        raise MisuseError("--radius cannot be used with --trajectory: the checkpoints determine the size of the plane.")
    if devices is not None and devices < 1:
        raise MisuseError(f"--devices must be 1 or more, got {devices}.")


def _choose_folder(checkpoint: Path, output: str | None) -> Path:
    if output is not None:
        return Path(output)
    inside = checkpoint.resolve().parent
    if inside.name != "checkpoints":
        refuse_linked_folder(Path("landscape"), Path())
        return Path("landscape")
    refuse_links_out(inside.parent)
    return inside.parent / "landscape"


def _place_points(opened: OpenedLandscape, seeds: int, points: int, radius: float) -> SurfacePoints:
    if opened.path is None:
        positions = np.linspace(-radius, radius, points)
        return SurfacePoints(seeds, (0, 1), positions, positions)
    return SurfacePoints(
        seeds, (seeds, seeds + 1), make_axis(opened.path[:, 0], points), make_axis(opened.path[:, 1], points)
    )


def _collect_settings(request: LandscapeRequest, opened: OpenedLandscape, points: int, radius: float) -> dict[str, Any]:
    """Collect the settings that the numbers belong to; two landscapes of the same settings are the same."""
    files = [request.checkpoint, *request.trajectory]
    plain = asdict(request) | {"points": points, "radius": radius, "loss": opened.loss, "images": opened.images}
    plain |= {"checkpoint": str(request.checkpoint), "size": opened.size, "explained": opened.explained}
    plain["sha256"] = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]
    plain["cut"] = opened.sampling
    return json.loads(json.dumps(plain))  # tuples become lists, as they are read


def _read_unfinished(folder: Path, settings: dict[str, Any], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the losses (P,) of an earlier start with the same settings.

    Also returns which of them are known; none without such a start.
    """
    require_writable(folder, "name another --output")
    record = folder / SETTINGS
    if not record.is_file():
        if any(folder.iterdir()):
            raise MisuseError(f"{folder} is not empty and holds no landscape; name another folder with --output.")
        _write_json(record, settings)
        return np.zeros(count), np.zeros(count, bool)
    before = read_json(record)
    different = [key for key in settings if before.get(key) != settings[key]]
    if different:
        key = {"sha256": "weights", "cut": "settings of its data"}.get(different[-1], different[0])
        raise MisuseError(f"{folder}: holds a landscape with other {key}; name another folder with --output.")
    if not (folder / NUMBERS).is_file():
        return np.zeros(count), np.zeros(count, bool)
    numbers = read_numbers(folder / NUMBERS)
    losses, done = numbers.get("losses", np.empty(0)), numbers.get("done", np.empty(0))
    if losses.shape != (count,) or done.shape != (count,) or losses.dtype != float or done.dtype != bool:
        raise MisuseError(f"{folder / NUMBERS}: damaged; remove {folder}, or name another folder with --output.")
    return losses, done


def _compute_missing(
    request: LandscapeRequest,
    opened: OpenedLandscape,
    plan: SurfacePoints,
    folder: Path,
    losses: np.ndarray,
    done: np.ndarray,
    devices: int | None,
) -> None:
    """Compute the losses that are missing, and save those that are known, whatever happens."""
    todo = [(index, step) for index, step in enumerate(plan.list_steps()) if not done[index]]
    saved = time.monotonic()
    try:
        with (
            Progress(len(done), "point", "landscape", int(done.sum())) as bar,
            closing(compute_losses(request, opened, todo, devices)) as points,  # ends its processes
        ):
            for index, loss in points:
                losses[index], done[index] = loss, True
                bar.update()
                if time.monotonic() - saved > SAVE_EVERY:
                    _save_numbers(folder, opened, plan, losses, done)
                    saved = time.monotonic()
    finally:
        _save_numbers(folder, opened, plan, losses, done)


def _compute_eigenvalues(opened: OpenedLandscape, count: int) -> Eigenvalues:
    with Progress(None, "product", "eigenvalues") as bar:
        return opened.surface.compute_eigenvalues(count, bar.update)


def _save_numbers(
    folder: Path, opened: OpenedLandscape, plan: SurfacePoints, losses: np.ndarray, done: np.ndarray
) -> None:
    lines, grid = plan.split_losses(np.where(done, losses, np.nan))
    path = opened.path if opened.path is not None else np.zeros((0, 2))
    with write_atomically(folder / NUMBERS) as temporary, temporary.open("wb") as file:
        axes = {"t": LINE, "first": plan.first, "second": plan.second, "path": path}
        np.savez(file, allow_pickle=False, losses=losses, done=done, lines=lines, plane=grid, **axes)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _draw_again(folders: Sequence[str], output: str | None) -> int:
    into = Path(output) if output else _parse_named_folder(folders[0])[1]
    if output is None and len(folders) > 1:
        raise MisuseError("several landscapes need a folder for their figures: name one with --output.")
    found = [read_landscape(folder, name) for name, folder in map(_parse_named_folder, folders)]
    require_writable(into, "name another --output")
    print("\n".join(f"look at: {image}" for image in draw_all(found, into)))
    return 0


def _parse_named_folder(word: str) -> tuple[str | None, Path]:
    """Parse FOLDER or NAME=FOLDER; both may contain a =, so the longest folder that exists counts."""
    if Path(word).is_dir():
        return None, Path(word)
    cuts = [at for at, letter in enumerate(word) if letter == "="]
    cut = next((at for at in cuts if Path(word[at + 1 :]).is_dir()), cuts[0] if cuts else -1)
    return word[: max(cut, 0)] or None, Path(word[cut + 1 :])


def _print_summary(folder: Path, measured: Sequence[dict[str, float]], images: Sequence[Path]) -> None:
    for name, meaning in (("curvature", "mean second difference"), ("rise", "largest rise within radius 0.5")):
        values = np.array([line[name] for line in measured])
        print(f"{meaning}: {values.mean():.4g} (over {len(values)} directions {values.min():.4g} … {values.max():.4g})")
    print(f"written: {folder / NUMBERS}, {folder / SETTINGS}")
    print("\n".join(f"look at: {image}" for image in images))
