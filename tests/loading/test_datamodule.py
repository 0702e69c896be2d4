"""The data module: one truth about order, crops and where training stands."""

import os
import pickle
import signal
import tempfile
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import Callback, LightningModule, Trainer

from segapp.datasets import Contiguous, Folder, Indices, Item, Lists
from segapp.datasets.class_presence import classes_in
from segapp.errors import MisuseError, SegappError
from segapp.loading.cache import SharedCache
from segapp.loading.class_counts import Scan
from segapp.loading.datamodule import SegmentationDataModule, choose_workers
from segapp.loading.loader import EvaluationOrder, TrainOrder
from segapp.loading.mask_sample import SAMPLE, look_at_masks
from segapp.loading.reader import Reader
from segapp.loading.samples import Cut, TrainSet
from segapp.mirror import mirror_indices
from segapp.transforms import Affine, Augmenter, Flips, Geometry, Microscopy
from tests.datasets.look_alikes import save, write_pair

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def ten_images(root: Path) -> Folder:
    """Ten 40 x 50 RGB images with two classes; class 1 is one pixel, in image 3 only."""
    rng = np.random.default_rng(0)
    for i in range(10):
        mask = np.zeros((40, 50), np.uint8)
        if i == 3:
            mask[7, 41] = 1
        write_pair(root, f"{i}", rng.integers(0, 255, (40, 50, 3), np.uint8), mask)
    return Folder(root, ["background", "dot"], split=Contiguous(val=0.2, test=0.1))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return ten_images(tmp_path)


def batches(data: SegmentationDataModule) -> list[Any]:
    return [
        (batch["name"], batch["image"].numpy().copy(), batch["mask"].numpy().copy())
        for batch in data.train_dataloader()
    ]


def same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(
        a[0] == b[0] and np.array_equal(a[1], b[1]) and np.array_equal(a[2], b[2])
        for a, b in zip(first, second, strict=True)
    )


class Recorder(LightningModule):
    """Learns nothing and writes down what it is fed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen: list[Any] = []
        self.validated: list[str] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        name, image = list(batch["name"]), batch["image"].numpy().copy()
        self.seen.append((name, image, batch["mask"].numpy().copy()))
        return self.weight.sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.validated += batch["name"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Save(Callback):
    """Checkpoints after every step, every validation and every epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.folder / f"step{trainer.global_step}.ckpt")

    def on_validation_end(self, trainer: Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.folder / f"validation{trainer.global_step}.ckpt")

    def on_train_epoch_end(self, trainer: Trainer, *_: Any) -> None:
        trainer.save_checkpoint(self.folder / f"epoch{trainer.global_step}.ckpt")


def trained(
    data: SegmentationDataModule, root: Path, callbacks: list[Callback], ckpt: Path | None = None, **extra: Any
) -> Recorder:
    module = Recorder()
    trainer = Trainer(
        default_root_dir=root,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=callbacks,
        enable_checkpointing=False,
        **{"max_epochs": 3, "num_sanity_val_steps": 0, **extra},
    )
    trainer.fit(module, data, ckpt_path=ckpt)
    return module


def data_module(folder: Folder, **settings: Any) -> SegmentationDataModule:
    given = {"batch_size": 2, "crop": 16, "augment": [Microscopy()], "num_workers": 0, **settings}
    return SegmentationDataModule(folder, **given)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, Path, list[Any]]:
    """A folder, the checkpoints of a run of 3 epochs of 3 steps, and all that it saw."""
    root = tmp_path_factory.mktemp("undisturbed")
    folder = ten_images(root)
    return folder, root, trained(data_module(folder), root, [Save(root)]).seen


MOMENTS = [f"step{step}" for step in range(1, 9)] + ["validation3", "epoch3", "validation6", "epoch6"]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_resumed_run_sees_exactly_the_rest(
    undisturbed: tuple[Folder, Path, list[Any]], moment: str, workers: int
) -> None:
    folder, root, seen = undisturbed
    rest = trained(data_module(folder, num_workers=workers), root, [], ckpt=root / f"{moment}.ckpt")
    assert len(seen) == 9
    assert same(rest.seen, seen[int(moment[-1]) :])


