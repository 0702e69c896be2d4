"""Reads, computes and writes the images of a folder, several at the same time."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np

from segapp.errors import FatalError, SegappError
from segapp.inference.engine import Band, Engine
from segapp.inference.prefetch import prefetch
from segapp.inference.readable_image import ReadableImage
from segapp.io import FilePart, list_slices
from segapp.prediction.manifest import Manifest, Row
from segapp.prediction.outputs import ImageOutputs
from segapp.prediction.stack_outputs import StackOutputs
from segapp.prediction.stored_image import StoredImage, UnreadableImage, open_stored
from segapp.prediction.tasks import ImageTask
from segapp.prediction.writers.writer import OutputBlock
from segapp.spec import SliceAxis

Computed = tuple[ReadableImage, Iterable[Band]]
"""An image and the blocks of its prediction."""

Outputs = ImageOutputs | StackOutputs


@dataclass(frozen=True)
class Pace:
    """The number of images read and written at the same time.

    Attributes:
        threads: Threads that read images, and as many that write results.
        depth: Images that wait for the network, and results that wait for the disk.
        readers: Batches of windows that are read at once.
    """

    threads: int
    depth: int
    readers: int


ON_CPU = Pace(threads=2, depth=3, readers=1)
"""The pace on a CPU, whose cores the network needs."""


def choose_pace(on_gpu: bool, cores: int) -> Pace:
    """Return how much is read and written at once: on a CPU little, for a GPU as much as its batches need.

    A GPU takes a batch of 16 windows in some 10 ms, in which one core decodes or encodes two or three PNGs.
    """
    if not on_gpu:
        return ON_CPU
    threads = max(2, min(8, cores // 2))
    return Pace(threads, depth=2 * threads, readers=max(1, threads // 2))


@dataclass(frozen=True)
class Pipeline:
    """Predicts the images of a folder and writes their outputs.

    Attributes:
        engine: Computes the predictions.
        pace: How many images are read and written at the same time.
        dtype: Of the pixels that the network takes.
        options: Settings of the command that the writers use, by name.
    """

    engine: Engine
    pace: Pace
    dtype: np.dtype
    options: Mapping[str, str]

    def run(self, todo: Sequence[tuple[ImageTask, Row]], manifest: Manifest) -> Iterator[SegappError | None]:
        """Yield for each image, in order, the error that it failed with, or None when all its files are written.

        Every image is entered in the manifest before its first file and after its last one.
        """
        # Closed here and not by the garbage collector: that may run in a thread that is being started, and would wait
        # for itself. (An interrupt keeps frames alive through the future that brought it.)
        with (
            closing(self._compute(todo, manifest)) as finished,
            closing(prefetch(lambda work: work[0](), finished, self.pace.threads, self.pace.depth)) as results,
        ):
            for (task, row), (_, written) in zip(todo, results, strict=True):
                try:
                    manifest.add(written.result())
                except FatalError:
                    raise
                except SegappError as problem:
                    manifest.add(replace(row, status="failed", problem=_remove_folders(str(problem), task)))
                    yield problem
                else:
                    yield None

    def _compute(
        self, todo: Sequence[tuple[ImageTask, Row]], manifest: Manifest
    ) -> Generator[tuple[Callable[[], Row], Row], None, None]:
        """Yield for each image the work after the network: write its files, or raise its error."""
        listed = _Files(self.engine.spec.slice_axis)
        with (
            closing(self._open(listed.list_all(task for task, _ in todo))) as opened,
            closing(self.engine.stream(opened)) as images,
        ):
            for task, row in todo:
                first = next(images)  # by then its files are listed
                files = listed.files.pop(task.name)
                own = chain([first], islice(images, len(files) - 1))
                manifest.add(row)
                try:
                    outputs = self._collect_all(task, files, own)
                except FatalError:
                    raise
                except SegappError as problem:
                    listed.failed.add(task.name)
                    deque(own, maxlen=0)  # the other slices, unread
                    yield partial(_fail, problem), row
                else:
                    yield partial(_write, outputs, row), row

    def _collect_all(self, task: ImageTask, files: Sequence[FilePart], images: Iterable[Computed]) -> Outputs:
        """Return the outputs of a file, all blocks of its images added."""
        if not files[0].part:
            ((image, blocks),) = images
            return self._collect(task, image, blocks)
        stack = StackOutputs(task, self.engine.spec)
        for file, (image, blocks) in zip(files, images, strict=True):
            height, width = image.shape[:2]
            stack.begin(file.part, (height, width), _get_meta(image))
            for block in blocks:
                found = OutputBlock(block.y, block.x, self.engine.compute_indices(block))
                stack.add(file.part, found, self.engine.sum_confidence(block))
        return stack

    def _collect(self, task: ImageTask, image: ReadableImage, blocks: Iterable[Band]) -> ImageOutputs:
        """Return the outputs of an image, all its blocks added."""
        meta = _get_meta(image)
        engine = self.engine
        with ImageOutputs(task, image, meta, engine.spec, self.options) as outputs:
            for block in blocks:
                probabilities = engine.compute_probabilities(block) if outputs.needs_probabilities else None
                confidence = engine.sum_confidence(block)
                outputs.add(OutputBlock(block.y, block.x, engine.compute_indices(block), probabilities), confidence)
        return outputs

    def _open(self, files: Iterable[FilePart]) -> Generator[ReadableImage, None, None]:
        """Yield every image; the next few are prefetched."""
        opener = partial(open_stored, spec=self.engine.spec, dtype=self.dtype)
        for file, opening in prefetch(opener, files, self.pace.threads, self.pace.depth):
            try:
                yield opening.result()
            except SegappError as error:
                yield UnreadableImage(str(file), error)


class _Files:
    """The images of every file, listed when it is its turn.

    Attributes:
        axis: How volumes are cut into slices.
        files: The images by the task's name.
        failed: Names of tasks one of whose images failed; the others need not be read.
    """

    def __init__(self, axis: SliceAxis) -> None:
        self.axis = axis
        self.files: dict[str, tuple[FilePart, ...]] = {}
        self.failed: set[str] = set()

    def list_all(self, tasks: Iterable[ImageTask]) -> Iterator[FilePart]:
        """Yield the images of all tasks, those of a failed one as a name that cannot be read."""
        for task in tasks:
            try:
                files = list_slices(task.file, self.axis)
            except SegappError:
                files = (task.file,)  # who opens it reports the error
            self.files[task.name] = files
            for file in files:
                yield replace(file, part="failed") if task.name in self.failed else file


def _get_meta(image: ReadableImage) -> dict[str, Any]:
    return image.meta if isinstance(image, StoredImage) else {}


def _remove_folders(problem: str, task: ImageTask) -> str:
    """Return an error message with names instead of paths, because the manifest may be copied elsewhere."""
    for path in (task.image, *task.outputs.values()):
        problem = problem.replace(str(path), path.name if path != task.image else task.name)
    return problem


def _fail(problem: SegappError) -> Row:
    raise problem


def _write(outputs: Outputs, row: Row) -> Row:
    outputs.write()
    return outputs.make_row(row)
