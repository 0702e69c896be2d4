"""Splits that a data set came with."""

import pytest

from segapp.errors import MisuseError
from segapp.planning.layout import find_layout
from segapp.planning.published_split import find_published_split
from segapp.planning.source import build_planned_source, describe_folder
from tests.planning.discs import write_discs


def describe_split(folder):
    layout = find_layout(str(folder / "photos"), str(folder / "labels"))
    return find_published_split(layout.root, layout.found, layout.split_folders)


def write_lists(folder, **lists):
    folder.mkdir()
    for split, names in lists.items():
        (folder / f"{split}.txt").write_text("\n".join(names))


def test_images_without_lists_have_no_split(tmp_path):
    assert describe_split(write_discs(tmp_path)) == []


def test_lists_beside_the_images_are_their_split(tmp_path):
    folder = write_discs(tmp_path)
    names = sorted(path.stem for path in (folder / "photos").iterdir())
    write_lists(folder / "splits", train=names[:6], val=names[6:8])
    (decision,) = describe_split(folder)
    assert decision.setting == "data.source.init_args.split"
    assert decision.value == {
        "class_path": "segapp.datasets.Lists",
        "init_args": {"train": "splits/train.txt", "val": "splits/val.txt"},
    }
    assert "6 in splits/train.txt, 2 in splits/val.txt; " in decision.reason
    assert decision.reason.endswith(f"; {len(names) - 8} are in none.")


def test_lists_of_other_names_are_refused(tmp_path):
    folder = write_discs(tmp_path)
    write_lists(folder / "splits", train=["nowhere"], val=["else"])
    with pytest.raises(MisuseError, match=r"nowhere.* move them to another folder"):
        describe_split(folder)


def test_folders_named_as_splits_divide_the_images(tmp_path):
    folder = write_discs(tmp_path)
    for kind in ("photos", "labels"):
        for number, path in enumerate(sorted((folder / kind).iterdir())):
            split = "val" if number % 3 == 0 else "train"
            (folder / kind / split).mkdir(exist_ok=True)
            path.rename(folder / kind / split / path.name)
    (decision,) = describe_split(folder)
    assert decision.value["class_path"] == "segapp.datasets.Folders"
    assert (decision.value["init_args"]["train"], decision.value["init_args"]["val"]) == ("train", "val")


def test_images_in_no_list_need_no_mask(tmp_path):
    folder = write_discs(tmp_path)
    names = sorted(path.stem for path in (folder / "photos").iterdir())
    for name in names[6:]:
        (folder / "labels" / f"{name}.png").unlink()
    write_lists(folder / "splits", train=names[:4], val=names[4:6])
    source = build_planned_source(describe_folder(str(folder / "photos"), str(folder / "labels")))
    assert [len(source.items(split)) for split in ("train", "val")] == [4, 2]
    assert list(source.layout_problems()) == []
    (folder / "labels" / f"{names[4]}.png").unlink()
    with pytest.raises(MisuseError, match=f"images have no mask: {names[4]}"):
        describe_folder(str(folder / "photos"), str(folder / "labels"))
