"""A format of several images in a file, and one of several files in an image: one class and one line each."""

import json
from pathlib import Path

import numpy as np
import pytest

from segapp.errors import SegappError
from segapp.io import (
    FilePart,
    Image,
    MaskLayout,
    find_mask_suffix,
    find_suffix,
    has_windows,
    list_parts,
    open_mask,
    read_header,
    read_mask_window,
    read_raw,
    streams_masks,
    write_mask,
)
from segapp.io.formats import registry
from segapp.io.formats.format import Format
from segapp.io.formats.format import MaskLayout as Layout
from segapp.io.header import Header
from segapp.spec import Intensity

AFFINE = [[0.5, 0, 0, -90], [0, 0.5, 0, 126], [0, 0, 2.5, -72], [0, 0, 0, 1]]
VOLUME = np.random.default_rng(0).integers(-1000, 1000, (5, 37, 50), np.int16)
PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


class Volume(Format):
    """Slices along z: a magic word, a line of JSON, the values of all slices."""

    name = "Volume"
    suffixes = (".vol", ".vol.raw")
    magic = (b"VOLUME ",)
    has_windows = True
    writes_masks = True
    holds_parts = True

    def list_parts(self, file: FilePart) -> tuple[str, ...]:
        return tuple(f"z={z}" for z in range(self._read_head(file.path)[0]["shape"][0]))

    def read_header(self, file: FilePart) -> Header:
        head, _ = self._read_head(file.path)
        _, height, width = head["shape"]
        meta = {"volume_affine": head["affine"], "part": file.part}
        return Header(self.name, height, width, 1, np.dtype(head["dtype"]), meta=meta)

    def read_window(self, file: FilePart, header: Header, window: tuple[int, int, int, int]) -> np.ndarray:
        head, offset = self._read_head(file.path)
        y, x, h, w = window
        values = np.memmap(file.path, head["dtype"], "r", offset, tuple(head["shape"]))
        return np.array(values[int(file.part.removeprefix("z=")), y : y + h, x : x + w, None])

    def write_masks(self, path: Path, masks: dict[str, np.ndarray], layout: Layout) -> None:
        save_volume(path, np.stack(list(masks.values())), layout.meta["volume_affine"])

    @staticmethod
    def _read_head(path: Path) -> tuple[dict, int]:
        with path.open("rb") as file:
            line = file.readline(10_000)
            return json.loads(line.removeprefix(b"VOLUME ")), file.tell()


class Series(Format):
    """An image in a folder, a file for each channel."""

    name = "Series"
    suffixes = (".series",)
    is_folder = True

    def list_files(self, file: FilePart) -> tuple[Path, ...]:
        return tuple(sorted(file.path.glob("*.npy")))

    def read_header(self, file: FilePart) -> Header:
        first = np.load(self.list_files(file)[0], mmap_mode="r")
        return Header(self.name, *first.shape, len(self.list_files(file)), first.dtype)

    def read_window(self, file: FilePart, header: Header, window: tuple[int, int, int, int]) -> np.ndarray:
        y, x, h, w = window
        return np.stack([np.load(path) for path in self.list_files(file)], axis=2)[y : y + h, x : x + w]


def save_volume(path: Path, values: np.ndarray, affine: list = AFFINE) -> Path:
    head = {"shape": values.shape, "dtype": values.dtype.str, "affine": affine}
    path.write_bytes(b"VOLUME " + json.dumps(head).encode() + b"\n" + values.tobytes())
    return path


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, Volume(), Series()))


@pytest.fixture
def volume(tmp_path):
    return save_volume(tmp_path / "ct.vol", VOLUME)


def test_every_part_is_an_image(volume):
    parts = list_parts(volume)
    assert parts == tuple(FilePart(volume, f"z={z}") for z in range(5))
    for part, values in zip(parts, VOLUME, strict=True):
        image = Image(part, intensity=Intensity("range", -1000, 1000))
        assert image.shape == (37, 50, 1) and image.has_windows and image.path == volume
        assert image.meta["volume_affine"] == AFFINE and image.meta["part"] == part.part
        np.testing.assert_allclose(image.read_window(3, 4, 5, 6)[..., 0], (values[3:8, 4:10] + 1000) / 2000, atol=1e-6)
        np.testing.assert_array_equal(read_raw(part), values)
        np.testing.assert_array_equal(read_mask_window(part, 3, 4, 5, 6).values[..., 0], values[3:8, 4:10])


