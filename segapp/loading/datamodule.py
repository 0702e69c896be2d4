"""A Source becomes loaders."""

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_only

from segapp.batch import IGNORE_INDEX, Batch
from segapp.checkpoints.building import build_own, build_part
from segapp.checkpoints.roles import SOURCE
from segapp.datasets.source import SPLITS, Item, Source, SplitName
from segapp.errors import MisuseError, SegappError
from segapp.loading.class_counts import Scan
from segapp.loading.loader import EvaluationOrder, Loader, Position, TrainOrder, explain_dead_worker
from segapp.loading.mask_sample import LIMIT, SAMPLE, Look, look_at_masks
from segapp.loading.reader import Reader
from segapp.loading.samples import Cut, EvaluationSet, TrainSet, stack
from segapp.spec import Spec
from segapp.system.limits import divide_cores
from segapp.terminal.text import for_terminal
from segapp.transforms import Augmenter, Transform, use_one_thread

logger = logging.getLogger(__name__)

Size = int | tuple[int, int]

WINDOW = (512, 512)  # for nets trained on whole images of many sizes: large enough for context, small for memory
GPU_WORKERS = 8  # per GPU; more did not deliver more on machines with many cores


class SegmentationDataModule(LightningDataModule):
    """Batches for training, and whole images at their stored size for evaluation.

    Args:
        source: The images, masks and classes.
        batch_size: Training samples per process and step.
        crop: Height and width of random crops; one number for both.
        resize: Height and width that every image is resized to instead. With neither, images are taken whole.
        augment: Presets of `segapp.transforms` and transforms of albumentations, in order.
        oversample: Fraction of the crops, 0 … 1, that are centred on a pixel of a class sampled evenly among all but
            the background; such a crop may reach beyond the image, where nothing is learnt.
        oversample_background: Whether the background is one of the evenly sampled classes too.
        crops_per_image: Crops of each image in an epoch.
        num_workers: Processes that prepare batches; null chooses by the machine.
        cache_gb: Memory for decoded training images, per training process, shared by its workers.
        window: Height and width of evaluation windows; default: those of a training sample.
        overlap: Share of an evaluation window that its neighbour also sees.
        blend: How overlapping windows are weighted.
        seed: Of everything random in training samples.
    """

    # A process without a share of the evaluation images is refused below, with a sentence that says why.
    allow_zero_length_dataloader_with_multiple_devices = True

    def __init__(
        self,
        source: Source,
        batch_size: int = 8,
        crop: Size | None = None,
        resize: Size | None = None,
        augment: Sequence[Transform] = (),
        oversample: float = 0.0,
        oversample_background: bool = False,
        crops_per_image: int = 1,
        num_workers: int | None = None,
        cache_gb: float = 0.0,
        window: Size | None = None,
        overlap: float = 0.25,
        blend: Literal["gaussian", "cosine", "none"] = "gaussian",
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.source, self.batch_size, self.augment = source, batch_size, tuple(augment)
        self.cut = Cut(_to_pair(crop), _to_pair(resize), crops_per_image, oversample, seed)
        self._unsampled = None if oversample_background else source.background
        self.num_workers, self.cache_gb = num_workers, cache_gb
        self.window = _to_pair(window) or self.cut.crop or self.cut.resize or WINDOW
        self.overlap, self.blend = overlap, blend
        self._loaders: list[Loader] = []  # made so far
        self._check()

    @classmethod
    def load_from_checkpoint(cls, *_: Any, **__: Any) -> NoReturn:
        """Raise MisuseError: Lightning would import whatever a checkpoint's `datamodule_hyper_parameters` name."""
        raise MisuseError(
            f"{cls.__name__} is made by its arguments, as {cls.__name__}(source); restore_splits(names) gives it the "
            "split of a checkpoint."
        )

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.source.classes)

    @property
    def channels(self) -> int:
        """Image channels."""
        return self.source.channels

    @property
    def spec(self) -> Spec:
        """What a network trained on these data needs to know about images."""
        source = self.source
        return Spec(
            classes=source.classes,
            background=source.background,
            palette=source.palette,
            channels=source.channels,
            intensity=source.intensity,
            resize=self.cut.resize,
            window=self.window,
            overlap=self.overlap,
            blend=self.blend,
        )

    def count_classes(self) -> np.ndarray:
        """Count (K,) int64: pixels of each class over the training masks; reads every mask, once."""
        return self._scan.counts

    def get_known_counts(self) -> np.ndarray | None:
        """Return `class_counts` if they have been computed already, else None; reads nothing."""
        return self._scan.counts if self._was_scanned else None

    def split_names(self) -> dict[str, list[str]]:
        """Return the names of the items of each split."""
        return {split: [item.name for item in self._items[split]] for split in SPLITS}

    def restore_splits(self, names: Mapping[str, Sequence[str]]) -> None:
        """Take the items that `split_names` once gave; MisuseError for missing ones, new ones are left out."""
        known = set(self.source.item_names())
        wanted = {split: list(names.get(split, ())) for split in SPLITS}
        every = list(dict.fromkeys(name for split in SPLITS for name in wanted[split]))
        missing = [name for name in every if name not in known]
        if missing:
            raise MisuseError(
                f"{len(missing)} of the {len(every)} images of the checkpoint's split are not there: "
                f"{_format_some(missing)}. Bring them back under the same names; if these are other images, "
                "divide them by their own `split` with --new_split (segapp fit, validate and test)."
            )
        new = sorted(known - set(every))
        if new:
            _say(f"{len(new)} images are new since the checkpoint and are left out: {_format_some(new)}.")
        self._drop_cached()
        items = {item.name: item for item in self.source.select(every)}
        self._items = {split: [items[name] for name in wanted[split]] for split in SPLITS}

    def fixed_batches(self, split: SplitName, count: int) -> list[Batch]:
        """`count` samples, cut as in training but not augmented, spread over the split: the same in every call.

        Raises MisuseError when the split has no images.
        """
        items = self._require_items(split)
        samples = TrainSet(Reader(items), replace(self.cut, oversample=0.0), Augmenter((), self.channels))
        few = count < len(items)
        keys = [(0, n * len(items) // count) if few else divmod(n, len(samples)) for n in range(count)]
        parts = (keys[start : start + self.batch_size] for start in range(0, count, self.batch_size))
        return [stack([samples[key] for key in part]) for part in parts]

    def setup(self, stage: str) -> None:
        """Look at masks before the first step, so that a bad one does not end a run after hours.

        Raises SegappError for one that cannot be used, and where all that would be scored is to be ignored. Classes
        that no validation or test image holds are logged.
        """
        if stage == "fit":
            _ = self._train_set
            if not self._was_scanned:
                look_at_masks(self._reader, self.num_classes, limit=SAMPLE)
            self._report_absent("val", must_score=True)
            self._report_absent("test", must_score=False)
        elif stage in ("validate", "test"):
            self._require_scorable("val" if stage == "validate" else "test", SAMPLE)

    def train_dataloader(self) -> Loader:
        """Return batches of one size; the order, crops and augmentation are a function of (seed, epoch, index)."""
        order = TrainOrder(len(self._train_set), self.batch_size, self.cut.seed, *self._share)
        return self._loader(self._train_set, order, self._get_position)

    def val_dataloader(self) -> Loader:
        """Return the complete images of this process's part, one per batch, on the CPU."""
        return self._make_evaluation_loader("val")

    def test_dataloader(self) -> Loader:
        """Return what `val_dataloader` returns, of the test images.

        Raise MisuseError when the data set has no test split.
        """
        return self._make_evaluation_loader("test")

    def predict_dataloader(self) -> Loader:
        """Return the test images, for `Trainer.predict`."""
        return self.test_dataloader()

    def __str__(self) -> str:
        counts = ", ".join(f"{len(names)} {split}" for split, names in self.split_names().items())
        return f"{type(self).__name__}: {counts} images of {self.channels} channels, {', '.join(self.source.classes)}"

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Leave complete images on the CPU: inference reads windows of them."""
        if self.trainer is not None and not self.trainer.training:
            return batch
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved

    def on_exception(self, exception: BaseException) -> None:
        """End every worker: Lightning ends those of the loop it is in, and a validation is in none of training's."""
        for loader in self._loaders:
            loader.close()

    def explain_dead_worker(self, error: Exception) -> SegappError | None:
        """Explain PyTorch's error about a loader's worker, which it raises anywhere; return None for another error."""
        return explain_dead_worker(error, [loader.reader for loader in self._loaders])

    @cached_property
    def _items(self) -> dict[SplitName, list[Item]]:
        return {split: list(self.source.items(split)) for split in SPLITS}

    @cached_property
    def _reader(self) -> Reader:
        reader = Reader(self._items["train"], round(self.cache_gb * 1e9))
        if 0 < reader.cached < len(reader) or (self.cache_gb and not reader.cached):
            _say(
                f"cache_gb={self.cache_gb:g} holds {reader.cached} of {len(reader)} training images; "
                f"all need {reader.bytes_needed / 1e9:.2f}."
            )
        return reader

    @cached_property
    def _scan(self) -> Scan:
        return Scan(self._reader, self.num_classes, self._unsampled)

    @cached_property
    def _train_set(self) -> TrainSet:
        augmenter = Augmenter(self.augment, self.channels, self.num_classes)
        fixed = self.cut.crop or self.cut.resize
        with self._reader.naming(0):
            size, dtype = fixed or self._reader.size(0), self._reader.items[0].image.dtype
        augmenter.try_once(size, dtype, size_matters=fixed is not None)
        if not self.cut.oversample:
            return TrainSet(self._reader, self.cut, augmenter)
        if not self._scan.has_samples:
            raise MisuseError(
                f"oversample={self.cut.oversample:g}: the training masks hold no class to centre crops on, only the "
                f"background ({self.source.background}). Look at the masks and at the data's `classes` and `mask`, or "
                "set oversample to 0."
            )
        return TrainSet(self._reader, self.cut, augmenter, self._scan)

    @property
    def _was_scanned(self) -> bool:
        return "_scan" in self.__dict__

    def _report_absent(self, split: SplitName, must_score: bool) -> None:
        """Log which classes no image of a split shows."""
        look = self._require_scorable(split) if must_score else self._look(split)
        if look is None or look.classes.all():
            return
        names = [f"{self.source.classes[k]} ({k})" for k in np.flatnonzero(~look.classes)]
        whose = f"no {split} image shows" if look.complete else f"none of {look.masks} {split} images looked at shows"
        _say(
            f"{whose} {_format_some(names, 10)}: there is no score for it. Other images, another `seed`, or "
            "segapp.datasets.Fraction with `stratify: true` may change that."
        )

    def _require_scorable(self, split: SplitName, limit: int = LIMIT) -> Look | None:
        """Look at the masks of a split; MisuseError where they are all to be ignored."""
        look = self._look(split, limit)
        if look is not None and look.complete and not look.classes.any():
            raise MisuseError(
                f"all pixels of the {look.masks} {split} masks are {IGNORE_INDEX} (ignore), so nothing can be scored: "
                "look at the masks and at how `mask` reads them, or give `split` other images."
            )
        return look

    def _look(self, split: SplitName, limit: int = LIMIT) -> Look | None:
        items = self._items[split]
        return look_at_masks(Reader(items), self.num_classes, limit) if items else None

    @property
    def _share(self) -> tuple[int, int]:
        """Rank and number of the processes that train."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _get_position(self) -> Position:
        """Return Lightning's position, also after resuming in the middle of an epoch."""
        trainer: Any = self.trainer
        if trainer is None or trainer.overfit_batches:  # overfitting wants the same batches in every epoch
            return 0, 0
        loop = trainer.fit_loop
        return loop.epoch_progress.current.processed, loop.epoch_loop.batch_progress.current.ready

    def _make_evaluation_loader(self, split: SplitName) -> Loader:
        items, (rank, world) = self._require_items(split), self._share
        if len(items) < world:
            raise MisuseError(f"{len(items)} {split} images cannot be shared by {world} processes; use fewer.")
        return self._loader(EvaluationSet(Reader(items)), EvaluationOrder(len(items), rank, world))

    def _require_items(self, split: SplitName) -> list[Item]:
        """Raise MisuseError for a split without items."""
        if not self._items[split]:
            raise MisuseError(
                f"the data set has no {split} images: give its `split` some "
                f"(for segapp.datasets.Fraction, {split}: 0.2), or evaluate on another split."
            )
        return self._items[split]

    def _loader(self, samples: TrainSet | EvaluationSet, order: Any, position: Any = lambda: (0, 0)) -> Loader:
        on_gpu = self.trainer.strategy.root_device.type == "cuda" if self.trainer else torch.cuda.is_available()
        workers = choose_workers(on_gpu, self._share[1]) if self.num_workers is None else self.num_workers
        loader = Loader(samples, order, position, min(workers, len(order)), on_gpu, _start_worker)
        self._loaders.append(loader)
        return loader

    def _drop_cached(self) -> None:
        for name in ("_reader", "_scan", "_train_set"):
            self.__dict__.pop(name, None)

    def _check(self) -> None:
        if self.batch_size < 1:
            raise MisuseError(f"batch_size is 1 or more, got {self.batch_size}.")
        if self.cut.crop and self.cut.resize:
            raise MisuseError(
                f"crop={self.cut.crop} and resize={self.cut.resize} exclude each other; set one of them to null."
            )
        for name, size in (("crop", self.cut.crop), ("resize", self.cut.resize), ("window", self.window)):
            if size is not None and min(size) < 1:
                raise MisuseError(f"{name} needs a height and width of 1 or more, got {size}.")
        if self.cut.per_image < 1:
            raise MisuseError(f"crops_per_image is 1 or more, got {self.cut.per_image}.")
        if not 0 <= self.cut.oversample <= 1:
            raise MisuseError(f"oversample is a fraction, 0 … 1, got {self.cut.oversample}.")
        if self.cut.oversample and not self.cut.crop:
            raise MisuseError("oversample centres crops on rare classes: set crop, or oversample to 0.")
        if self.cut.seed < 0:
            raise MisuseError(f"seed is 0 or more, got {self.cut.seed}.")
        if self.cache_gb < 0 or (self.num_workers or 0) < 0:
            raise MisuseError(f"cache_gb and num_workers are 0 or more, got {self.cache_gb} and {self.num_workers}.")


def build_source(where: str | Path, data: Mapping[str, Any], allowed: Sequence[str] | None = None) -> Source:
    """Return the data set that a config's data section describes; `where` is for the errors.

    `allowed` are the classes or packages outside segapp's own that it may use: default all that it names, for a config
    of the user's own. What came with a file must not choose which code runs, nor where is written: give what the user
    named. Its root must be there, and is told where it lies outside the current folder.
    """
    source = data.get("source") or {}
    if allowed is None:
        return build_own(where, Source, SOURCE.name, source)  # type: ignore[type-abstract]
    made = build_part(where, Source, SOURCE, source, allowed)  # type: ignore[type-abstract]
    check_root(where, source.get("init_args", {}).get("root"), "work where it was trained")
    return made


def check_root(where: str | Path, root: Any, remedy: str) -> None:
    """Raise MisuseError unless the root that a file names is a folder with something in it; say one that is elsewhere.

    Nothing is written there, as generated data would be: that is for the user to ask for.
    """
    if not isinstance(root, str):
        return
    folder = Path(root).expanduser()
    if not folder.is_dir() or not any(folder.iterdir()):
        relative = (
            "" if folder.is_absolute() else f", a path relative to the folder that segapp works in ({Path.cwd()})"
        )
        raise MisuseError(f"{where}: there are no data in its root {root}{relative}: {remedy}.")
    if not folder.resolve().is_relative_to(Path.cwd().resolve()):
        _say(f"data: {folder.resolve()}, outside the current folder, as {where} names it.")


def choose_workers(on_gpu: bool, processes: int) -> int:
    """Loader processes for one training process on this machine.

    A GPU leaves the cores to the loader, but one. On a CPU training itself uses every core, and a crop costs a
    hundredth of its share of a step: with few cores, workers only get in the way.
    """
    share = divide_cores(processes)
    return min(GPU_WORKERS, share - 1) if on_gpu else min(2, share // 4)


def _start_worker(number: int) -> None:
    use_one_thread()
    # Ctrl-C in a terminal and `timeout` send their signals to the whole group: only the training process decides.
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    _silence_when_orphaned()


def _silence_when_orphaned() -> None:
    """Silence a worker whose training process was killed: what it still does can only fail."""
    parent, tell = os.getppid(), sys.excepthook

    def tell_while_parent_lives(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        time.sleep(0.2)  # its sockets close a moment before it is gone
        if os.getppid() == parent:
            tell(kind, error, trace)

    sys.excepthook = tell_while_parent_lives


def _to_pair(size: Size | None) -> tuple[int, int] | None:
    if size is None:
        return None
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


@rank_zero_only
def _say(sentence: str) -> None:
    logger.warning("%s", for_terminal(sentence))


def _format_some(names: Sequence[str], shown: int = 3) -> str:
    return ", ".join(names[:shown]) + (f" … and {len(names) - shown} more" if len(names) > shown else "")
