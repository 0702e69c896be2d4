"""`segapp predict`: a trained network applied to a folder of images."""

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from segapp.errors import FatalError, MisuseError, SegappError
from segapp.inference.engine import Engine, Picture
from segapp.inference.open import Networks, make_engine, open_networks
from segapp.inference.options import Augmentation, apply_options, format_summary
from segapp.inference.prefetch import prefetch
from segapp.io import Image, require_writable
from segapp.prediction.intensity import convert, parse_intensity, require_trained_kind
from segapp.prediction.jobs import TIFF, Job, Kind, describe_unread, plan
from segapp.prediction.manifest import Manifest, Row, compute_fingerprint, find_existing, make_row, refuse_foreign
from segapp.prediction.processes import run_in_processes, share
from segapp.prediction.tables import done_rows, format_least_certain, list_tables, write_classes, write_tables
from segapp.prediction.writers import Outputs, Unopened
from segapp.spec import Average, Precision, Spec
from segapp.system.limits import count_usable_cores
from segapp.terminal.text import for_terminal

AHEAD_PIXELS = 2**24
"""Images up to 4096 x 4096 are read while others are computed; larger ones when it is their turn."""


@dataclass(frozen=True)
class Pace:
    """How much happens at once beside the network."""

    threads: int
    """Readers of images, and as many writers of results."""
    depth: int
    """Images that wait for the network, and results that wait for the disk."""
    readers: int
    """Batches of windows that are read at once."""


ON_CPU = Pace(threads=2, depth=3, readers=1)
"""The network needs the cores."""


OTHER_DEPTH = (
    "say what becomes 0 and 1 with --intensity percentile,1,99 (of each image) or --intensity range,{low},{high} (the "
    "same values for all)"
)


