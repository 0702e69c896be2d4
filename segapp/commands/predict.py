"""`segapp predict`: applies a trained network to a folder of images."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from segapp.errors import MisuseError, SegappError
from segapp.inference.open import Networks, make_engine, open_networks
from segapp.inference.options import Augmentation, apply_options, format_summary
from segapp.io import list_slices, require_writable
from segapp.prediction.intensity import parse_intensity
from segapp.prediction.manifest import Manifest
from segapp.prediction.pipeline import Pipeline, choose_pace
from segapp.prediction.processes import read_rank, run_in_processes
from segapp.prediction.selection import Selection, compute_fingerprint, select_images
from segapp.prediction.tables import format_least_certain, list_done_rows, list_tables, write_classes, write_tables
from segapp.prediction.tasks import ImageTask, describe_unread, list_tasks
from segapp.prediction.writers.registry import describe_writers, find_writers
from segapp.spec import Average, Precision, Spec
from segapp.system.limits import count_usable_cores
from segapp.terminal.text import for_terminal


def predict(
    ckpt_path: list[str] | str,
    images: str,
    output: str,
    save: list[str] = ["mask"],  # noqa: B006 - only read; a list is what the command line gives and shows
    overwrite: bool = False,
    flag_uncertain: int = 0,
    probability_dtype: Literal["float16", "uint8"] = "float16",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    devices: int = 1,
    precision: Precision | None = None,
    window: int | None = None,
    overlap: float | None = None,
    batch_size: int | None = None,
    augment: list[Augmentation] = [],  # noqa: B006 - as above
    scales: list[float] = [],  # noqa: B006
    average: Average | None = None,
    min_object: list[str] = [],  # noqa: B006
    min_hole: list[str] = [],  # noqa: B006
    intensity: str | None = None,
    allow: list[str] = [],  # noqa: B006
) -> int:
    """Write the predictions of a trained network for every image of a folder.

    No config is needed: the checkpoint contains its classes and how images are read. Images may have any size;
    sub-folders are kept. Masks have the image's height and width and hold class indices: as PNG with the classes'
    colours, for TIFF images as TIFF with their georeference, for a volume as one volume of the same geometry. A broken
    image is reported and skipped, and the exit code is 1. The areas of the classes in every image are in per_image.csv.

    Each kind of output has a sub-folder of the output folder, such as output/mask. classes.json beside them lists the
    classes. The same command resumes an interrupted prediction: manifest.csv lists the images that are done.

    Args:
        ckpt_path: Checkpoint of `segapp fit`, or bundle of `segapp export`; repeated, their predictions are averaged.
        images: Folder of images (with sub-folders), or one image file: PNG, JPEG, TIFF, BMP, GIF, WebP,
            AVIF, JPEG 2000, PNM, TGA, NIfTI, NRRD, MetaImage, DICOM, NumPy, slides as SVS. Channels in files of their
            own are found by the names with which the network was trained.
        output: Folder to write to; created if missing.
        save: What to write; repeat the option for several. {outputs}
        overwrite: Replace files of other models, other settings or other programs; without this option they are
            refused before any work.
        flag_uncertain: Number of images to list in which the network is least certain: look at those first.
        probability_dtype: How probabilities are stored: float16, or uint8 for 0 … 255.
        device: Where to compute; auto takes the GPU if there is one.
        devices: Number of processes that share the images, each on one GPU or a part of the CPU's cores. Leave it out
            for processes that a launcher starts with RANK and WORLD_SIZE: these share the images too.
        precision: Arithmetic; default: as trained where the device computes it natively, else 32-true.
        window: Side of the square windows into which large images are divided; default: as in validation.
        overlap: Fraction of a window that its neighbour also sees, in [0, 1); default: as in validation.
        batch_size: Windows computed at once; default: 1 on a CPU, 16 on a GPU.
        augment: Predict every window also flipped (horizontal: left to right, vertical: top to bottom) or turned by
            90 degrees (rotations), in all combinations, and average; repeat the option for several. none: only the
            window itself. Default: as saved.
        scales: Predict every window at these sizes, 1 being its own, and average; repeat the option for several.
            Default: as saved.
        average: What is averaged. Default: as saved, else probabilities.
        min_object: PIXELS or CLASS=PIXELS: smaller objects become the class around them; repeat the option for
            several classes. Default: as saved; 0 keeps all.
        min_hole: PIXELS or CLASS=PIXELS: smaller holes in the class are filled; repeat the option for several
            classes. Default: as saved; 0 keeps all.
        intensity: The values that become 0 and 1, for images of another depth than the network was trained on:
            percentile,1,99 (of each image), range,0,65535 (the same values for all), zscore, or stored (8-bit images
            unchanged). Default: as trained.
        allow: Class or package outside segapp that the checkpoint may use, for networks of your own.
    """
    settings = dict(locals())
    _require_counts(devices, flag_uncertain)
    if devices > 1:
        return _predict_in_processes(settings)
    rank, world_size = read_rank()
    folder = Path(output)
    every = _list_tasks(images, folder, save)
    if rank == 0 and (unread := describe_unread(Path(images), folder)) is not None:
        tqdm.write(for_terminal(unread), file=sys.stderr)
    networks = _open_networks(ckpt_path, allow, device, precision, batch_size)
    if networks.spec.channel_files:
        every = _list_tasks(images, folder, save, networks.spec.channel_files)
    spec = apply_options(networks.spec, augment, scales, average, min_object, min_hole)
    if intensity is not None:
        spec = replace(spec, intensity=parse_intensity(intensity))
    pace = choose_pace(networks.where.startswith("cuda"), count_usable_cores())
    engine = make_engine(networks, spec, window, overlap, batch_size, pace.readers)
    options = {name: settings[name] for kind in find_writers(save) for name in kind.options}
    model = compute_fingerprint(_check_paths(ckpt_path), engine.spec, save, options)
    selection = select_images(every, folder, list_tables(folder, save), model, overwrite, rank, world_size)
    if world_size > 1:
        tqdm.write(f"process {rank} of {world_size} (RANK, WORLD_SIZE): {selection.count} of {len(every)} images")
    _prepare_output(output, selection, spec)
    if rank == 0:
        _report_start(networks, engine.spec, every)
    pipeline = Pipeline(engine, pace, np.dtype(networks.spec.intensity.dtype), options)
    started = time.monotonic()
    done, interrupted = _predict_images(pipeline, selection, rank)
    total = len(selection.todo)
    if interrupted:
        _report_interruption(done, total)
        return 130
    write_tables(folder, every, engine.spec, model)
    if total:
        tqdm.write(_format_summary(done, total, output, time.monotonic() - started, engine.spec, every[0]))
    if flag_uncertain:
        tqdm.write(format_least_certain(list_done_rows(folder, every), flag_uncertain))
    return 0 if done == total else 1


predict.__doc__ = (predict.__doc__ or "").replace("{outputs}", describe_writers())


def _require_counts(devices: int, flag_uncertain: int) -> None:
    if devices < 1 or flag_uncertain < 0:
        raise MisuseError(
            f"devices must be 1 or more and flag_uncertain 0 or more, got {devices} and {flag_uncertain}."
        )


def _predict_in_processes(settings: dict[str, Any]) -> int:
    """Run this command in several processes, and return the exit code; `settings` are its arguments."""
    if read_rank() != (0, 1):
        raise MisuseError(
            "RANK and WORLD_SIZE are set, so these processes share the images already; leave --devices out."
        )
    flag_uncertain = settings["flag_uncertain"]
    code = run_in_processes(predict, {**settings, "devices": 1, "flag_uncertain": 0}, settings["devices"])
    if flag_uncertain and code in (0, 1):
        folder = Path(settings["output"])
        rows = list_done_rows(folder, _list_tasks(settings["images"], folder, settings["save"]))
        tqdm.write(format_least_certain(rows, flag_uncertain))
    return code


def _prepare_output(output: str, selection: Selection, spec: Spec) -> None:
    """Report the images that are done already, and write what lies in the folder before the first image."""
    if found := selection.count - len(selection.todo):
        tqdm.write(f"{found} of {selection.count} images are done already; {output} is up to date with them.")
    require_writable(Path(output), "name another --output")
    selection.begin()
    write_classes(Path(output), spec)


def _predict_images(pipeline: Pipeline, selection: Selection, rank: int) -> tuple[int, bool]:
    """Predict the selected images with a progress bar, reporting those that fail.

    Returns:
        How many were done, and whether the user has interrupted the work.
    """
    done = 0
    try:
        with tqdm(total=len(selection.todo), unit="image", disable=None, position=rank) as bar:
            problems = pipeline.run(selection.todo, selection.manifest)
            for (task, _), problem in zip(selection.todo, problems, strict=True):
                bar.update()
                if problem is None:
                    done += 1
                else:
                    older = ", ".join(str(path) for path in task.outputs.values() if path in selection.existing)
                    message = f"skipped: {problem}{older and f' An older {older} stays.'}"
                    tqdm.write(for_terminal(message), file=sys.stderr)
    except KeyboardInterrupt:
        return done, True
    return done, False


def _list_tasks(images: str, output: Path, save: Sequence[str], channel_files: Sequence[str] = ()) -> list[ImageTask]:
    return list_tasks(Path(images), output, save, Manifest(output).stems, channel_files)


def _check_paths(ckpt_path: list[str] | str) -> list[str]:
    return [ckpt_path] if isinstance(ckpt_path, str) else ckpt_path


def _open_networks(
    ckpt_path: list[str] | str,
    allow: Sequence[str],
    device: str,
    precision: Precision | None,
    batch_size: int | None,
) -> Networks:
    """Open the checkpoints or bundles, after the checks that need none of them."""
    if batch_size is not None and batch_size < 1:
        raise MisuseError(f"batch_size must be 1 or more windows, got {batch_size}.")
    return open_networks(_check_paths(ckpt_path), allow, device, precision)


def _report_start(networks: Networks, spec: Spec, every: Sequence[ImageTask]) -> None:
    tqdm.write(_describe_start(networks, spec))
    if longer := [task for task in every if task.is_renamed]:
        tqdm.write(_describe_longer_names(longer))


def _describe_start(networks: Networks, spec: Spec) -> str:
    height, width = spec.window
    better = format_summary(spec, len(networks.members))
    changed = spec.intensity != networks.spec.intensity
    return for_terminal(
        f"{networks.where}, {spec.precision}, windows of {height} x {width}"
        f"{f'; intensity {spec.intensity.kind}' if changed else ''}{f'; {better}' if better else ''}"
    )


def _describe_longer_names(tasks: Sequence[ImageTask]) -> str:
    example = next(iter(tasks[0].outputs.values()))
    return for_terminal(
        f"note: {len(tasks)} images share their name without suffix with others, or with one that was here before; "
        f"their files keep the suffix: {tasks[0].name} becomes {example.name}."
    )


def _report_interruption(done: int, total: int) -> None:
    tqdm.write(
        f"interrupted after {done} of {total} images; every file written is complete. The same command resumes.",
        file=sys.stderr,
    )


def _format_summary(done: int, total: int, output: str, seconds: float, spec: Spec, example: ImageTask) -> str:
    lines = [f"{done} of {total} images in {seconds:.1f} s; written to {output}"]
    if not done:
        return f"none of {total} images could be done."
    if "mask" in example.outputs:
        values = [f"{index} {for_terminal(name)}" for index, name in enumerate(spec.classes[:12])]
        lines.append(f"values of a mask: {', '.join(values)}{', …' if spec.num_classes > 12 else ''}")
    if "overlay" in example.outputs:
        lines.append(f"next: look at {example.outputs['overlay'].parent}")
    elif not _is_volume(example, spec):
        lines.append("next: see them over the images, with --save overlay and another --output")
    return "\n".join(lines)


def _is_volume(task: ImageTask, spec: Spec) -> bool:
    """Return whether an image is a volume, of which nothing but masks is written."""
    try:
        return any(file.part for file in list_slices(task.file, spec.slice_axis))
    except SegappError:
        return False