@pytest.mark.parametrize(
    "settings",
    [{"max_steps": 9, "max_epochs": -1}, {"val_check_interval": 2}, {"accumulate_grad_batches": 2}],
    ids=str,
)
@pytest.mark.parametrize("batches_done", [2, 3, 4])
def test_resuming_is_exact_under_other_trainer_settings(
    folder: Folder, tmp_path: Path, settings: dict[str, int], batches_done: int
) -> None:
    saved = tmp_path / "saved.ckpt"

    class SaveOnce(Callback):
        def on_train_batch_end(self, trainer: Trainer, module: Any, *_: Any) -> None:
            if len(module.seen) == batches_done:
                trainer.save_checkpoint(saved)

    seen = trained(data_module(folder), tmp_path, [SaveOnce()], **settings).seen
    rest = trained(data_module(folder), tmp_path, [], ckpt=saved, **settings).seen
    assert same(rest, seen[batches_done:])


def test_batches_are_a_function_of_seed_and_epoch_not_of_workers(folder: Folder, tmp_path: Path) -> None:
    runs = [trained(data_module(folder, num_workers=workers), tmp_path, []).seen for workers in (0, 1, 2)]
    assert same(runs[0], runs[1]) and same(runs[0], runs[2])
    assert not same(runs[0][:3], runs[0][3:6])
    crops = [image.tobytes() for _, images, _ in runs[0] for image in images]
    assert len(set(crops)) == len(crops)
    assert not same(batches(data_module(folder, seed=1)), batches(data_module(folder)))


def test_loading_draws_nothing_from_the_global_random_numbers(folder: Folder) -> None:
    state = torch.get_rng_state()
    list(data_module(folder, num_workers=1).train_dataloader())
    assert torch.equal(state, torch.get_rng_state())


@given(samples=st.integers(1, 60), batch=st.integers(1, 9), world=st.integers(1, 4), epoch=st.integers(0, 3))
def test_processes_share_an_epoch_evenly(samples: int, batch: int, world: int, epoch: int) -> None:
    if samples < world:
        with pytest.raises(MisuseError, match="cannot be shared"):
            TrainOrder(samples, batch, 0, 0, world)
        return
    orders = [TrainOrder(samples, batch, 0, rank, world) for rank in range(world)]
    keys = []
    for order in orders:
        order.position = (epoch, 0)
        parts = list(order)
        assert len(parts) == len(order) == len(orders[0]) >= 1
        assert len({len(part) for part in parts}) == 1
        keys += [key for part in parts for key in part]
    assert len(set(keys)) == len(keys)
    assert len(keys) > samples - batch * world
    rest = orders[0]
    whole = list(rest)
    rest.position = (epoch, 1)
    assert list(rest) == whole[1:]


def test_every_epoch_has_an_order_of_its_own() -> None:
    order, orders = TrainOrder(20, 4, seed=0), []
    for epoch in range(3):
        order.position = (epoch, 0)
        orders.append([index for part in order for _, index in part])
        assert sorted(orders[-1]) == list(range(20))
    assert orders[0] != orders[1] != orders[2]


@given(samples=st.integers(1, 40), world=st.integers(1, 5))
def test_every_image_is_evaluated_once(samples: int, world: int) -> None:
    parts = [key for rank in range(world) for key in EvaluationOrder(samples, rank, world)]
    assert sorted(index for ((_, index),) in parts) == list(range(samples))


def test_evaluation_delivers_whole_images_one_by_one(folder: Folder, tmp_path: Path) -> None:
    data = data_module(folder)
    (first, _) = list(data.val_dataloader())
    item = folder.items("val")[0]
    assert item.mask is not None
    np.testing.assert_array_equal(first["image"][0].permute(1, 2, 0), item.image.read())
    np.testing.assert_array_equal(first["mask"][0], item.mask.read())
    assert (first["name"], first["size"].tolist()) == (["7"], [[40, 50]])
    assert trained(data, tmp_path, [], max_epochs=2).validated == ["7", "8"] * 2


