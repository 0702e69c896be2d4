"""Which images are found, and what they become."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segapp.errors import MisuseError
from segapp.prediction.manifest import Manifest, Row
from segapp.prediction.tasks import _choose_stems, _remove_suffixes, describe_unread, list_tasks


@pytest.fixture
def folder(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        return tmp_path / "images"

    return make


def names(tasks, output, kind="mask"):
    return [task.outputs[kind].relative_to(output / kind).as_posix() for task in tasks]


def test_sub_folders_are_kept_and_other_files_left(folder, tmp_path):
    images = folder("b.png", "a.JPG", "deep/er/c.tif", "deep/d.bmp", "notes.txt", ".hidden.png", "z.TIFF")
    tasks = list_tasks(images, tmp_path / "out", ["mask"])
    assert names(tasks, tmp_path / "out") == ["a.png", "b.png", "z.TIFF", "deep/d.png", "deep/er/c.tif"]


def test_every_kind_lies_in_its_folder(folder, tmp_path):
    images = folder("a.tif")
    (task,) = list_tasks(images, tmp_path / "out", ["overlay"])
    assert task.outputs == {"overlay": tmp_path / "out" / "overlay" / "a.png"}
    (task,) = list_tasks(images, tmp_path / "out", ["mask", "probability", "mask"])
    assert task.outputs == {
        "mask": tmp_path / "out" / "mask" / "a.tif",
        "probability": tmp_path / "out" / "probability" / "a.npy",
    }


def test_names_that_would_be_shared_keep_their_suffix(folder, tmp_path):
    images = folder("a.png", "a.jpg", "b.png", "c/a.png")
    assert names(list_tasks(images, tmp_path / "out", ["mask"]), tmp_path / "out") == [
        "a.jpg.png",
        "a.png.png",
        "b.png",
        "c/a.png",
    ]


def test_a_kept_suffix_meets_no_other_name(folder, tmp_path):
    images = folder("a.png", "a.jpg", "a.png.png", "A.bmp")
    found = names(list_tasks(images, tmp_path / "out", ["overlay"]), tmp_path / "out", "overlay")
    assert found == ["A.bmp.png", "a.jpg.png", "a.png.png", "a.png.png.png"]


stems, suffixes = st.sampled_from(["a", "b", "A", "ab"]), st.sampled_from([".png", ".jpg", ".tif"])


@given(st.sets(st.builds("{}{}{}".format, stems, suffixes | st.just(""), suffixes), min_size=1))
def test_no_two_images_share_a_name(files):
    paths = [Path(name) for name in sorted(files)]
    found = _remove_suffixes(paths)
    folded = [str(name).casefold() for name in found]
    twins = {str(path).casefold() for path in paths}
    assert len(set(found)) == len(paths)
    assert len(set(folded)) >= min(len(twins), len(paths))


@given(st.sets(st.builds("{}{}{}".format, stems, suffixes | st.just(""), suffixes), min_size=1), st.data())
def test_stems_given_stay_and_processes_agree(files, data):
    """Whatever was there before, and whatever another process has written down of its own images meanwhile."""
    before, later = sorted(data.draw(st.sets(st.sampled_from(sorted(files))))), [Path(name) for name in sorted(files)]
    given = dict(zip(before, _choose_stems(before, [Path(name) for name in before], {}), strict=True))
    found = dict(zip(map(str, later), _choose_stems(list(map(str, later)), later, given), strict=True))
    assert given.items() <= found.items()
    assert len(set(found.values())) == len(files)
    for name in set(found) - set(before):  # of an image that is new, no other image's stem in another case either
        others = {stem.casefold() for image, stem in given.items() if image.casefold() != name.casefold()}
        assert found[name].casefold() not in others
    seen = data.draw(st.sets(st.sampled_from(sorted(files))))
    meanwhile = given | {name: found[name] for name in seen}
    assert dict(zip(map(str, later), _choose_stems(list(map(str, later)), later, meanwhile), strict=True)) == found


def test_the_stem_of_an_image_that_is_gone_is_not_given_again(folder, tmp_path):
    images = folder("x.png")
    (task,) = list_tasks(images, tmp_path / "out", ["mask"], {"x.jpg": "x"})
    assert task.outputs["mask"] == tmp_path / "out" / "mask" / "x.png.png"


def test_a_manifest_that_names_a_file_elsewhere_is_refused(folder, tmp_path):
    for stem in ("../../precious", "/precious"):
        with pytest.raises(MisuseError, match="outside"):
            list_tasks(folder("x.png"), tmp_path / "out", ["mask"], {"x.png": stem})


def test_one_file_is_a_folder_of_one(folder, tmp_path):
    images = folder("a.png", "b.png")
    assert names(list_tasks(images / "b.png", tmp_path / "out", ["mask"]), tmp_path / "out") == ["b.png"]


def test_outputs_inside_the_images_are_no_images(folder):
    images = folder("a.png", "masks/a.png", "masks/sub/b.png")
    assert names(list_tasks(images, images / "masks", ["mask"]), images / "masks") == ["a.png"]


def test_earlier_outputs_inside_the_images_are_no_images_either(folder, tmp_path):
    images = folder("a.png", "masks/a.png", "masks/sub/b.png", "set/c.png")
    Manifest(images / "masks").add(Row("a.png", 1, 2, "m", "done"))
    (images / "set" / "manifest.csv").write_text("a table of the data set's own\n")
    assert names(list_tasks(images, tmp_path / "out", ["mask"]), tmp_path / "out") == ["a.png", "set/c.png"]


def test_links_are_followed_once(folder, tmp_path):
    images = folder("a.png", "sub/b.png")
    (images / "sub" / "up").symlink_to(images)
    (images / "sub" / "self").symlink_to(images / "sub")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c.png").write_bytes(b"x")
    (images / "link").symlink_to(elsewhere)
    found = names(list_tasks(images, tmp_path / "out", ["mask"]), tmp_path / "out")
    assert found == ["a.png", "link/c.png", "sub/b.png"]


def test_a_link_out_of_the_output_folder_is_refused(folder, tmp_path):
    images = folder("sub/a.png")
    (tmp_path / "out" / "mask").mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    (tmp_path / "out" / "mask" / "sub").symlink_to(tmp_path / "precious")
    with pytest.raises(MisuseError, match="outside"):
        list_tasks(images, tmp_path / "out", ["mask"])


def test_an_output_that_would_replace_an_image_is_refused(folder, tmp_path):
    images = folder("a.png")
    with pytest.raises(MisuseError, match="folder of the images"):
        list_tasks(images, images, ["mask"])
    (tmp_path / "images").rename(tmp_path / "mask")
    with pytest.raises(MisuseError, match="replace the image"):
        list_tasks(tmp_path / "mask", tmp_path, ["mask"])


def test_nothing_to_do_is_a_misuse(folder, tmp_path):
    images = folder("notes.txt")
    with pytest.raises(MisuseError, match=r"no image in .*images.*\.png"):
        list_tasks(images, tmp_path / "out", ["mask"])
    with pytest.raises(MisuseError, match=r"reads .*\.png"):
        list_tasks(images / "notes.txt", tmp_path / "out", ["mask"])
    with pytest.raises(MisuseError, match=r"did you mean .*images\?"):
        list_tasks(tmp_path / "image", tmp_path / "out", ["mask"])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MisuseError, match="is a file"):
        list_tasks(folder("a.png"), tmp_path / "file", ["mask"])


def test_a_link_that_leads_back_above_the_images_is_not_taken(folder, tmp_path):
    images = folder("a.png", "sub/b.png")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a.png").write_bytes(b"x")
    (images / "up").symlink_to("..")
    assert [task.name for task in list_tasks(images, tmp_path / "out", ["mask"])] == ["a.png", "sub/b.png"]


def test_an_output_named_like_an_image_is_refused(folder, tmp_path):
    with pytest.raises(MisuseError, match=r"m\.png has the name of an image"):
        list_tasks(folder("a.png"), tmp_path / "m.png", ["mask"])


def test_a_pipe_called_manifest_among_the_images_is_not_opened(folder, tmp_path):
    images = folder("deep/a.png")
    os.mkfifo(images / "deep" / "manifest.csv")
    assert len(list_tasks(images, tmp_path / "out", ["mask"])) == 1


def test_the_files_of_an_images_channels_are_one_task_with_the_images_name(folder, tmp_path):
    images = folder("b_0000.nii.gz", "b_0001.nii.gz", "sub/a_0001.png", "c.nii.gz")
    channels = ["{name}_0000", "{name}_0001"]
    tasks = {task.name: task for task in list_tasks(images, tmp_path / "out", ["mask"], None, channels)}
    mask = tmp_path / "out" / "mask"
    assert {name: task.outputs["mask"] for name, task in tasks.items()} == {
        "b_0000.nii.gz": mask / "b.nii.gz",
        "sub/a_0000.png": mask / "sub" / "a.png",
        "c.nii.gz": mask / "c.nii.gz",
    }
    assert tasks["b_0000.nii.gz"].channel_files == (images / "b_0001.nii.gz",)
    assert not any(task.is_renamed for task in tasks.values())
    (alone,) = list_tasks(images / "b_0000.nii.gz", tmp_path / "out", ["mask"], None, channels)
    assert alone == tasks["b_0000.nii.gz"]


def test_a_channels_file_keeps_its_name_where_another_image_has_the_shorter_one(folder, tmp_path):
    images = folder("a_0000.png", "a.png")
    tasks = list_tasks(images, tmp_path / "out", ["mask"], None, ["{name}_0000"])
    assert sorted(task.outputs["mask"].name for task in tasks) == ["a.png", "a_0000.png"]


def test_a_folder_that_is_an_image_is_one_task(folder, tmp_path):
    images = folder("deep/a.zarr/.zattrs", "deep/a.zarr/0/b.png", "c.png")
    out = tmp_path / "out"
    assert names(list_tasks(images, out, ["mask"]), out) == ["c.png", "deep/a.zarr"]
    for path in (images / "deep" / "a.zarr", images / "deep" / "a.zarr" / "labels" / "cells"):
        (task,) = list_tasks(path, out, ["mask"])
        assert (task.image, task.name) == (images / "deep" / "a.zarr", "a.zarr")
    assert task.array == "/labels/cells"
    (out / "mask" / "a.zarr").mkdir(parents=True)
    with pytest.raises(MisuseError, match="replace the image itself"):
        list_tasks(out / "mask" / "a.zarr", out, ["mask"])


def test_voxels_beside_their_header_are_not_left_out(tmp_path):
    header = "ObjectType = Image\nNDims = 2\nDimSize = 2 2\nElementType = MET_UCHAR\nElementDataFile = a.raw\n"
    (tmp_path / "a.mhd").write_text(header)
    (tmp_path / "a.raw").write_bytes(bytes(4))
    assert describe_unread(tmp_path, tmp_path / "out") is None
    (tmp_path / "b.raw").write_bytes(bytes(4))
    assert describe_unread(tmp_path, tmp_path / "out").startswith("left out: 1 .raw (b.raw); segapp reads")
