"""The images of a folder: names, groups and what is left out."""

import glob
import re
import time
from pathlib import Path

import pytest

from segapp.datasets.folder_images import FolderImages
from segapp.datasets.masks.encoding import FoundImage
from segapp.errors import MisuseError


def make_images(*names, exclude=(), group=None, part=""):
    found = [FoundImage(Path(f"{name}.png"), name, name, None, part) for name in names]
    return FolderImages(Path("root"), found, exclude, group and re.compile(group), ())


def test_thousands_of_excluded_names_take_no_time():
    names = [f"[{number}] a*" for number in range(5000)]
    images = make_images(*names, "b1", exclude=[*map(glob.escape, names), "c*"])
    began = time.process_time()
    assert images.names == ["b1"]
    assert time.process_time() - began < 2


def test_excluded_names_are_left_out():
    images = make_images("a1", "b1", "b2", exclude=["a*", "b2"])
    assert images.names == ["b1"] and images.first.path == Path("b1.png")
    assert list(images.by_name) == ["a1", "b1", "b2"]
    with pytest.raises(MisuseError, match=r"exclude .* 1"):
        _ = make_images("a", exclude=["*"]).first


def test_the_slices_of_a_volume_have_its_group():
    assert make_images("v/axial=1", part="axial=1").find_group("v/axial=1") == "v"
    assert make_images("p1_x", group="^(p.)").find_group("p1_x") == "p1"


def test_problems_of_names_are_found():
    assert list(make_images("a", "b").find_problems()) == []
    kinds = [(problem.kind, problem.path) for problem in make_images("a", "a", "b", group="(a)").find_problems()]
    assert kinds == [("name", Path("a.png")), ("group", Path("b.png"))]
