"""The generated set is deterministic, whole, honest about what it holds, and needs a network."""

import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segapp.datasets import cells as room
from segapp.datasets.cells import Cells
from segapp.errors import MisuseError, SegappError

SMALL = {"size": 48, "train": 3, "val": 2, "test": 1}


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_constructing_touches_nothing(tmp_path: Path) -> None:
    source = Cells(tmp_path / "cells", **SMALL)
    assert (source.channels, source.classes, source.intensity.kind) == (1, ("background", "cell"), "stored")
    assert list(tmp_path.iterdir()) == []


def test_the_set_is_ordinary_files(tmp_path: Path) -> None:
    source = Cells(tmp_path / "cells", **SMALL)
    assert [len(source.items(split)) for split in ("train", "val", "test")] == [3, 2, 1]
    item = source.items("val")[1]
    assert item.name == "val/images/cells_0001"
    assert (item.image.shape, item.image.dtype) == ((48, 48, 1), np.uint8)
    assert item.mask is not None and set(np.unique(item.mask.read())) <= {0, 1}
    mask = PIL.Image.open(tmp_path / "cells" / "val" / "masks" / "cells_0001.png")
    assert mask.mode == "P" and mask.getpalette("RGB")[:6] == [0, 0, 0, 64, 196, 255]
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]


def test_same_seed_same_bytes_other_seed_other_pictures(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        Cells(tmp_path / name, **SMALL, seed=seed).items("train")
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert a == b
    assert all(a[name] != c[name] for name in a)


def test_no_two_pictures_agree(tmp_path: Path) -> None:
    Cells(tmp_path / "cells", **SMALL).items("train")
    images = [content for name, content in files(tmp_path / "cells").items() if "images" in name]
    assert len(set(images)) == len(images) == 6


def test_a_larger_set_begins_like_a_smaller_one(tmp_path: Path) -> None:
    Cells(tmp_path / "small", **SMALL).items("train")
    Cells(tmp_path / "large", **SMALL | {"train": 5}).items("train")
    small, large = files(tmp_path / "small"), files(tmp_path / "large")
    assert {name for name in small if small[name] != large[name]} == {"cells.txt"}


@pytest.mark.parametrize(("channels", "border", "size"), [*product((1, 3), (False, True), (32, 77))])
def test_channels_classes_and_sizes(tmp_path: Path, channels: int, border: bool, size: int) -> None:
    source = Cells(tmp_path / "cells", size=size, train=2, val=1, test=0, channels=channels, border=border)
    item = source.items("train")[0]
    assert item.image.read().shape == (size, size, channels)
    assert len(source.classes) == len(source.palette) == 2 + border
    assert len(source.items("test")) == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"size": 16}, "size=16"),
        ({"channels": 2}, "channels=2"),
        ({"val": 0}, "val=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_impossible_settings_are_refused(tmp_path: Path, setting: dict, words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        Cells(tmp_path / "cells", **SMALL | setting)


def test_other_settings_are_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    Cells(tmp_path / "cells", **SMALL).items("train")
    before = files(tmp_path / "cells")
    with pytest.raises(MisuseError, match=r"size 48 there, 64 here.*`root`"):
        Cells(tmp_path / "cells", **SMALL | {"size": 64}).items("train")
    assert files(tmp_path / "cells") == before


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(MisuseError, match="no Cells data set"):
        Cells(tmp_path, **SMALL).items("train")
    assert files(tmp_path) == {"thesis.txt": b"precious"}


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    assert len(Cells(tmp_path, **SMALL).items("train")) == 3


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_generation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    calls = []

    def draw(*arguments: object) -> tuple[np.ndarray, np.ndarray]:
        calls.append(arguments)
        if len(calls) == 4:
            raise stop
        return np.zeros((48, 48, 1), np.uint8), np.zeros((48, 48), np.uint8)

    monkeypatch.setattr(room, "draw_image", draw)
    with pytest.raises((KeyboardInterrupt, SegappError)):
        Cells(tmp_path / "cells", **SMALL).items("train")
    assert len(calls) == 4 and list(tmp_path.iterdir()) == []


GENERATE = f"""
import sys
from segapp.datasets import Cells
print(len(Cells(sys.argv[1], **{SMALL}).items("train")))
"""


def test_two_processes_may_start_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GENERATE, str(tmp_path / "cells")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=120)[0].strip() for process in started] == ["3", "3"]
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]
    Cells(tmp_path / "alone", **SMALL).items("train")
    assert files(tmp_path / "cells") == files(tmp_path / "alone")


def test_whoever_comes_second_takes_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process finishes while this one is still drawing."""
    drawn = room._draw_all

    def draw_while_another_finishes(folder: Path, recipe: room.Recipe) -> None:
        drawn(folder, recipe)
        drawn(tmp_path / "cells", recipe)

    monkeypatch.setattr(room, "_draw_all", draw_while_another_finishes)
    assert len(Cells(tmp_path / "cells", **SMALL).items("train")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]
