"""`segapp predict`: a trained network applied to a folder of images."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from segapp.errors import MisuseError, SegappError
from segapp.inference import ArrayImage, Engine, Networks, Picture, open_networks
from segapp.inference.ahead import ahead
from segapp.inference.choices import Augmentation, summary, with_choices
from segapp.inference.cleaning import clean
from segapp.inference.pictures import overlay, probabilities, probability_file
from segapp.inference.plan import TIFF, Job, Kind, plan, refuse_overwriting
from segapp.io import Image, write_image, write_mask
from segapp.spec import Average, Precision, Spec

AHEAD_PIXELS = 2**24
"""Images up to 4096 x 4096 are read while others are computed; larger ones when it is their turn."""

THREADS, DEPTH = 2, 3
"""Readers, and as many writers; images that wait for the network, and results that wait for the disk."""


def predict(
    ckpt_path: list[str] | str,
    images: str,
    output: str,
    save: list[Kind] = ["mask"],  # noqa: B006 - only read; a list is what the command line gives and shows
    overwrite: bool = False,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    precision: Precision | None = None,
    window: int | None = None,
    overlap: float | None = None,
    batch_size: int = 1,
    augment: list[Augmentation] = [],  # noqa: B006 - as above
    scales: list[float] = [],  # noqa: B006
    average: Average | None = None,
    min_object: list[str] = [],  # noqa: B006
    min_hole: list[str] = [],  # noqa: B006
    allow: list[str] = [],  # noqa: B006
) -> int:
    """Write what a trained network sees in every image of a folder.

    No config is needed, the checkpoint knows its classes and how to read images. Images may have any size;
    sub-folders are kept. Masks have the image's height and width and hold class indices: as PNG with the classes'
    colours, for TIFF images as TIFF. A broken image is reported and skipped, and the exit code is 1.

    With one kind to save, its files lie straight in the output folder; with several, in one sub-folder per kind.

    Args:
        ckpt_path: Checkpoint of `segapp fit`, or bundle of `segapp export`; repeated, their predictions are averaged.
        images: Folder of images (with sub-folders), or one image file: PNG, JPEG, BMP, TIFF.
        output: Folder to write to; made if missing.
        save: What to write; repeat it for several. mask: class indices. overlay: PNG of the image under its
            classes' colours. probability: .npy, (classes, height, width) float16, after softmax.
        overwrite: Replace files that exist; otherwise nothing is done when there is one.
        device: Where to compute; auto takes the GPU if there is one.
        precision: Arithmetic; default: as trained where the device computes it natively, else 32-true.
        window: Side of the square windows that large images are cut into; default: as in validation.
        overlap: Share of a window that its neighbour also sees, in [0, 1); default: as in validation.
        batch_size: Windows computed at once.
        augment: See every window also flipped (horizontal: left to right, vertical: top to bottom) or turned by
            90 degrees (rotations), in all combinations, and average; repeat it for several. none: as it is.
            Default: as saved.
        scales: See every window at these sizes, 1 being its own, and average; repeat it. Default: as saved.
        average: What is averaged. Default: as saved, at first probabilities.
        min_object: PIXELS or CLASS=PIXELS: smaller objects of the class go to what surrounds them; repeat it.
            Default: as saved; 0 keeps all.
        min_hole: PIXELS or CLASS=PIXELS: smaller holes in the class are filled; repeat it. Default: as saved.
        allow: Class or package outside segapp that the checkpoint may use, for networks of your own.
    """
    jobs = plan(Path(images), Path(output), save)
    if not overwrite:
        refuse_overwriting(jobs)
    networks = _networks(ckpt_path, allow, device, precision, batch_size)
    spec = with_choices(networks.spec, augment, scales, average, min_object, min_hole)
    engine = _engine(networks, spec, window, overlap, batch_size)
    done, started = 0, time.monotonic()
    try:
        with tqdm(total=len(jobs), unit="image", disable=None) as bar:
            for problem in _work(engine, jobs):
                bar.update()
                if problem is None:
                    done += 1
                else:
                    tqdm.write(f"skipped: {problem}", file=sys.stderr)
    except KeyboardInterrupt:
        tqdm.write(f"interrupted after {done} of {len(jobs)} images; every file written is whole.", file=sys.stderr)
        return 130
    tqdm.write(_summary(done, len(jobs), output, time.monotonic() - started, engine.spec, jobs[0]))
    return 0 if done == len(jobs) else 1


def _networks(
    paths: Sequence[str] | str, allow: Sequence[str], device: str, precision: Precision | None, batch_size: int
) -> Networks:
    """The checkpoints or bundles; what can be refused without them is refused first."""
    if batch_size < 1:
        raise MisuseError(f"batch_size counts windows, at least 1, got {batch_size}.")
    return open_networks([paths] if isinstance(paths, str) else paths, allow, device, precision)


def _engine(networks: Networks, spec: Spec, window: int | None, overlap: float | None, batch_size: int) -> Engine:
    """What predicts, with what the person asked to do differently."""
    spec = replace(
        spec,
        window=(window, window) if window is not None else spec.window,
        overlap=spec.overlap if overlap is None else overlap,
    )
    height, width = spec.window
    better = summary(spec, len(networks.members))
    tqdm.write(f"{networks.where}, {spec.precision}, windows of {height} x {width}{f'; {better}' if better else ''}")
    return Engine(networks.runtime(spec), spec, batch_size)


@dataclass(frozen=True)
class _Stored:
    """An image file as the engine reads it."""

    image: Image
    name: str

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.image.shape

    def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        return self.image.window(y, x, h, w)

    def in_memory(self) -> ArrayImage:
        return ArrayImage(self.image.read(), self.name)


def _work(engine: Engine, jobs: Iterable[Job]) -> Iterator[SegappError | None]:
    """What went wrong with each job, in order; reading, computing and writing overlap, a few images apart."""
    for _, written in ahead(_call, _computed(engine, jobs), THREADS, DEPTH):
        try:
            written.result()
        except SegappError as problem:
            yield problem
        else:
            yield None


def _call(write: Callable[[], None]) -> None:
    write()


def _fail(problem: SegappError) -> None:
    raise problem


def _computed(engine: Engine, jobs: Iterable[Job]) -> Iterator[Callable[[], None]]:
    """Per job what is left to do when the network is done with it: write its files, or report why there are none."""
    for job, opened in ahead(partial(_open, spec=engine.spec), jobs, THREADS, DEPTH):
        try:
            image = opened.result()
            if isinstance(image, _Stored) and job.image.suffix.lower() not in TIFF:
                image = image.in_memory()  # only a TIFF can be read in windows
            indices = _compute(engine, job, image)
        except SegappError as problem:
            yield partial(_fail, problem)
        else:
            yield partial(_write, job, indices, image if "overlay" in job.outputs else None, engine.spec)


def _open(job: Job, spec: Spec) -> Picture:
    """The image in memory, or, if it is large, its header."""
    stored = _Stored(Image(job.image, spec.channels, spec.intensity), str(job.image))
    height, width, _ = stored.shape
    return stored.in_memory() if height * width <= AHEAD_PIXELS else stored


def _compute(engine: Engine, job: Job, image: Picture) -> np.ndarray:
    """(H, W) uint8 class indices; the probabilities go to their file on the way, band by band."""
    if "probability" not in job.outputs:
        return engine.segment(image)
    height, width = image.shape[:2]
    indices = np.empty((height, width), np.uint8)
    with probability_file(job.outputs["probability"], (engine.spec.num_classes, height, width)) as file:
        for band in engine.bands(image):
            rows = engine.indices(band)
            indices[band.y : band.y + len(rows)] = rows
            file.add(band.y, probabilities(engine.runtime.to_numpy(band.logits)))
    return clean(indices, engine.spec)


def _write(job: Job, indices: np.ndarray, image: Picture | None, spec: Spec) -> None:
    if "mask" in job.outputs:
        write_mask(job.outputs["mask"], indices, spec.palette)
    if image is not None:
        write_image(job.outputs["overlay"], overlay(image, indices, spec))


def _summary(done: int, total: int, output: str, seconds: float, spec: Spec, example: Job) -> str:
    lines = [f"{done} of {total} images in {seconds:.1f} s; written to {output}"]
    if "mask" in example.outputs:
        values = [f"{index} {name}" for index, name in enumerate(spec.classes[:12])]
        lines.append(f"values of a mask: {', '.join(values)}{', …' if spec.num_classes > 12 else ''}")
    if "overlay" in example.outputs:
        lines.append(f"next: look at {example.outputs['overlay'].parent}")
    else:
        lines.append("next: see them over the images, with --save overlay and another --output")
    return "\n".join(lines)
