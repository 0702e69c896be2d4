"""What a TIFF says about its pages, samples and pixels is respected, or the file is refused."""

import os
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import Image, read_raw, read_shape
from segapp.io.formats import tiff_pages

RNG = np.random.default_rng(0)


PAGES = RNG.integers(0, 256, (3, 37, 50), np.uint8)


def _named_elsewhere(folder: Path) -> dict[str, Path]:
    """Write files whose metadata, or whose folder, make tifffile look into others; all pixels here are 7."""
    (folder / "secret").mkdir()
    secret = np.full((64, 64), 200, np.uint8)
    tifffile.imwrite(folder / "secret/s.tif", secret, metadata=None)
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1">'
        '<Image ID="Image:0"><Pixels ID="P:0" Type="uint8" SizeX="64" SizeY="64" SizeC="1" SizeZ="1" SizeT="1" '
        'DimensionOrder="XYCZT"><TiffData IFD="0"><UUID FileName="../secret/s.tif">urn:uuid:2</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    (folder / "in").mkdir()
    own = np.full((64, 64), 7, np.uint8)
    tifffile.imwrite(folder / "in/ome.tif", own, description=xml, metadata=None)
    tifffile.imwrite(folder / "in/ndtiff.tif", own, metadata=None)
    (folder / "in/NDTiff.index").write_bytes(b"")
    return {name: folder / f"in/{name}.tif" for name in ("ome", "ndtiff")}


@pytest.mark.parametrize("how", ["pillow", "tifffile", "imagej"])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_three_pages_are_no_colours(tmp_path: Path, how: str, channels: int | None) -> None:
    path = tmp_path / "a.tif"
    if how == "pillow":
        first, *others = map(PIL.Image.fromarray, PAGES)
        first.save(path, save_all=True, append_images=others)
    else:
        axes = {"axes": "ZYX"} if how == "imagej" else None
        tifffile.imwrite(path, PAGES, photometric="minisblack", imagej=how == "imagej", metadata=axes)
    with pytest.raises(SegappError, match=r"a\.tif: TIFF of 3 (pages|images)"):
        _ = Image(path, channels).shape
    tifffile.imwrite(path, PAGES, photometric="minisblack", metadata={"axes": "CYX"})
    np.testing.assert_array_equal(Image(path, channels).read().shape, (37, 50, channels or 3))


def test_other_numbers_of_pages_are_channels_where_they_are_asked_for(tmp_path: Path) -> None:
    pages = RNG.integers(0, 256, (5, 37, 50), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", metadata=None)
    np.testing.assert_array_equal(Image(tmp_path / "a.tif", 5).read(), np.moveaxis(pages, 0, -1))
    with pytest.raises(SegappError, match=r"5 pages .* Set `channels: 5`"):
        Image(tmp_path / "a.tif").read()


def test_no_other_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _named_elsewhere(tmp_path)
    opened: list[str] = []
    real = tifffile.FileHandle.open

    def open(self: tifffile.FileHandle) -> None:
        opened.append(str(getattr(self._file, "name", self._file)))
        real(self)

    monkeypatch.setattr(tifffile.FileHandle, "open", open)
    for path in files.values():
        assert (read_raw(path) == 7).all()
        assert {Path(name).name for name in opened} == {path.name}
        opened.clear()


def test_a_stack_of_micro_manager_opens_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """tifffile looks for its other files also where it was told not to; no file of that kind is at hand."""
    tifffile.imwrite(tmp_path / "a.tif", PAGES[0], metadata=None)
    monkeypatch.setattr(tifffile.TiffFile, "is_mmstack", True)
    monkeypatch.setattr(tifffile.TiffFile, "_series_mmstack", lambda self: pytest.fail("looks for other files"))
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tif"), PAGES[0])


def test_a_smaller_copy_is_not_the_image(tmp_path: Path) -> None:
    large = RNG.integers(0, 256, (64, 96), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(large[::2, ::2], subfiletype=1)
        file.write(large, subfiletype=0)
        file.write(large[::4, ::4], subfiletype=1)
    np.testing.assert_array_equal(read_raw(tmp_path / "a.tif"), large)
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        file.write(large)
        file.write(large[:40])
    with pytest.raises(SegappError, match=r"b\.tif: TIFF of 2 images \(64 x 96, 40 x 96\)"):
        read_shape(tmp_path / "b.tif")


def test_a_file_of_endless_pages_is_refused_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_pages, "MAX_PAGES", 20)
    for count in (20, 21):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for _ in range(count):
                writer.write(np.zeros((32, 32), np.uint8), contiguous=False)
        with pytest.raises(SegappError, match="more than 20 pages" if count > 20 else "20 images"):
            read_raw(tmp_path / "a.tif")


def _write_sparse(path: Path, tag: int, kind: int, count: int) -> Path:
    """Write a BigTIFF of 9 GB that takes no space, with a tag of so many values."""
    small = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 277: 1, 278: 16, 273: 16, 279: 256}
    entries = {code: (3, 1, value) for code, value in small.items()} | {tag: (kind, count, 5000)}
    directory = b"".join(struct.pack("<HHQQ", code, *entry) for code, entry in sorted(entries.items()))
    length = struct.pack("<Q", len(entries))
    path.write_bytes(b"II+\0\x08\0\0\0" + struct.pack("<Q", 272) + bytes(256) + length + directory + bytes(8))
    os.truncate(path, 9 * 10**9)
    return path


def test_a_page_of_endless_copies_is_refused_unseen(tmp_path: Path) -> None:
    """Each entry of SubIFDs is a page to look at: 100,000 of one page took half a minute."""
    with pytest.raises(SegappError, match=r"a\.tif: TIFF of 1,000 smaller copies"):
        read_shape(_write_sparse(tmp_path / "a.tif", 330, 4, 1000))


@pytest.mark.parametrize(("tag", "kind"), [(270, 2), (33550, 12), (273, 16)], ids=["text", "scale", "strips"])
def test_a_tag_of_gigabytes_is_not_read(tmp_path: Path, tag: int, kind: int) -> None:
    """A tar of some kilobytes holds such a file."""
    with pytest.raises(SegappError, match=r"a\.tif: TIFF with too much .*before its pixels"):
        read_shape(_write_sparse(tmp_path / "a.tif", tag, kind, 10**9))
