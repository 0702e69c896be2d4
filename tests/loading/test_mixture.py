"""Joined data sets share an epoch by their weights."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Contiguous, Folder, Joined
from segapp.errors import MisuseError
from segapp.loading.mixture import Mixture
from tests.datasets.look_alikes import write_pair
from tests.loading.conftest import batches, data_module


@pytest.mark.parametrize(
    ("weights", "counts"), [((1, 1), [10, 10]), ((3, 1), [15, 5]), ((1, 9), [2, 18]), ((1, 2), [7, 13])], ids=str
)
def test_an_epoch_has_each_set_by_its_weight_and_each_of_its_images_equally_often(
    weights: tuple[float, ...], counts: list[int]
) -> None:
    sources = [0] * 8 + [1] * 2
    mixture = Mixture(sources, weights, crops_per_image=2)
    assert mixture.counts == counts
    epochs = [mixture.sample_epoch(np.random.default_rng(epoch)) for epoch in range(2)]
    assert epochs[0].tolist() != epochs[1].tolist()
    for samples in epochs:
        assert len(samples) == len(set(samples.tolist())) == 20
        times = np.bincount(samples % 10, minlength=10)
        assert [times[:8].sum(), times[8:].sum()] == counts
        crops = np.bincount(samples % 20, minlength=20)
        assert max(np.ptp(crops[[0, 1, 2, 3, 4, 5, 6, 7, *range(10, 18)]]), np.ptp(crops[[8, 9, 18, 19]])) <= 1


def test_a_set_that_no_sample_comes_from_is_refused() -> None:
    with pytest.raises(MisuseError, match=r"set 2.*no training images"):
        Mixture([0, 0], (1, 1), 1)
    with pytest.raises(MisuseError, match=r"set 2.*crops_per_image"):
        Mixture([0] * 9 + [1], (99, 1), 1)


@pytest.mark.parametrize("oversample", [0.0, 1.0])
def test_crops_come_from_each_set_by_its_weight_also_where_they_are_centred_on_classes(
    tmp_path: Path, oversample: float
) -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    for i in range(12):
        write_pair(tmp_path / "first", f"{i}", image, np.eye(20, dtype=np.uint8))
        write_pair(tmp_path / "second", f"{i}", image, np.zeros((20, 20), np.uint8))
    folders = [Folder(tmp_path / name, ["background", "a"], split=Contiguous(0.2)) for name in ("first", "second")]
    data = data_module(Joined(folders, weights=[1, 3]), crop=8, augment=[], oversample=oversample)  # type: ignore[arg-type]
    epoch = [(name, mask) for names, _, masks in batches(data) for name, mask in zip(names, masks, strict=True)]
    assert [sum(name.startswith(start) for name, _ in epoch) for start in ("1/", "2/")] == [5, 15]
    if oversample:
        assert all(mask[4, 4] == name.startswith("1/") for name, mask in epoch)