def test_a_part_must_be_one_of_the_file(volume, tmp_path):
    for file in (volume, FilePart(volume, "z=5"), FilePart(volume, "page=0")):
        with pytest.raises(SegappError, match=r"ct\.vol: Volume of 5 images \(z=0, z=1, .*"):
            read_header(file)
    save_volume(tmp_path / "a.png", VOLUME)  # found by its content
    assert len(list_parts(tmp_path / "a.png")) == 5
    write_mask(tmp_path / "b.png", np.zeros((3, 4), np.uint8), PALETTE)
    assert list_parts(tmp_path / "b.png") == (FilePart(tmp_path / "b.png"),)
    with pytest.raises(SegappError, match=r"b\.png: PNG of 1 image"):
        read_header(FilePart(tmp_path / "b.png", "z=0"))


def test_messages_name_file_and_part(volume):
    part = FilePart(volume, "z=3")
    with pytest.raises(SegappError, match=r"ct\.vol \[z=3\]: window .* 37 x 50"):
        Image(part, intensity=Intensity("range", 0, 1)).read_window(30, 0, 10, 10)
    volume.write_bytes(volume.read_bytes()[:-100])
    with pytest.raises(SegappError, match=r"ct\.vol \[z=3\]: a broken or truncated Volume"):
        read_raw(part)


def test_masks_are_written_back_as_one_volume_with_its_affine(volume, tmp_path):
    parts = list_parts(volume)
    masks = {part.part: (VOLUME[z] > 0).astype(np.uint8) for z, part in enumerate(parts)}
    out = tmp_path / f"out{find_mask_suffix(volume)}"
    layout = MaskLayout({part.part: read_header(part).upright for part in parts}, Image(parts[0]).meta, PALETTE)
    with open_mask(out, layout) as writer:
        for top in range(0, 37, 10):  # rows of all slices in turn
            for name, mask in masks.items():
                writer.add(mask[top : top + 10], name)
        assert not out.exists()
    for part in list_parts(out):
        np.testing.assert_array_equal(read_raw(part), masks[part.part])
        assert Image(part).meta["volume_affine"] == AFFINE
    assert not streams_masks(volume)


def test_a_volume_that_lacks_rows_is_not_written(volume, tmp_path):
    layout = MaskLayout({"z=0": (37, 50), "z=1": (37, 50)}, Image(list_parts(volume)[0]).meta, PALETTE)
    with pytest.raises(SegappError, match=r"0 of 37 rows .*z=1"), open_mask(tmp_path / "out.vol", layout) as writer:
        writer.add(np.zeros((37, 50), np.uint8), "z=0")
    with pytest.raises(SegappError, match="not 2"), open_mask(tmp_path / "out.png", layout):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.vol"]


def test_suffixes_of_two_dots_are_found_whole():
    assert find_suffix(Path("a.vol.raw")) == ".vol.raw" and find_mask_suffix(Path("a.VOL.raw")) == ".VOL.raw"


def test_a_series_of_files_is_one_image_and_its_changes_are_noticed(tmp_path):
    folder = tmp_path / "a.series"
    folder.mkdir()
    for channel in range(3):
        np.save(folder / f"{channel}.npy", VOLUME[channel].astype(np.uint8))
    np.testing.assert_array_equal(read_raw(folder), np.moveaxis(VOLUME[:3].astype(np.uint8), 0, 2))
    assert list_parts(folder) == (FilePart(folder),) and not has_windows(folder)
    np.save(folder / "3.npy", VOLUME[3].astype(np.uint8))
    assert read_raw(folder).shape == (37, 50, 4)
    (folder / "0.npy").unlink()
    (folder / "0.npy").symlink_to("nowhere.npy")
    with pytest.raises(SegappError, match=r"0\.npy: a link"):
        read_raw(folder)