def predict(
    ckpt_path: list[str] | str,
    images: str,
    output: str,
    save: list[Kind] = ["mask"],  # noqa: B006 - only read; a list is what the command line gives and shows
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
    """Write what a trained network sees in every image of a folder.

    No config is needed, the checkpoint knows its classes and how to read images. Images may have any size;
    sub-folders are kept. Masks have the image's height and width and hold class indices: as PNG with the classes'
    colours, for TIFF images as TIFF with their georeference. A broken image is reported and skipped, and the exit
    code is 1. The areas of the classes in every image are in per_image.csv.

    Every kind has a sub-folder of the output folder, output/mask for masks, beside classes.json, which says what their
    values are. An interrupted run goes on when the same command is given again: manifest.csv says what is done.

    Args:
        ckpt_path: Checkpoint of `segapp fit`, or bundle of `segapp export`; repeated, their predictions are averaged.
        images: Folder of images (with sub-folders), or one image file: PNG, JPEG, BMP, GIF, TIFF.
        output: Folder to write to; made if missing.
        save: What to write; repeat it for several. mask: class indices. overlay: PNG of the image under its
            classes' colours. probability: .npy, (classes, height, width), after softmax. contours: GeoJSON polygons
            of every region. coco: one coco.json of every region in every image. uncertainty: grey picture of the
            entropy over the classes, 0 certain, 255 undecided among all.
        overwrite: Replace files that other models, other settings or other programs wrote; otherwise nothing is done
            when there is one.
        flag_uncertain: List so many images in which the network is least sure: look at those first.
        probability_dtype: How probabilities are stored: float16, or uint8 for 0 … 255.
        device: Where to compute; auto takes the GPU if there is one.
        devices: Processes that share the images, one GPU or one part of the CPU's cores each. Processes that something
            else starts with RANK and WORLD_SIZE set share them too.
        precision: Arithmetic; default: as trained where the device computes it natively, else 32-true.
        window: Side of the square windows that large images are cut into; default: as in validation.
        overlap: Share of a window that its neighbour also sees, in [0, 1); default: as in validation.
        batch_size: Windows computed at once; default: 1 on a CPU, 16 on a GPU.
        augment: See every window also flipped (horizontal: left to right, vertical: top to bottom) or turned by
            90 degrees (rotations), in all combinations, and average; repeat it for several. none: as it is.
            Default: as saved.
        scales: See every window at these sizes, 1 being its own, and average; repeat it. Default: as saved.
        average: What is averaged. Default: as saved, at first probabilities.
        min_object: PIXELS or CLASS=PIXELS: smaller objects of the class go to what surrounds them; repeat it.
            Default: as saved; 0 keeps all.
        min_hole: PIXELS or CLASS=PIXELS: smaller holes in the class are filled; repeat it. Default: as saved.
        intensity: What becomes 0 and 1, for images of another depth than the network was trained on:
            percentile,1,99 (of each image), range,0,65535 (the same values for all), zscore, or stored (8-bit images
            unchanged). Default: as trained.
        allow: Class or package outside segapp that the checkpoint may use, for networks of your own.
    """
    settings = dict(locals())
    if devices < 1 or flag_uncertain < 0:
        raise MisuseError(f"devices is 1 or more and flag_uncertain 0 or more, got {devices} and {flag_uncertain}.")
    if devices > 1:
        if share() != (0, 1):
            raise MisuseError(
                "RANK and WORLD_SIZE are set, so these processes share the images already; leave --devices out."
            )
        code = run_in_processes(predict, {**settings, "devices": 1, "flag_uncertain": 0}, devices)
        if flag_uncertain and code in (0, 1):
            jobs = plan(Path(images), Path(output), save, Manifest(Path(output)).stems)
            tqdm.write(format_least_certain(done_rows(Path(output), jobs), flag_uncertain))
        return code
    rank, world_size = share()
    every = plan(Path(images), Path(output), save, Manifest(Path(output)).stems)
    if rank == 0 and (unread := describe_unread(Path(images), Path(output))) is not None:
        tqdm.write(for_terminal(unread), file=sys.stderr)
    networks = _open_networks(ckpt_path, allow, device, precision, batch_size)
    spec = apply_options(networks.spec, augment, scales, average, min_object, min_hole)
    if intensity is not None:
        spec = replace(spec, intensity=parse_intensity(intensity))
    pace = choose_pace(networks.where.startswith("cuda"), count_usable_cores())
    engine = make_engine(networks, spec, window, overlap, batch_size, pace.readers)
    options: dict[str, str] = {"probability_dtype": probability_dtype} if "probability" in save else {}
    model = compute_fingerprint(_check_paths(ckpt_path), engine.spec, save, options)
    tables = list_tables(Path(output), save)
    # before the manifest is read, or another process's newest file would seem foreign
    there = find_existing([*tables, *(path for job in every for path in job.outputs.values())])
    manifest = Manifest(Path(output), rank, world_size)
    rows = [(job, make_row(job, Path(output), model)) for job in every]
    todo = [(job, row) for job, row in rows if not manifest.is_done(row, job)]
    if not overwrite:
        refuse_foreign(todo, manifest, there, tables, model)
    mine = {job.name for job in every[rank::world_size]}
    todo = [(job, row) for job, row in todo if job.name in mine]
    if world_size > 1:
        tqdm.write(f"process {rank} of {world_size} (RANK, WORLD_SIZE): {len(mine)} of {len(every)} images")
    if len(todo) < len(mine):
        tqdm.write(f"{len(mine) - len(todo)} of {len(mine)} images are done already; {output} is up to date with them.")
    require_writable(Path(output), "name another --output")
    manifest.begin()
    write_classes(Path(output), spec)
    if rank == 0:
        tqdm.write(_beginning(networks, engine.spec))
        if longer := [job for job in every if job.stem != str(PurePosixPath(job.name).with_suffix(""))]:
            tqdm.write(_longer_names(longer))
    names = {job.name for job in every}
    manifest.give_up([row for row in manifest.find_foreign_rows(model) if row.image not in names])
    done, started = 0, time.monotonic()
    try:
        with tqdm(total=len(todo), unit="image", disable=None, position=rank) as bar:
            dtype = np.dtype(networks.spec.intensity.dtype)
            results = _process_images(engine, pace, dtype, todo, manifest, probability_dtype)
            for (job, _), problem in zip(todo, results, strict=True):
                bar.update()
                if problem is None:
                    done += 1
                else:
                    older = ", ".join(str(path) for path in job.outputs.values() if path in there)
                    sentence = f"skipped: {problem}{older and f' An older {older} stays.'}"
                    tqdm.write(for_terminal(sentence), file=sys.stderr)
    except KeyboardInterrupt:
        tqdm.write(
            f"interrupted after {done} of {len(todo)} images; every file written is whole; the same command goes on.",
            file=sys.stderr,
        )
        return 130
    write_tables(Path(output), every, engine.spec, model)
    if todo:
        tqdm.write(_format_summary(done, len(todo), output, time.monotonic() - started, engine.spec, every[0]))
    if flag_uncertain:
        tqdm.write(format_least_certain(done_rows(Path(output), every), flag_uncertain))
    return 0 if done == len(todo) else 1


def _check_paths(ckpt_path: list[str] | str) -> list[str]:
    return [ckpt_path] if isinstance(ckpt_path, str) else ckpt_path


def _open_networks(
    ckpt_path: list[str] | str,
    allow: Sequence[str],
    device: str,
    precision: Precision | None,
    batch_size: int | None,
) -> Networks:
    """Open the checkpoints or bundles; what can be refused without them is refused first."""
    if batch_size is not None and batch_size < 1:
        raise MisuseError(f"batch_size counts windows, at least 1, got {batch_size}.")
    return open_networks(_check_paths(ckpt_path), allow, device, precision)


def choose_pace(on_gpu: bool, cores: int) -> Pace:
    """Return how much is read and written at once: on a CPU little, for a GPU as much as its batches need.

    A GPU takes a batch of 16 windows in some 10 ms, in which one core decodes or encodes two or three PNGs.
    """
    if not on_gpu:
        return ON_CPU
    threads = max(2, min(8, cores // 2))
    return Pace(threads, depth=2 * threads, readers=max(1, threads // 2))


def _beginning(networks: Networks, spec: Spec) -> str:
    height, width = spec.window
    better = format_summary(spec, len(networks.members))
    changed = spec.intensity != networks.spec.intensity
    return for_terminal(
        f"{networks.where}, {spec.precision}, windows of {height} x {width}"
        f"{f'; intensity {spec.intensity.kind}' if changed else ''}{f'; {better}' if better else ''}"
    )


def _longer_names(jobs: Sequence[Job]) -> str:
    example = next(iter(jobs[0].outputs.values()))
    return for_terminal(
        f"note: {len(jobs)} images share their name without suffix with others, or with one that was here before; "
        f"their files keep the suffix: {jobs[0].name} becomes {example.name}."
    )


class _Stored:
    """An image file as the engine reads it: its pixels in memory, or window by window from the file.

    `whole` images are read when the first window is asked for, others never.
    """

    def __init__(self, image: Image, name: str, whole: bool, dtype: np.dtype) -> None:
        self.image, self.name, self.whole, self.dtype = image, name, whole, dtype
        self._pixels: np.ndarray | None = None
        self._problem: SegappError | None = None
        self._reading = threading.Lock()  # several threads may ask for windows

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.image.shape

    @property
    def meta(self) -> dict[str, Any]:
        return self.image.meta

    def read(self) -> None:
        """Read the pixels into memory; what is wrong with them is found once and raised every time."""
        with self._reading:
            if self._problem is not None:
                raise self._problem
            if self._pixels is None:
                try:
                    self._pixels = convert(self.image.read(), self.dtype)
                except SegappError as problem:
                    self._problem = problem
                    raise

    def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        if not self.whole:
            return convert(self.image.window(y, x, h, w), self.dtype)
        self.read()
        assert self._pixels is not None
        return self._pixels[y : y + h, x : x + w]


def _process_images(
    engine: Engine, pace: Pace, seen: np.dtype, todo: Sequence[tuple[Job, Row]], manifest: Manifest, dtype: str
) -> Iterator[SegappError | None]:
    """Process the images and yield each one's error or None, in order.

    Reading, computing and writing overlap, a few images apart.
    """
    # Closed here and not when somebody collects garbage: that may be a thread that is being started, and would wait
    # for itself. (An interrupt keeps frames alive through the future that brought it.)
    with (
        closing(_computed(engine, pace, seen, todo, manifest, dtype)) as finished,
        closing(prefetch(lambda work: work[0](), finished, pace.threads, pace.depth)) as results,
    ):
        for (job, row), (_, written) in zip(todo, results, strict=True):
            try:
                manifest.add(written.result())
            except FatalError:
                raise
            except SegappError as problem:
                manifest.add(replace(row, status="failed", problem=_without_places(str(problem), job)))
                yield problem
            else:
                yield None


def _computed(
    engine: Engine, pace: Pace, seen: np.dtype, todo: Sequence[tuple[Job, Row]], manifest: Manifest, dtype: str
) -> Generator[tuple[Callable[[], Row], Row], None, None]:
    """Yield, per image, the work left when the network is done with it.

    Write its files, or report why there are none.
    """
    with (
        closing(_opened(engine.spec, pace, seen, [job for job, _ in todo])) as opened,
        closing(engine.stream(opened)) as images,
    ):
        for (job, row), (image, blocks) in zip(todo, images, strict=True):
            manifest.add(row)
            try:
                meta = image.meta if isinstance(image, _Stored) else {}
                with Outputs(job, image, meta, engine.spec, dtype) as outputs:
                    for block in blocks:
                        probabilities = engine.probabilities(block) if outputs.needs_probabilities else None
                        confidence = engine.sum_confidence(block)
                        outputs.add(block.y, block.x, engine.indices(block), confidence, probabilities)
            except FatalError:
                raise
            except SegappError as problem:
                yield partial(_fail, problem), row
            else:
                yield partial(_write, outputs, row), row


def _opened(spec: Spec, pace: Pace, dtype: np.dtype, jobs: Iterable[Job]) -> Generator[Picture, None, None]:
    """Open every image, the next few while one is computed; a broken one becomes an image that raises its error."""
    for job, opening in prefetch(partial(_open, spec=spec, dtype=dtype), jobs, pace.threads, pace.depth):
        try:
            yield opening.result()
        except SegappError as error:
            yield Unopened(str(job.image), error)


def _open(job: Job, spec: Spec, dtype: np.dtype) -> Picture:
    """Open the image in memory, or, if it is large, its header: it is read when it is its turn, a TIFF in windows."""
    image = Image(job.image, spec.channels, spec.intensity)
    require_trained_kind(image, spec.channels, OTHER_DEPTH)
    height, width, _ = image.shape
    large = height * width > AHEAD_PIXELS
    stored = _Stored(image, str(job.image), not (large and job.image.suffix.lower() in TIFF), dtype)
    if not large:
        stored.read()
    return stored


def _without_places(problem: str, job: Job) -> str:
    """Return what went wrong by the image's name alone: the manifest goes with the files, wherever they go."""
    for path in (job.image, *job.outputs.values()):
        problem = problem.replace(str(path), path.name if path != job.image else job.name)
    return problem


def _fail(problem: SegappError) -> Row:
    raise problem


def _write(outputs: Outputs, row: Row) -> Row:
    outputs.write()
    return outputs.row(row)


def _format_summary(done: int, total: int, output: str, seconds: float, spec: Spec, example: Job) -> str:
    lines = [f"{done} of {total} images in {seconds:.1f} s; written to {output}"]
    if not done:
        return f"none of {total} images could be done."
    if "mask" in example.outputs:
        values = [f"{index} {for_terminal(name)}" for index, name in enumerate(spec.classes[:12])]
        lines.append(f"values of a mask: {', '.join(values)}{', …' if spec.num_classes > 12 else ''}")
    if "overlay" in example.outputs:
        lines.append(f"next: look at {example.outputs['overlay'].parent}")
    else:
        lines.append("next: see them over the images, with --save overlay and another --output")
    return "\n".join(lines)
