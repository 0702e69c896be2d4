"""What is known of an image and its mask."""

import numpy as np

from segapp.checking.facts import read_facts
from segapp.datasets.source import Item
from tests.checking.shapes import draw
from tests.loading.conftest import Pixels


def facts_of(*pairs):
    items = [Item(f"{number}", "g", Pixels(image), Pixels(mask)) for number, (image, mask) in enumerate(pairs)]
    return list(read_facts({"train": items}, 2))


def test_equal_pixels_have_one_digest_and_others_another():
    image, mask = draw(0)
    changed = image.copy()
    changed[0, 0, 0] ^= 1
    first, same, other = facts_of((image, mask // 255), (image.copy(), mask // 255), (changed, mask // 255))
    assert first.digest == same.digest != other.digest
    assert first.mask_digest == other.mask_digest
    assert (first.look == other.look).all()  # one bit of one pixel is not seen


def test_brightness_and_size_do_not_change_the_look_of_an_image():
    import cv2

    image, mask = draw(1)
    darker = (image * 0.6).astype(np.uint8)
    larger = cv2.resize(image, (192, 160), interpolation=cv2.INTER_CUBIC)
    first, dark, large, other = facts_of(
        (image, mask // 255),
        (darker, mask // 255),
        (larger, np.repeat(np.repeat(mask // 255, 2, 0), 2, 1)),
        draw_other(),
    )
    assert (first.look != dark.look).sum() <= 2
    assert (first.look != large.look).sum() <= 4
    assert (first.look != other.look).sum() > 10


def draw_other():
    image, mask = draw(7)
    return image, mask // 255


def test_pixels_are_described_and_not_kept():
    image, mask = draw(2)
    (one,) = facts_of((image, mask // 255))
    assert one.described.counts.tolist() == [int((mask == 0).sum()), int((mask > 0).sum())]
    assert one.described.arrangement is None
    assert (one.stored, one.channels, one.group, one.is_constant) == ("uint8", 3, "g", False)
    sizes = [value.nbytes for value in vars(one).values() if isinstance(value, np.ndarray)]
    assert sum(sizes) + one.edges.strength.nbytes + one.edges.packed.nbytes < 8192


def test_an_image_of_one_value_is_constant():
    _, mask = draw(0)
    (one,) = facts_of((np.full((*mask.shape, 3), (9, 8, 7), np.uint8), mask // 255))
    assert one.is_constant and one.fit is None
