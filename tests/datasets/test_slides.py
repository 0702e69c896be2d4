"""Slides of a data set are read at one µm per pixel, whatever levels their scanner chose."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Blocks, Contiguous, Folder, Joined
from segapp.datasets.slides import settle_resolution
from segapp.datasets.source import SPLITS
from segapp.errors import MisuseError, SegappError
from segapp.io import FilePart, write_mask
from segapp.spec import Resolution
from tests.io.slides import make_levels, write_svs

PIXELS = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
CLASSES = ("background", "cell")


def make_folder(root: Path, resolution: Resolution | None) -> Folder:
    """Return a data set of two slides: one at 0.25 µm and a quarter of it, one at 0.5 µm and half of it."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    write_svs(root / "images/a.svs", make_levels(PIXELS, [1, 4]), um=0.25)
    write_svs(root / "images/b.svs", make_levels(PIXELS, [1, 2]), um=0.5)
    write_mask(root / "masks/a.png", np.zeros((24, 32), np.uint8), None)
    write_mask(root / "masks/b.png", np.zeros((48, 64), np.uint8), None)
    return Folder(root, CLASSES, resolution=resolution, split=Contiguous(val=0.5))


@pytest.mark.parametrize("resolution", [Resolution(level=1), Resolution(um_per_pixel=1.0)])
def test_a_level_is_that_of_the_first_slide_and_its_um_per_pixel_that_of_all(tmp_path, resolution):
    folder = make_folder(tmp_path, resolution)
    assert folder.resolution == Resolution(um_per_pixel=1.0) and next(folder.problems()).kind == "class"
    (first,), (second,) = folder.items("train"), folder.items("val")
    np.testing.assert_array_equal(first.image.read(), make_levels(PIXELS, [4])[0])
    np.testing.assert_array_equal(second.image.read(), make_levels(PIXELS, [2])[0])


def test_a_level_stays_one_where_no_um_per_pixel_are_known(tmp_path):
    write_svs(tmp_path / "a.svs", make_levels(PIXELS, [1, 2]), um=0)
    assert settle_resolution(FilePart(tmp_path / "a.svs"), Resolution(level=1)) == Resolution(level=1)


def test_a_level_that_the_first_slide_does_not_have_is_a_problem(tmp_path):
    (problem,) = make_folder(tmp_path, Resolution(level=2)).layout_problems()
    assert "has 2 levels (0 … 1), and resolution.level is 2" in problem.message
    with pytest.raises(SegappError, match=r"a\.svs: has 2 levels"):
        make_folder(tmp_path, Resolution(level=2)).items("train")


def test_joined_sets_are_read_at_one_resolution(tmp_path):
    sources = [make_folder(tmp_path / name, Resolution(um_per_pixel=1.0)) for name in "xy"]
    assert Joined(sources).resolution == Resolution(um_per_pixel=1.0)
    with pytest.raises(MisuseError, match=r"resolution: the data set 1 has 1 µm per pixel, and 2 has None"):
        _ = Joined([sources[0], make_folder(tmp_path / "y", None)]).resolution


def test_blocks_lie_on_the_level_that_is_read(tmp_path):
    folder = make_folder(tmp_path, Resolution(level=1))
    blocks = Folder(tmp_path, CLASSES, resolution=folder.resolution, split=Blocks(size=32, gap=0, val=0.3, test=0.3))
    items = [item for split in SPLITS for item in blocks.items(split)]
    assert [item.image.shape for item in items] == 5 * [(24, 32, 3)]
    (corner,) = blocks.select(["b@r1c1"])
    np.testing.assert_array_equal(corner.image.read(), make_levels(PIXELS, [2])[0][24:, 32:])
