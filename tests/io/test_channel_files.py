"""Files of channels: found by name, joined to one image."""

from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.io import FilePart
from segapp.io.channel_files import find_channel, join_channel_files, recognise_channel_files

TWO = ("{name}_0000", "{name}_0001")


def test_a_channel_is_found_before_or_after_the_name():
    assert find_channel("case_7_0001", TWO) == ("case_7", 1)
    assert find_channel("t1_case", ("t2_{name}", "t1_{name}")) == ("case", 1)
    assert find_channel("_0001", TWO) is None and find_channel("case_0002", TWO) is None


def test_of_several_names_that_fit_the_longest_is_the_channel():
    assert find_channel("a_nir", ("{name}", "{name}_nir")) == ("a", 1)
    assert find_channel("a", ("{name}", "{name}_nir")) == ("a", 0)


def test_files_of_one_image_are_joined_in_the_order_of_the_channels():
    paths = [Path(name) for name in ("x/b_0001.png", "x/a_0000.png", "x/b_0000.jpg", "x/a_0001.png")]
    joined = join_channel_files(paths, TWO)
    assert joined == {
        Path("x/b"): FilePart(Path("x/b_0000.jpg"), "", (Path("x/b_0001.png"),)),
        Path("x/a"): FilePart(Path("x/a_0000.png"), "", (Path("x/a_0001.png"),)),
    }


def test_a_missing_channel_has_the_path_where_it_should_be():
    (file,) = join_channel_files([Path("x/a_0001.nii.gz")], TWO).values()
    assert file == FilePart(Path("x/a_0000.nii.gz"), "", (Path("x/a_0001.nii.gz"),))


def test_other_files_are_images_of_their_own():
    assert join_channel_files([Path("x/a.png")], TWO) == {Path("x/a.png"): FilePart(Path("x/a.png"))}
    assert join_channel_files([Path("x/a_0000.png")], ()) == {Path("x/a_0000.png"): FilePart(Path("x/a_0000.png"))}


def test_two_files_of_one_channel_are_refused():
    with pytest.raises(MisuseError, match=r"a_0000\.jpg"):
        join_channel_files([Path("a_0000.png"), Path("a_0000.jpg")], TWO)


@pytest.mark.parametrize(
    ("images", "masks", "expected"),
    [
        (("a_0000", "a_0001", "b_0000", "b_0001"), ("a", "b"), TWO),
        (("a_0000", "b_0000"), ("a", "b"), ("{name}_0000",)),
        (("a_0000", "b_0000"), ("a_0000", "b_0000"), ()),
        (("frame_0001", "frame_0002"), ("frame_0001", "frame_0002"), ()),
        (("frame_0000", "frame_0001"), ("frame_0000", "frame_0001"), ()),
        (("a_0000", "b"), ("a", "b"), ()),
        ([f"a_{number:04}" for number in range(17)], ("a",), ()),
        ((), (), ()),
    ],
)
def test_names_of_nnunet_are_recognised(images, masks, expected):
    assert recognise_channel_files(images, masks) == expected
