"""Windows of images and masks, and errors that name the image."""

from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.datasets import Folder, Item
from segapp.errors import MisuseError, SegappError
from segapp.loading.reader import Reader
from segapp.mirror import mirror_indices
from tests.datasets.look_alikes import save, write_pair
from tests.loading.conftest import Pixels, batches, data_module, ten_images

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning 2.6.6 on this torch
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
]


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
    got, indices = Reader([Item("a", "a", Pixels(image), Pixels(mask))]).read_padded(0, y, x, *window)
    corners = zip((y, x), window, shape, strict=False)
    rows, columns = (mirror_indices(start, start + n, size) for start, n, size in corners)
    np.testing.assert_array_equal(got, image[np.ix_(rows, columns)])
    inside_y, inside_x = (np.arange(s, s + n) == i for s, n, i in ((y, window[0], rows), (x, window[1], columns)))
    np.testing.assert_array_equal(indices, np.where(np.outer(inside_y, inside_x), 1, 255))


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


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = ten_images(tmp_path)
    save(tmp_path / "masks" / "4.png", np.zeros((40, 51), np.uint8))
    with pytest.raises(MisuseError, match=r"4: the image has 40 x 50 pixels, its mask .*4\.png 40 x 51"):
        batches(data_module(folder))


def test_a_source_that_delivers_another_range_is_refused() -> None:
    """Floats of 0 … 255 of a source of one's own trained, silently, on other numbers than prediction reads."""
    image, mask = Pixels(np.full((4, 4, 1), 255, np.float32)), Pixels(np.zeros((4, 4), np.uint8))
    for cache_bytes in (0, 1000):
        with pytest.raises(SegappError, match="floating point values"):
            Reader([Item("a", "a", image, mask)], cache_bytes).read_window(0, 0, 0, 4, 4)