class Spy:
    """An image and mask that write down which windows are read, and hold their own coordinates."""

    dtype = np.dtype(np.float32)

    def __init__(self, height: int, width: int, channels: int) -> None:
        self.shape: Any = (height, width, channels) if channels else (height, width)
        self.windows: list[tuple[int, int, int, int]] = []

    def read(self) -> np.ndarray:
        return self.window(0, 0, *self.shape[:2])

    def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        height, width = self.shape[:2]
        assert 0 <= y < y + h <= height and 0 <= x < x + w <= width
        self.windows.append((y, x, h, w))
        if len(self.shape) == 2:
            return np.zeros((h, w), np.uint8)
        return np.stack(np.mgrid[y : y + h, x : x + w] / 1000, axis=2).astype(np.float32)


def spied(height: int, width: int, cut: Cut, augment: list[Any]) -> tuple[TrainSet, Spy]:
    image, mask = Spy(height, width, 2), Spy(height, width, 0)
    return TrainSet(Reader([Item("spy", "spy", image, mask)]), cut, Augmenter(augment, 2)), image


@pytest.mark.parametrize("augment", [[], [Flips(True, True, True)]])
def test_a_crop_reads_its_own_pixels_only(augment: list[Any]) -> None:
    samples, image = spied(1000, 800, Cut(crop=(20, 30)), augment)
    for epoch in range(40):
        sample = samples[epoch, 0]
        assert sample["image"].shape == (2, 20, 30)
        height, width = image.windows[-1][2:]  # fewer where the crop reaches beyond the image
        assert max(height, width) <= 30 and min(height, width) <= 20
    tops, lefts = np.array(image.windows)[:, 0], np.array(image.windows)[:, 1]
    assert tops.min() < 150 and tops.max() > 850 and lefts.min() < 150 and lefts.max() > 650


class Fixed(Geometry):
    """No chance."""

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        return self.matrix


@pytest.mark.parametrize("crop", [(20, 30), (21, 31)])
@pytest.mark.parametrize("mirror", [np.diag([1.0, 1]), np.diag([-1.0, 1]), np.diag([1.0, -1])], ids=str)
@pytest.mark.parametrize("turn", [np.eye(2), np.array([[0.0, -1], [1, 0]])], ids=str)
def test_turning_pixels_is_what_interpolating_them_would_give(
    mirror: np.ndarray, turn: np.ndarray, crop: tuple[int, int]
) -> None:
    matrix = mirror @ turn
    exact, _ = spied(100, 90, Cut(crop=crop), [Fixed(matrix)])
    warped, _ = spied(100, 90, Cut(crop=crop), [Fixed(matrix * (1 + 1e-9))])
    for epoch in range(5):
        np.testing.assert_allclose(exact[epoch, 0]["image"], warped[epoch, 0]["image"], atol=6e-4)


def test_a_turned_crop_reads_little_more_and_interpolates_the_right_place() -> None:
    samples, image = spied(1000, 800, Cut(crop=(20, 30)), [Affine(45, (0.8, 1.25), p=1)])
    for epoch in range(40):
        middle = samples[epoch, 0]["image"][:, 9:11, 14:16].mean(axis=(1, 2)) * 1000
        y, x, h, w = image.windows[-1]
        assert h <= 50 and w <= 50
        np.testing.assert_allclose(middle, [y + h / 2 - 0.5, x + w / 2 - 0.5], atol=0.6)


@pytest.mark.parametrize("augment", [[], [Affine(30, (0.5, 2), p=1)], [Microscopy()]])
@pytest.mark.parametrize("size", [(10, 12), (1, 1), (10, 90), (31, 40)])
def test_images_smaller_than_the_crop_are_padded(size: tuple[int, int], augment: list[Any]) -> None:
    samples, _ = spied(*size, Cut(crop=(32, 40)), augment)
    for epoch in range(10):
        sample = samples[epoch, 0]
        assert sample["image"].shape == (2, 32, 40) and sample["mask"].shape == (32, 40)
        assert set(np.unique(sample["mask"])) <= {0, 255}
    if not augment:
        inside = (sample["mask"] == 0).sum()
        assert inside == min(size[0], 32) * min(size[1], 40)


