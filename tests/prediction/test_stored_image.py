"""An image file as the engine reads it."""

import weakref

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import FilePart, Image, read_raw
from segapp.prediction import stored_image
from segapp.prediction.stored_image import StoredImage, UnreadableImage, open_stored
from tests.inference.checkpoints import make_spec
from tests.prediction.predicting import files, make_run, put, scene


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)


def test_large_images_are_read_by_windows_and_masks_stay_the_same(run, tmp_path, monkeypatch):
    for name, size in {"a.tif": (300, 200), "b.png": (300, 200)}.items():
        put(tmp_path / "images", name, scene(*size)[0])
    assert run() == 0
    monkeypatch.setattr(stored_image, "PREFETCHED_PIXELS", 1)
    assert run(output=str(tmp_path / "again")) == 0
    for name in ("a.tif", "b.png"):
        assert (read_raw(tmp_path / "out/mask" / name) == read_raw(tmp_path / "again/mask" / name)).all()


def test_large_images_that_cannot_be_read_in_parts_are_read_when_it_is_their_turn(run, tmp_path, monkeypatch):
    for index in range(8):
        put(tmp_path / "images", f"{index}.png", scene(300, 300, index)[0])
    monkeypatch.setattr(stored_image, "PREFETCHED_PIXELS", 1)
    held, most = set(), []
    read = StoredImage.read

    def counted(self):
        read(self)
        held.add(id(self))
        weakref.finalize(self, held.discard, id(self))
        most.append(len(held))

    monkeypatch.setattr(StoredImage, "read", counted)
    assert run() == 0
    assert len(files(tmp_path / "out")) == 8
    assert max(most) <= 5  # were they read when they are opened, it would be all eight


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_windows_are_the_same_from_memory_and_from_the_file(tmp_path, whole, dtype):
    put(tmp_path, "a.png", scene(40, 50)[0])
    image = Image(tmp_path / "a.png", 3)
    found = StoredImage(image, "a", whole, np.dtype(dtype)).read_window(5, 6, 10, 20)
    expected = image.read()[5:15, 6:26]
    assert found.dtype == dtype and found == pytest.approx(expected if dtype == np.uint8 else expected / 255, abs=1e-6)


def test_a_file_is_read_once_and_so_is_its_error(tmp_path, monkeypatch):
    put(tmp_path, "a.png", scene(40, 50)[0])
    calls = []

    def read(_):
        calls.append(1)
        raise SegappError("a.png: is truncated.")

    stored = StoredImage(Image(tmp_path / "a.png", 3), "a", True, np.dtype(np.uint8))
    monkeypatch.setattr(Image, "read", read)
    for _ in range(2):
        with pytest.raises(SegappError, match="truncated"):
            stored.read_window(0, 0, 4, 4)
    assert len(calls) == 1


def test_an_unreadable_image_raises_its_error_whatever_is_asked():
    image = UnreadableImage("a.png", SegappError("a.png: is empty."))
    with pytest.raises(SegappError, match="empty"):
        _ = image.shape
    with pytest.raises(SegappError, match="empty"):
        image.read_window(0, 0, 1, 1)


def test_a_small_image_is_read_when_it_is_opened_and_a_large_one_is_not(tmp_path, monkeypatch):
    put(tmp_path, "a.tif", scene(40, 50)[0])
    file = FilePart(tmp_path / "a.tif")
    assert open_stored(file, make_spec(), np.dtype(np.uint8))._pixels is not None
    monkeypatch.setattr("segapp.prediction.stored_image.PREFETCHED_PIXELS", 100)
    large = open_stored(file, make_spec(), np.dtype(np.uint8))
    assert large._pixels is None and not large.whole
    with pytest.raises(SegappError, match=r"a\.tif"):
        open_stored(file, make_spec(channels=5), np.dtype(np.uint8))
