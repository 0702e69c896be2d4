"""One large image is enough to train, to validate and to test."""

import numpy as np
import pytest

from segapp.datasets import Blocks, Folder, Joined, KFold
from segapp.datasets.source import SPLITS
from segapp.errors import MisuseError
from segapp.io import write_image
from segapp.loading.recorded_split import select_recorded
from tests.datasets.look_alikes import write_pair
from tests.io.volumes import write_nifti

CUT = Blocks(size=32, gap=3, val=0.25, test=0.25)


def write_scene(root, name="scene"):
    """Write an image of 96 x 128 pixels, 12 blocks of 32, and a mask that tells right from left."""
    pixels = np.arange(96 * 128).reshape(96, 128).astype(np.uint8)
    mask = np.zeros((96, 128), np.uint8)
    mask[:, 96:] = 1
    write_pair(root, name, pixels, mask)
    return pixels


def open_folder(root, split=CUT, **settings):
    return Folder(root, ["left", "right"], split=split, **settings)


def read_split(source):
    return {split: [item.name for item in source.items(split)] for split in SPLITS}


def test_one_image_is_divided_into_three_splits(tmp_path):
    pixels = write_scene(tmp_path)
    source = open_folder(tmp_path)
    assert [problem for problem in source.problems() if problem.severity == "error"] == []
    names = read_split(source)
    assert [len(names[split]) for split in SPLITS] == [6, 3, 3]
    assert sorted(sum(names.values(), [])) == sorted(source.item_names())  # noqa: RUF017
    assert source.item_names()[:5] == ["scene@r0c0", "scene@r0c1", "scene@r0c2", "scene@r0c3", "scene@r1c0"]
    for item in source.items("test"):
        y, x = (32 * int(number) for number in item.name.removeprefix("scene@r").split("c"))
        np.testing.assert_array_equal(item.image.read()[..., 0], pixels[y : y + 32, x : x + 32])
        assert (item.mask.read() == (x == 96)).all()
    trained = [item.image.window for item in source.items("train")]
    assert any(window[2:] != (32, 32) for window in trained)


def test_a_recorded_split_and_its_gap_outlive_new_images(tmp_path):
    write_scene(tmp_path)
    before = open_folder(tmp_path)
    names, windows = read_split(before), [item.image.window for item in before.items("train")]
    write_scene(tmp_path, "another")
    after = select_recorded(open_folder(tmp_path), names)
    assert {split: [item.name for item in items] for split, items in after.items()} == names
    assert [item.image.window for item in after["train"]] == windows


def test_new_images_move_few_blocks(tmp_path):
    write_scene(tmp_path)
    before = read_split(open_folder(tmp_path))
    write_scene(tmp_path, "z")
    after = read_split(open_folder(tmp_path))
    home = {name: split for split in SPLITS for name in after[split]}
    assert sum(home[name] != split for split in SPLITS for name in before[split]) <= 3


def test_every_split_gets_a_rare_class(tmp_path):
    write_scene(tmp_path)
    split = Blocks(size=32, gap=3, val=0.25, test=0.25, stratify=True)
    for items in map(open_folder(tmp_path, split).items, SPLITS):
        assert {int(value) for item in items for value in np.unique(item.mask.read())} == {0, 1}


def test_folds_are_made_of_blocks(tmp_path):
    write_scene(tmp_path)
    names = read_split(open_folder(tmp_path, KFold(0, 3, within=Blocks(size=32, gap=3, test=0.25))))
    assert [len(names[split]) for split in SPLITS] == [6, 3, 3]


def test_blocks_are_excluded_by_name_and_leave_no_gap(tmp_path):
    write_scene(tmp_path)
    source = open_folder(tmp_path, exclude=["scene@r*c[0-2]"])
    assert source.item_names() == ["scene@r0c3", "scene@r1c3", "scene@r2c3"]
    assert all(item.image.window[3] == 32 for split in SPLITS for item in source.items(split))


def test_a_mask_of_another_size_is_a_problem_of_its_file(tmp_path):
    write_scene(tmp_path)
    write_image(tmp_path / "masks/scene.png", np.zeros((96, 120), np.uint8))
    problem = next(open_folder(tmp_path).problems())
    assert problem.path == tmp_path / "masks/scene.png"
    assert "96 x 128" in problem.message and "96 x 120" in problem.message


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"size": 16}, "size=16"), ({"size": 64, "gap": 16}, "gap=16"), ({"gap": -1}, "gap=-1"), ({"val": 1.0}, "val=1")],
)
def test_blocks_that_leave_nothing_are_refused(settings, told):
    with pytest.raises(MisuseError, match=told):
        Blocks(**settings)


def test_too_few_blocks_a_group_and_volumes_are_refused(tmp_path):
    write_scene(tmp_path)
    with pytest.raises(MisuseError, match="size"):
        open_folder(tmp_path, Blocks(size=96, gap=3)).items("train")
    with pytest.raises(MisuseError, match="group"):
        open_folder(tmp_path, group="(.*)")
    write_nifti(tmp_path / "images/v.nii.gz", np.zeros((4, 4, 3), np.uint8))
    write_nifti(tmp_path / "masks/v.nii.gz", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(MisuseError, match=r"v\.nii\.gz: is a volume"):
        open_folder(tmp_path).items("train")


def test_joined_sets_keep_the_gap_of_a_recorded_split(tmp_path):
    sources = []
    for name in ("one", "two"):
        write_scene(tmp_path / name)
        sources.append(open_folder(tmp_path / name))
    joined = Joined(sources)
    assert joined.cuts_images
    names, windows = read_split(joined), [item.image.window for item in joined.items("train")]
    assert [item.image.window for item in select_recorded(joined, names)["train"]] == windows
