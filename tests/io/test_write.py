"""What is written is whole, exact, and in the colours asked for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from segapp.errors import SegappError
from segapp.io import read_raw, write_atomically, write_folder_atomically, write_image, write_mask
from segapp.io.unfinished import remove_left_overs

PALETTE = ((0, 0, 0), (255, 0, 0), (0, 0, 255))
INDICES = np.random.default_rng(0).integers(0, 3, (37, 50), np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".TIF"])
def test_a_mask_comes_back_as_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / "folder" / f"a{suffix}"
    write_mask(path, INDICES, PALETTE)
    np.testing.assert_array_equal(read_raw(path), INDICES)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_mask_has_exactly_the_palette(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.png", INDICES, PALETTE)
    with PIL.Image.open(tmp_path / "a.png") as file:
        assert file.mode == "P"
        assert file.getpalette("RGB") == [value for colour in PALETTE for value in colour]
        np.testing.assert_array_equal(np.asarray(file.convert("RGB")), np.array(PALETTE, np.uint8)[INDICES])


@pytest.mark.parametrize("classes", [2, 3, 5, 17, 254, 255])
def test_any_number_of_classes_survives(tmp_path: Path, classes: int) -> None:
    indices = np.arange(classes, dtype=np.uint8).reshape(1, -1)
    write_mask(tmp_path / "a.png", indices, [(i, 255 - i, 7) for i in range(classes)])
    np.testing.assert_array_equal(read_raw(tmp_path / "a.png"), indices)


def test_ignored_pixels_survive(tmp_path: Path) -> None:
    indices = INDICES.copy()
    indices[:5] = 255
    for name in ("a.png", "a.tif"):
        write_mask(tmp_path / name, indices, PALETTE)
        np.testing.assert_array_equal(read_raw(tmp_path / name), indices)


def test_a_tiff_mask_is_compressed(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.tif", np.zeros((500, 500), np.uint8), PALETTE)
    assert (tmp_path / "a.tif").stat().st_size < 5000
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].dtype == np.uint8


def test_a_tiff_mask_shows_its_classes_colours_and_holds_their_indices(tmp_path: Path) -> None:
    write_mask(tmp_path / "a.tif", INDICES, PALETTE)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), INDICES)
    with PIL.Image.open(tmp_path / "a.tif") as file:
        assert file.mode == "P"
        np.testing.assert_array_equal(np.asarray(file), INDICES)
        np.testing.assert_array_equal(np.asarray(file.convert("RGB")), np.array(PALETTE, np.uint8)[INDICES])


def test_what_a_killed_process_was_writing_is_removed_and_nothing_else(tmp_path: Path) -> None:
    left = [".a.segapp-0123456789ab.png", ".b.segapp-0123456789ab", ".bundle.segapp-ba9876543210"]
    kept = [".a.0123456789ab.png", "a.segapp-0123456789ab.png", ".a.segapp-0123456789abc.png", ".hidden"]
    for name in [*left[:2], *kept]:
        (tmp_path / name).write_text("half")
    (tmp_path / left[2]).mkdir()
    (tmp_path / left[2] / "network.onnx").write_text("half")
    with write_atomically(tmp_path / "c.png") as ours, write_folder_atomically(tmp_path / "new") as folder:
        remove_left_overs(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, ours.name, folder.name])
        ours.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "c.png", "new"])


def test_a_process_removes_left_overs_where_it_first_writes(tmp_path: Path) -> None:
    (tmp_path / ".x.segapp-0123456789ab.png").write_text("half")
    write_mask(tmp_path / "a.png", INDICES, PALETTE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


DIES_WRITING = """
import os, sys
from pathlib import Path
from segapp.io.unfinished import open_unfinished
with open_unfinished(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_is_given_back(tmp_path: Path) -> None:
    words = [sys.executable, "-c", DIES_WRITING, str(tmp_path / "a.png")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, cwd=Path(__file__).parents[2], **pipes) as process:
        assert process.stdout is not None and process.stdout.readline() == b"writing\n"
        remove_left_overs(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        process.kill()
    remove_left_overs(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        (np.full((3, 3), 3, np.uint8), r"the mask holds \[3\], but the palette has 3 colours"),
        (np.zeros((3, 3), np.int64), "int64"),
        (np.zeros((3, 3, 1), np.uint8), r"\(3, 3, 1\)"),
    ],
)
def test_a_mask_that_is_none_is_refused(tmp_path: Path, indices: np.ndarray, words: str) -> None:
    with pytest.raises(SegappError, match=words):
        write_mask(tmp_path / "a.png", indices, PALETTE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("shape", [(37, 50), (37, 50, 3)])
def test_an_image_comes_back_as_written(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    write_image(tmp_path / f"a{suffix}", pixels)
    np.testing.assert_array_equal(read_raw(tmp_path / f"a{suffix}"), pixels)


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(143)])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(type(error)), write_atomically(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_name_is_beside_hidden_and_keeps_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_text("old")
    with write_atomically(tmp_path / "a.npz") as temporary:
        assert (temporary.parent, temporary.suffix, temporary.name[0]) == (tmp_path, ".npz", ".")
        temporary.write_text("new")
        assert (tmp_path / "a.npz").read_text() == "old"
    assert (tmp_path / "a.npz").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SegappError, match="the folder cannot be created"):
        write_mask(tmp_path / "file" / "a.png", INDICES, PALETTE)
    (tmp_path / "b.png").mkdir()
    with pytest.raises(SegappError, match=r"b\.png: cannot be written"):
        write_mask(tmp_path / "b.png", INDICES, PALETTE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "file"]
