"""The data module: loaders of a Source for training and for evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from lightning.pytorch import LightningDataModule

from segapp.batch import Batch
from segapp.datasets.source import SPLITS, Item, Source, SplitName, find_pixel_size
from segapp.errors import MisuseError, SegappError
from segapp.loading.class_counts import ClassScan
from segapp.loading.data_spec import describe_data
from segapp.loading.loader import EvaluationOrder, Loader, TrainOrder, explain_dead_worker, find_position
from segapp.loading.mask_sample import SAMPLE, check_training, require_scorable
from segapp.loading.reader import Reader, require_images
from segapp.loading.recorded_split import select_recorded
from segapp.loading.samples import EvaluationSet, Sampling, TrainSet
from segapp.loading.settings_checks import Size, check_resize, check_settings, to_pair
from segapp.loading.training_set import (
    list_weighted_sources,
    make_cached_reader,
    make_mixture,
    make_train_set,
    stack_fixed,
)
from segapp.loading.worker_processes import choose_workers, start_worker
from segapp.spec import Spec
from segapp.transforms import Augmenter, Transform

WINDOW = (512, 512)  # for nets trained on complete images of many sizes: large enough for context, small for memory


class SegmentationDataModule(LightningDataModule):
    """Batches for training, and complete images at their stored size for evaluation.

    Args:
        source: The images, masks and classes.
        batch_size: Training samples per process and step.
        crop: Height and width of random crops; one number for both.
        resize: Height and width that every image is resized to instead. With neither, complete images are used.
        augment: Presets of `segapp.transforms` and transforms of albumentations, in order.
        oversample: Fraction of the crops, 0 … 1, that are centred on a pixel of a class sampled evenly among all but
            the background; such a crop may reach beyond the image, where nothing is learnt.
        oversample_background: Whether the background is one of the evenly sampled classes too.
        crops_per_image: Crops of each image in an epoch.
        num_workers: Processes that prepare batches; null chooses by the machine.
        cache_gb: Memory for decoded training images, per training process, shared by its workers.
        window: Height and width of evaluation windows; default: those of a training sample.
        overlap: Fraction of an evaluation window that the next one covers too.
        blend: How overlapping windows are weighted.
        seed: Of everything random in training samples.
    """

    # A process without evaluation images is refused below, with a message that explains it.
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
        self.sampling = Sampling(to_pair(crop), to_pair(resize), crops_per_image, oversample, seed)
        self._unsampled = None if oversample_background else source.background
        self.num_workers, self.cache_gb = num_workers, cache_gb
        self.window = to_pair(window) or self.sampling.crop or self.sampling.resize or WINDOW
        self.overlap, self.blend = overlap, blend
        self.split_is_kept = False
        """Whether a checkpoint that a Trainer loads leaves the split alone."""
        self._loaders: list[Loader] = []  # made so far
        check_settings(batch_size, self.sampling, self.window, num_workers, cache_gb)
        check_resize(self.sampling.resize, source.cuts_images)

    @classmethod
    def load_from_checkpoint(cls, *_: Any, **__: Any) -> NoReturn:
        """Raise MisuseError: Lightning would import whatever a checkpoint's `datamodule_hyper_parameters` name."""
        raise MisuseError(
            f"{cls.__name__} cannot be loaded from a checkpoint; create {cls.__name__}(source). restore_splits(names) "
            "sets the split of a checkpoint."
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
        return describe_data(self.source, self.sampling, self.window, self.overlap, self.blend)

    def count_classes(self) -> np.ndarray:
        """Count (K,) int64: pixels of each class over the training masks; reads every mask, once."""
        return self._scan.counts

    def count_labelled(self) -> np.ndarray:
        """Count (K,) int64: labelled pixels of the training images in which each class was looked for."""
        return self._scan.labelled

    def get_known_counts(self) -> np.ndarray | None:
        """Return `class_counts` if they have been computed already, else None; reads nothing."""
        return self._scan.counts if "_scan" in self.__dict__ else None

    def split_names(self) -> dict[str, list[str]]:
        """Return the names of the items of each split."""
        return {split: [item.name for item in self._items[split]] for split in SPLITS}

    def group_names(self, split: SplitName) -> dict[str, str]:
        """Return the group of every item of a split by the item's name."""
        return {item.name: item.group for item in self._items[split]}

    def restore_splits(self, names: Mapping[str, Sequence[str]]) -> None:
        """Use the split that `split_names` returned earlier; MisuseError for missing images, new ones are left out."""
        items = select_recorded(self.source, names)
        for stale in ("_reader", "_scan", "_train_set"):
            self.__dict__.pop(stale, None)
        self._items = items

    def keep_split(self) -> None:
        """Keep the present split when a Trainer resumes from a checkpoint or scores it, as --new_split does.

        Images that the checkpoint was trained on may then be scored.
        """
        self.split_is_kept = True

    def fixed_batches(self, split: SplitName, count: int) -> list[Batch]:
        """Return `count` samples, cropped as in training but not augmented, spread over the split: always the same.

        Raises MisuseError when the split has no images.
        """
        sampling = replace(self.sampling, oversample=0.0)
        samples = TrainSet(Reader(require_images(self._items[split], split)), sampling, Augmenter((), self.channels))
        return stack_fixed(samples, count, self.batch_size)

    def setup(self, stage: str) -> None:
        """Check masks before the first step, so that a faulty one does not end a run after hours.

        Raises SegappError for one that cannot be used, and where every pixel that would be scored is ignored. Classes
        that no validation or test image holds are logged.
        """
        if stage == "fit":
            _ = self._train_set
            check_training(self._items, self.source.classes, None if "_scan" in self.__dict__ else self._reader)
        elif stage in ("validate", "test"):
            split: SplitName = "val" if stage == "validate" else "test"
            require_scorable(self._items[split], split, self.num_classes, SAMPLE)

    def train_dataloader(self) -> Loader:
        """Return batches of one size; the order, crops and augmentation are a function of (seed, epoch, index)."""
        samples, items = self._train_set, self._items["train"]
        mixture = make_mixture(items, self.source.weights, self.sampling.per_image)
        order = TrainOrder(len(samples), self.batch_size, self.sampling.seed, *self._rank_and_world, mixture)
        return self._make_loader(samples, order, lambda: find_position(self.trainer))

    def val_dataloader(self) -> Loader:
        """Return this process's part of the complete images, one per batch, on the CPU."""
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
        """End every worker: Lightning ends those of the current loop only, and validation has its own."""
        for loader in self._loaders:
            loader.close()

    def list_pixel_sizes(self, split: SplitName) -> dict[str, tuple[float, float] | None]:
        """Return height and width of a pixel in µm of each image of a split, None where its file states none."""
        return {item.name: find_pixel_size(item.image) for item in self._items[split]}

    def explain_dead_worker(self, error: Exception) -> SegappError | None:
        """Explain PyTorch's error about a loader's worker, which it raises anywhere; return None for another error."""
        return explain_dead_worker(error, [loader.reader for loader in self._loaders])

    @cached_property
    def _items(self) -> dict[SplitName, list[Item]]:
        return {split: list(self.source.items(split)) for split in SPLITS}

    @cached_property
    def _reader(self) -> Reader:
        return make_cached_reader(self._items["train"], self.cache_gb)

    @cached_property
    def _scan(self) -> ClassScan:
        sources = list_weighted_sources(self._items["train"], self.source.weights)
        return ClassScan(self._reader, self.num_classes, self._unsampled, sources)

    @cached_property
    def _train_set(self) -> TrainSet:
        augmenter = Augmenter(self.augment, self.channels, self.num_classes)
        return make_train_set(self._reader, self.sampling, augmenter, lambda: self._scan, self.source.background)

    @property
    def _rank_and_world(self) -> tuple[int, int]:
        """The rank of this process and the number of processes that train."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _make_evaluation_loader(self, split: SplitName) -> Loader:
        rank, world = self._rank_and_world
        items = require_images(self._items[split], split, world)
        return self._make_loader(EvaluationSet(Reader(items)), EvaluationOrder(len(items), rank, world))

    def _make_loader(self, samples: TrainSet | EvaluationSet, order: Any, position: Any = lambda: (0, 0)) -> Loader:
        on_gpu = self.trainer.strategy.root_device.type == "cuda" if self.trainer else torch.cuda.is_available()
        workers = choose_workers(on_gpu, self._rank_and_world[1]) if self.num_workers is None else self.num_workers
        loader = Loader(samples, order, position, min(workers, len(order)), on_gpu, start_worker)
        self._loaders.append(loader)
        return loader
