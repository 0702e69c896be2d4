"""The cache of decoded images changes nothing but the time."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from segapp.loading.cache import SharedCache
from segapp.loading.samples import TrainSet
from tests.loading.conftest import batches, data_module, read_all, same, ten_images

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("gigabytes", [1.0, 20e-6])
def test_the_cache_changes_nothing_and_saves_reading(
    tmp_path: Path, workers: int, gigabytes: float, caplog: pytest.LogCaptureFixture
) -> None:
    folder = ten_images(tmp_path)
    expected = [batches(data_module(folder)) for _ in range(2)]
    loader = data_module(folder, cache_gb=gigabytes, num_workers=workers).train_dataloader()
    got = [read_all(loader) for _ in range(2)]
    loader.close()
    assert same(got[0], expected[0]) and same(got[1], expected[1])
    assert ("holds 2 of 7 training images" in caplog.text) == (gigabytes < 1)


def test_workers_share_one_cache(tmp_path: Path) -> None:
    folder = ten_images(tmp_path)
    loader = data_module(folder, batch_size=7, cache_gb=1.0, num_workers=1, crop=None).train_dataloader()
    assert len(list(loader)) == 1  # the worker has filled it
    loader.close()
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
    np.testing.assert_array_equal(other.get_slot(1)[:12], np.arange(12))
    other.fill(2, np.full(30, 7, np.uint8))
    assert cache.get_slot(2).tolist() == [7] * 30
    assert SharedCache([100, 100], 130).count == 1
