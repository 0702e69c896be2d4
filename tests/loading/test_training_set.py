"""What training samples are made of."""

from pathlib import Path

import albumentations as A
import numpy as np
import pytest
import torch

from segapp.datasets import Folder
from segapp.errors import MisuseError
from segapp.loading.samples import Sampling, TrainSet
from segapp.loading.training_set import make_cached_reader, stack_fixed
from segapp.transforms import Augmenter
from tests.datasets.look_alikes import write_pair
from tests.loading.conftest import data_module

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def test_a_transform_that_changes_the_range_is_refused_before_the_first_batch(folder: Folder) -> None:
    with pytest.raises(MisuseError, match=r"albumentations\.Normalize"):
        data_module(folder, augment=[A.Normalize()]).train_dataloader()


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


def test_without_a_class_to_centre_on_oversampling_is_refused(tmp_path: Path) -> None:
    for i in range(3):
        write_pair(tmp_path, f"{i}", np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8))
    data = data_module(Folder(tmp_path, ["background", "dot"]), oversample=0.5)
    with pytest.raises(MisuseError, match="oversample"):
        data.train_dataloader()


def test_a_cache_that_is_too_small_is_reported(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    items = folder.items("train")
    whole = make_cached_reader(items, 1.0)
    assert whole.cached == len(items) and not caplog.records
    assert make_cached_reader(items, 0.0).cached == 0 and not caplog.records
    one = 1.5 * whole.bytes_needed / len(items) / 1e9
    assert make_cached_reader(items, one).cached == 1
    assert f"1 of {len(items)}" in caplog.text


@pytest.mark.parametrize(("count", "sizes"), [(3, [2, 1]), (9, [2, 2, 2, 2, 1])])
def test_fixed_samples_are_spread_over_the_images_and_always_the_same(
    folder: Folder, count: int, sizes: list[int]
) -> None:
    items = folder.items("train")
    samples = TrainSet(make_cached_reader(items, 0.0), Sampling(crop=(16, 16)), Augmenter([], 3))
    first, second = (stack_fixed(samples, count, 2) for _ in range(2))
    assert [len(batch["image"]) for batch in first] == sizes
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(first, second, strict=True))
    names = [name for batch in first for name in batch["name"]]
    every = [item.name for item in items]
    expected = [every[n * len(every) // count] for n in range(count)] if count < len(every) else [*every, *every]
    assert names == expected[:count]