def test_rare_classes_are_found(folder: Folder) -> None:
    data = data_module(folder, crop=8, augment=[], oversample=1.0, oversample_background=True, crops_per_image=50)
    assert data.count_classes().tolist() == [7 * 40 * 50 - 1, 1]
    assert 0.4 < np.mean([mask[4, 4] == 1 for _, _, masks in batches(data) for mask in masks]) < 0.6
    plain = data_module(folder, crop=8, augment=[], crops_per_image=50)
    assert np.mean([(mask == 1).any() for _, _, masks in batches(plain) for mask in masks]) < 0.05


GEOMETRIES = [[], [Flips(True, True, True)], [Affine(45, (0.5, 2), p=1)], [Flips(True, True, True), Affine(45, p=0.5)]]


@pytest.mark.parametrize("augment", GEOMETRIES, ids=["none", "flips", "affine", "both"])
@pytest.mark.parametrize("crop", [(8, 8), (9, 12), (64, 70), (32, 60)])
@pytest.mark.parametrize("pixel", [(0, 0), (7, 41), (39, 49), (20, 1)])
def test_a_sampled_pixel_is_at_the_centre_of_its_crop_also_at_the_border(
    augment: list[Any], crop: tuple[int, int], pixel: tuple[int, int]
) -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[pixel] = 1
    reader = Reader([Item("a", "a", Pixels(np.zeros((40, 50, 1), np.uint8)), Pixels(mask))])
    cut = Cut(crop=crop, oversample=1.0)
    samples = TrainSet(reader, cut, Augmenter(augment, 1), Scan(reader, 2, without=0))
    for epoch in range(12):
        sample = samples[epoch, 0]["mask"]
        if max(crop) < 40 or (augment and isinstance(augment[0], Affine)):
            assert sample[crop[0] // 2, crop[1] // 2] == 1
        assert (sample == 1).any()  # an image smaller than the crop stays complete instead


class Pixels:
    """An array as an image or a mask."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels, self.shape, self.dtype = pixels, pixels.shape, pixels.dtype

    def read(self) -> np.ndarray:
        return self.pixels.copy()

    def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
        return self.pixels[y : y + h, x : x + w].copy()


def test_pixels_at_the_edges_are_learnt_too() -> None:
    """With corners inside the image, the outer 2 of 64 pixels (12.1 % of the area) were 0.9 % of what was learnt."""
    image = np.zeros((64, 64, 1), np.uint8)
    image[2:-2, 2:-2] = 1
    reader = Reader([Item("a", "a", Pixels(image), Pixels(np.zeros((64, 64), np.uint8)))])
    samples = TrainSet(reader, Cut(crop=(32, 32)), Augmenter([], 1))
    drawn = [samples[epoch, 0] for epoch in range(300)]
    learnt = [sample["mask"] == 0 for sample in drawn]
    outer = sum(int((sample["image"][0][inside] == 0).sum()) for sample, inside in zip(drawn, learnt, strict=True))
    assert outer / np.sum(learnt) > 0.05
    assert np.mean(learnt) > 0.92  # little is spent beyond the image


def test_without_a_class_to_centre_on_oversampling_is_refused(tmp_path: Path) -> None:
    for i in range(3):
        write_pair(tmp_path, f"{i}", np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8))
    data = data_module(Folder(tmp_path, ["background", "dot"]), oversample=0.5)
    with pytest.raises(MisuseError, match="oversample"):
        data.train_dataloader()


@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3, 5])),
    window=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    before=st.tuples(st.floats(0, 0.99), st.floats(0, 0.99), st.floats(0, 0.99), st.floats(0, 0.99)),
)
@settings(max_examples=60)
def test_beyond_the_image_it_is_reflected_and_the_mask_is_255(
    shape: tuple[int, int, int], window: tuple[int, int], before: tuple[float, ...]
) -> None:
    image = np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    mask = np.ones(shape[:2], np.uint8)
    y = int(before[0] * shape[0]) - int(before[1] * window[0])  # some pixel of the image lies inside
    x = int(before[2] * shape[1]) - int(before[3] * window[1])
    got, indices = Reader([Item("a", "a", Pixels(image), Pixels(mask))]).padded(0, y, x, *window)
    corners = zip((y, x), window, shape, strict=False)
    rows, columns = (mirror_indices(start, start + n, size) for start, n, size in corners)
    np.testing.assert_array_equal(got, image[np.ix_(rows, columns)])
    inside_y, inside_x = (np.arange(s, s + n) == i for s, n, i in ((y, window[0], rows), (x, window[1], columns)))
    np.testing.assert_array_equal(indices, np.where(np.outer(inside_y, inside_x), 1, 255))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("gigabytes", [1.0, 20e-6])
def test_the_cache_changes_nothing_and_saves_reading(
    tmp_path: Path, workers: int, gigabytes: float, caplog: pytest.LogCaptureFixture
) -> None:
    folder = ten_images(tmp_path)
    expected = [batches(data_module(folder)) for _ in range(2)]
    loader = data_module(folder, cache_gb=gigabytes, num_workers=workers).train_dataloader()
    for epoch in range(2):
        got = [(b["name"], b["image"].numpy().copy(), b["mask"].numpy().copy()) for b in loader]
        assert same(got, expected[epoch])
    assert ("holds 2 of 7 training images" in caplog.text) == (gigabytes < 1)


def test_workers_share_one_cache(tmp_path: Path) -> None:
    folder = ten_images(tmp_path)
    loader = data_module(folder, batch_size=7, cache_gb=1.0, num_workers=1, crop=None).train_dataloader()
    assert len(list(loader)) == 1  # the worker has filled it
    samples = loader._loader.dataset
    for path in tmp_path.glob("*/*.png"):
        path.unlink()
    assert isinstance(samples, TrainSet)
    assert samples[5, 3]["image"].shape == (3, 40, 50)  # this process reads what the worker stored


def test_a_spawned_process_sees_the_cache() -> None:
    cache = SharedCache([10, 20, 30], 1000)
    cache.fill(1, np.arange(12, dtype=np.uint8), np.ones(2, np.float32))
    other = pickle.loads(pickle.dumps(cache))
    assert other.is_filled(1) and not other.is_filled(0)
    np.testing.assert_array_equal(other.slot(1)[:12], np.arange(12))
    other.fill(2, np.full(30, 7, np.uint8))
    assert cache.slot(2).tolist() == [7] * 30
    assert SharedCache([100, 100], 130).count == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_file_is_named_in_one_sentence(tmp_path: Path, workers: int) -> None:
    folder = ten_images(tmp_path)
    data = data_module(folder, num_workers=workers)
    data.split_names()
    path = tmp_path / "images" / "2.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SegappError, match=r"images/2\.png: ") as caught:
        batches(data)
    assert "Traceback" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_failing_transform_names_itself_and_the_image(tmp_path: Path, workers: int) -> None:
    for i in range(3):
        write_pair(tmp_path, f"{i}", np.full((20, 20), 7, np.uint8), np.zeros((20, 20), np.uint8))
    folder = Folder(tmp_path, ["background", "dot"])

    def fail(image: np.ndarray, **_: Any) -> np.ndarray:
        if image.std() < 1:  # not the noise that it is tried on first
            raise ValueError("no luck")
        return image

    data = data_module(folder, augment=[A.Lambda(image=fail, p=1)], num_workers=workers)
    with pytest.raises(SegappError, match=r"^image '\d': the transform albumentations\.Lambda fails on .*no luck"):
        batches(data)


def test_a_transform_that_changes_the_range_is_refused_before_the_first_batch(folder: Folder) -> None:
    with pytest.raises(MisuseError, match=r"albumentations\.Normalize"):
        data_module(folder, augment=[A.Normalize()]).train_dataloader()


def test_a_killed_worker_is_a_sentence(folder: Folder) -> None:
    def die(image: np.ndarray, **_: Any) -> np.ndarray:
        if torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return image

    data = data_module(folder, augment=[A.Lambda(image=die, p=1)], num_workers=1)
    with pytest.raises(SegappError, match=r"a worker that loads images died .*num_workers"):
        batches(data)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = ten_images(tmp_path)
    save(tmp_path / "masks" / "4.png", np.zeros((40, 51), np.uint8))
    with pytest.raises(MisuseError, match=r"4: the image has 40 x 50 pixels, its mask .*4\.png 40 x 51"):
        batches(data_module(folder))


def test_splits_are_restored_by_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = data_module(ten_images(tmp_path)).split_names()
    write_pair(tmp_path, "05", np.zeros((40, 50, 3), np.uint8), np.zeros((40, 50), np.uint8))
    data = data_module(Folder(tmp_path, ["background", "dot"]))
    data.restore_splits(before)
    assert data.split_names() == before
    assert "1 images are new since the checkpoint and are left out: 05" in caplog.text
    (tmp_path / "images/8.png").unlink()
    (tmp_path / "masks/8.png").unlink()
    with pytest.raises(MisuseError, match=r"1 of the 10 images .* are not there: 8\. .*--new_split"):
        data_module(Folder(tmp_path, ["background", "dot"])).restore_splits(before)


def test_a_restored_split_asks_nothing_of_new_images(tmp_path: Path) -> None:
    """A new one has no mask, and the lists have changed; the images of the checkpoint are there."""
    before = data_module(ten_images(tmp_path)).split_names()
    save(tmp_path / "images/new.png", np.zeros((40, 50, 3), np.uint8))
    (tmp_path / "t.txt").write_text("3\n")
    (tmp_path / "v.txt").write_text("4\n")
    data = data_module(Folder(tmp_path, ["background", "dot"], split=Lists("t.txt", "v.txt")))
    data.restore_splits(before)
    assert data.split_names() == before
    assert len(list(data.val_dataloader())) == len(before["val"])


def masks_of(root: Path, *masks: np.ndarray) -> SegmentationDataModule:
    """Train, val and test by their order: 3, 2 and 2 images."""
    for i, mask in enumerate(masks):
        write_pair(root, f"{i}", np.zeros((9, 9), np.uint8), mask)
    return data_module(Folder(root, ["background", "dot"], split=Contiguous(val=0.3, test=0.3)), crop=8)


NOTHING, DOT, VOID = (np.zeros((9, 9), np.uint8), np.eye(9, dtype=np.uint8), np.full((9, 9), 255, np.uint8))


def test_classes_that_no_validation_or_test_image_shows_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    masks_of(tmp_path, DOT, DOT, DOT, NOTHING, NOTHING, DOT, NOTHING).setup("fit")
    assert "no val image shows dot (1)" in caplog.text
    assert "no test image" not in caplog.text


@pytest.mark.parametrize("stage", ["fit", "validate"])
def test_a_validation_of_nothing_but_void_is_refused_before_it_begins(tmp_path: Path, stage: str) -> None:
    masks = {0: 0, 1: 1, 255: 255}
    data = masks_of(tmp_path, DOT, DOT, DOT, VOID, VOID, DOT, VOID)
    data.source.mask = Indices(masks)  # type: ignore[attr-defined]
    with pytest.raises(MisuseError, match=r"2 val masks are 255"):
        data.setup(stage)
    data.setup("test")


@pytest.mark.parametrize("number", [1, 4, 6])
def test_a_bad_mask_of_any_split_is_found_before_the_first_step(tmp_path: Path, number: int) -> None:
    data = masks_of(tmp_path, *[DOT] * 7)
    save(tmp_path / f"masks/{number}.png", np.full((9, 9), 7, np.uint8))
    with pytest.raises(MisuseError, match=rf"masks/{number}\.png"):
        data.setup("fit")


def test_a_large_split_is_sampled_and_searched_for_missing_classes() -> None:
    def item(i: int, mask: np.ndarray) -> Item:
        return Item(f"{i}", f"{i}", Pixels(np.zeros((1, 9, 1), np.uint8)), Pixels(mask[:1]))

    everywhere = look_at_masks(Reader([item(i, DOT) for i in range(99)]), 2)
    assert (everywhere.masks, everywhere.complete, everywhere.classes.tolist()) == (SAMPLE, False, [True, True])
    once = look_at_masks(Reader([item(i, DOT if i == 70 else NOTHING) for i in range(99)]), 2)
    assert once.classes.all()
    never = look_at_masks(Reader([item(i, NOTHING) for i in range(99)]), 2)
    assert (never.masks, never.complete, never.classes.tolist()) == (99, True, [True, False])
    with pytest.raises(MisuseError, match="'0': its mask holds 2"):
        look_at_masks(Reader([item(0, DOT * 2)]), 2)


def test_a_very_large_mask_is_sampled_in_windows() -> None:
    class Large:
        shape = (2**13, 2**12)

        def read(self) -> np.ndarray:
            raise AssertionError("decoded as a whole")

        def window(self, y: int, x: int, h: int, w: int) -> np.ndarray:
            assert h <= 512 and w <= 512
            return np.full((h, w), 1 if y else 0, np.uint8)

    assert classes_in(Large()) == {0, 1}


def test_whole_images_of_many_sizes_make_one_batch(tmp_path: Path) -> None:
    for i, (height, width) in enumerate([(20, 30), (25, 22), (9, 9), (9, 9)]):
        write_pair(tmp_path, f"{i}", np.full((height, width), 80, np.uint8), np.zeros((height, width), np.uint8))
    folder = Folder(tmp_path, ["background", "dot"], split=Contiguous(0.25))
    (batch,) = data_module(folder, crop=None, batch_size=3, augment=[]).train_dataloader()
    assert batch["image"].shape == (3, 1, 25, 30) and bool((batch["image"] == 80).all())
    for size, mask in zip(batch["size"].tolist(), batch["mask"], strict=True):
        assert int((mask == 0).sum()) == size[0] * size[1]


def test_resized_images_keep_their_classes(folder: Folder) -> None:
    data = data_module(folder, crop=None, resize=(20, 25), augment=[])
    for _, images, masks in batches(data):
        assert images.shape == (2, 3, 20, 25)
        assert set(np.unique(masks)) <= {0, 1}
    assert (data.spec.resize, data.spec.window) == ((20, 25), (20, 25))


def test_batches_are_contiguous_with_channels_last(folder: Folder) -> None:
    batch = next(iter(data_module(folder).train_dataloader()))
    assert (batch["image"].dtype, batch["mask"].dtype, batch["size"].dtype) == (
        torch.uint8,
        torch.uint8,
        torch.int64,
    )
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"resize": 8}, "exclude each other"),
        ({"batch_size": 0}, "batch_size is 1 or more"),
        ({"crop": (0, 8)}, "crop needs a height and width"),
        ({"crops_per_image": 0}, "crops_per_image"),
        ({"oversample": 1.5}, "oversample .* 0 … 1"),
        ({"oversample": 0.5, "crop": None}, "set crop, or oversample to 0"),
        ({"num_workers": -1}, "num_workers"),
        ({"seed": -1}, "seed is 0 or more"),
    ],
)
def test_settings_that_cannot_be(folder: Folder, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(MisuseError, match=sentence):
        data_module(folder, **settings)


def test_a_set_without_test_images_says_so(tmp_path: Path) -> None:
    ten_images(tmp_path)
    with pytest.raises(MisuseError, match="the data set has no test images"):
        data_module(Folder(tmp_path, ["background", "dot"])).test_dataloader()


def test_workers_leave_the_machine_to_training() -> None:
    assert choose_workers(on_gpu=False, processes=64) == 0
    assert 0 <= choose_workers(on_gpu=True, processes=1) <= 8


def test_a_source_that_delivers_another_range_is_refused() -> None:
    """Floats of 0 … 255 of a source of one's own trained, silently, on other numbers than prediction reads."""
    image, mask = Pixels(np.full((4, 4, 1), 255, np.float32)), Pixels(np.zeros((4, 4), np.uint8))
    for cache_bytes in (0, 1000):
        with pytest.raises(SegappError, match="floating point values"):
            Reader([Item("a", "a", image, mask)], cache_bytes).window(0, 0, 0, 4, 4)


def test_a_temporary_folder_whose_path_is_too_long_for_sockets_is_refused_instead_of_a_hang(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 80)))
    with pytest.raises(MisuseError, match=r"TMPDIR.*--data\.num_workers 0"):
        data_module(folder, num_workers=1).train_dataloader()
    data_module(folder, num_workers=0).train_dataloader()
