"""One pass over images and masks."""

from dataclasses import replace

import numpy as np
import pytest

from segapp.datasets.source import Item
from segapp.errors import MisuseError, SegappError
from segapp.planning.fingerprint import _describe_values, read_fingerprint
from tests.loading.conftest import Pixels
from tests.planning.fingerprints import facts, fingerprint


def test_values_of_an_image_are_described_as_numpy_does():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mean, variance, histogram = _describe_values(image)
    assert mean == pytest.approx(image.mean((0, 1)) / 255)
    assert variance == pytest.approx(image.var((0, 1)) / 255**2)
    assert histogram == pytest.approx(np.histogram(image, 32, (0, 256))[0] / image.size)


def item(name, image, mask):
    return Item(name, name, Pixels(image), None if mask is None else Pixels(mask))


class BrokenPixels(Pixels):
    def read(self):
        raise SegappError("broken.png: is truncated")


def write_items(count=4):
    mask = np.array([[0, 0, 1, 255]], np.uint8).repeat(4, axis=0)
    return [item(f"{i}", np.full((4, 4, 1), 51 * i, np.uint8), mask) for i in range(count)]


def test_counts_and_moments_are_those_of_all_pixels():
    found = read_fingerprint(write_items(), ["a", "b"], 0, progress=False)
    assert found.class_counts.tolist() == [32, 16] and found.class_fractions == pytest.approx([2 / 3, 1 / 3])
    assert found.images_with.tolist() == [4, 4] and found.images[0].ignored == 4
    values = np.array([0, 0.2, 0.4, 0.6])
    assert found.mean == pytest.approx([values.mean()]) and found.std == pytest.approx([values.std()])
    assert found.is_grey and found.sizes.tolist() == [[4, 4]] * 4


def test_images_that_are_left_out_count_nowhere():
    read = read_fingerprint(write_items(), ["a", "b"], 0, progress=False)
    found = read.leave_out({"3"})
    assert found.total == len(found.images) == 3 and found.images_with.tolist() == [3, 3]
    assert found.mean == pytest.approx([0.2]) and found.class_counts.tolist() == [24, 12]


def test_what_only_the_left_out_images_hold_cannot_be_learned():
    empty = [item(name, np.zeros((4, 4, 1), np.uint8), np.zeros((4, 4), np.uint8)) for name in "xyz"]
    read = read_fingerprint([*empty, *write_items(1)], ["a", "b"], 0, progress=False)
    with pytest.raises(MisuseError, match="all 3 images for training and validation hold only the class 'a'"):
        read.leave_out({"0"})


def test_one_unreadable_image_is_left_out_and_named_and_several_are_an_error():
    items = write_items(5)
    broken = [replace(one, image=BrokenPixels(one.image.pixels)) for one in items]
    found = read_fingerprint([broken[0], *items[1:]], ["a", "b"], 0, progress=False)
    assert (found.total, found.unreadable) == (4, (("0", "broken.png: is truncated"),))
    with pytest.raises(SegappError, match=r"broken\.png"):
        read_fingerprint([*broken[:2], *items[2:]], ["a", "b"], 0, progress=False)


@pytest.mark.parametrize(
    ("mask", "told"),
    [(None, "mask"), (np.zeros((4, 5), np.uint8), "4 x 5"), (np.zeros((4, 4), np.uint8), "nothing to learn")],
)
def test_items_without_anything_to_learn_are_refused(mask, told):
    items = [item(f"{i}", np.zeros((4, 4, 1), np.uint8), mask) for i in range(4)]
    with pytest.raises(MisuseError, match=told):
        read_fingerprint(items, ["a", "b"], 0, progress=False)


def test_of_very_many_images_some_are_read_evenly(monkeypatch):
    monkeypatch.setattr("segapp.planning.fingerprint.MAX_IMAGES", 3)
    found = read_fingerprint(write_items(5), ["a", "b"], 0, progress=False)
    assert ([image.name for image in found.images], found.total) == (["0", "1", "3"], 5)


def test_an_extent_is_that_of_the_object_in_which_a_pixel_lies():
    one = fingerprint(facts("a", extents=(10, 20)))  # 100 and 400 pixels
    assert [one.measure_extent(quantile) for quantile in (0.1, 0.2, 0.21, 0.9)] == [10, 10, 20, 20]
    assert fingerprint(facts("a"), background=1).measure_extent(0.5) == 0  # no objects but the background


def test_a_large_image_is_reduced_and_its_objects_are_not(monkeypatch):
    monkeypatch.setattr("segapp.planning.fingerprint.MAX_SIDE", 32)
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:32] = 1
    found = read_fingerprint([item(f"{i}", np.zeros((64, 64, 3), np.uint8), mask) for i in range(3)], ["a", "b"], 0)
    (objects,) = [o for o in found.images[0].objects if o.class_index == 1]
    assert (objects.areas.tolist(), objects.extents.tolist()) == ([512], [32])
    assert found.class_counts.tolist() == [3 * (64 * 64 - 512), 3 * 512]
    assert found.convert_to_grey().mean.shape == (1,)
