"""What stored mask values mean."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from segapp.errors import MisuseError
from segapp.planning.mask_meaning import infer_meaning, name_folders, name_objects
from segapp.planning.mask_values import MaskValues
from segapp.planning.names import NameTable
from tests.planning.stored_masks import mask_of


def table(names, *values, colours=None):
    return NameTable(Path("classes.txt"), tuple(names), values or tuple(range(len(names))), colours)


def test_masks_of_0_and_255_are_a_class_over_background():
    meaning = infer_meaning(mask_of([[0, 255], [0, 0]]))
    assert meaning.classes == ("background", "object")
    assert meaning.mask["init_args"] == {"values": {0: 0, 255: 1}}


def test_masks_that_are_photographs_are_refused():
    noise = np.random.default_rng(0).integers(1, 256, (64, 64))
    with pytest.raises(MisuseError, match="photographs"):
        infer_meaning(mask_of(noise))


def draw_disc(side=128):
    rows, columns = np.mgrid[:side, :side]
    return np.where((rows - 60) ** 2 + (columns - 50) ** 2 < 30**2, 255, 0).astype(np.uint8)


def compress(mask, quality):
    return cv2.imdecode(cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize(
    "changed", [compress(draw_disc(), 60), compress(draw_disc(), 95), cv2.GaussianBlur(draw_disc(), (5, 5), 0)]
)
def test_binary_masks_that_a_codec_changed_get_a_threshold(changed):
    meaning = infer_meaning(mask_of(changed))
    assert (meaning.mask, meaning.classes) == ({"class_path": "segapp.datasets.Threshold"}, ("background", "object"))
    assert "binary" in meaning.reason
    assert infer_meaning(mask_of(changed), names=["skin", "mole"]).classes == ("skin", "mole")


def test_many_numbered_objects_are_no_changed_binary_mask():
    objects = np.zeros((256, 256), np.uint8)
    objects[:, :5] = np.arange(256)[:, None]  # 255 objects of five pixels: nearly all is background
    assert infer_meaning(mask_of(objects)).mask["class_path"] == "segapp.datasets.Instances"


@pytest.mark.parametrize("empty", [[[0, 0]], [[255, 255]], [[3, 255]]])
def test_masks_of_one_value_hold_nothing_to_learn(empty):
    with pytest.raises(MisuseError, match="nothing to learn"):
        infer_meaning(mask_of(empty, empty))


def test_void_beside_class_numbers_is_ignored():
    meaning = infer_meaning(mask_of([[0, 0, 0, 0, 1, 2, 255]]))
    assert (meaning.mask, meaning.classes) == (None, ("background", "class_1", "class_2"))


def test_grey_levels_with_255_are_asked_back_and_answered_by_names():
    masks = mask_of([[0, 128, 255]])
    with pytest.raises(MisuseError, match="--classes"):
        infer_meaning(masks)
    assert infer_meaning(masks, names=["a", "b", "c"]).mask["init_args"]["values"] == {0: 0, 128: 1, 255: 2}
    assert infer_meaning(masks, names=["a", "b"]).mask["init_args"]["values"] == {0: 0, 128: 1}


def test_void_is_ignored_beside_numbers_of_which_some_are_not_used():
    meaning = infer_meaning(mask_of([[0, 7, 8, 15, 255]]))
    assert meaning.classes == ("background", "class_7", "class_8", "class_15")
    assert "255 (20.0% of the pixels) is ignored" in meaning.reason


def test_a_table_names_values_and_ignores_void():
    meaning = infer_meaning(mask_of([[0, 1, 2]]), table(["sky", "road", "void"]))
    assert meaning.classes == ("sky", "road")
    assert meaning.background is None
    assert meaning.mask["init_args"]["values"] == {2: 255}


def test_the_note_of_a_table_is_in_the_reason():
    noted = replace(table(["sky", "road"]), note="; its regions overlap")
    assert infer_meaning(mask_of([[0, 1]]), noted).reason.endswith("; its regions overlap.")


def test_numbers_that_vary_and_always_run_from_one_are_those_of_objects():
    masks = mask_of(*(np.repeat(np.arange(n), 4)[None] for n in (3, 9, 5, 7, 4)))
    assert infer_meaning(masks).mask == {"class_path": "segapp.datasets.Instances"}


COUNTED = [(3, 9, 5, 7, 4, 6), (0, 1, 2, 4, 5)]
"""How many numbers masks hold from 1 on, and the numbers of one with a gap."""


def test_numbers_with_gaps_in_a_few_masks_are_asked_back():
    """Formerly one object that lies outside of its crop made classes of all numbers."""
    masks = mask_of(*(np.repeat(np.arange(n), 4)[None] for n in COUNTED[0]), np.repeat(COUNTED[1], 4)[None])
    with pytest.raises(MisuseError, match=r"run from 1 without a gap in 6 of 7 files: .*--classes background,cell"):
        infer_meaning(masks)
    meaning = infer_meaning(masks, names=["background", "cell"])
    assert (meaning.mask, meaning.classes) == ({"class_path": "segapp.datasets.Instances"}, ("background", "cell"))
    assert infer_meaning(masks, names=[*"abcdefghi"]).mask is None


def number_in_first_band(*masks):
    return mask_of(*(np.repeat(numbers, 4)[None, :, None] * [1, 0, 0] for numbers in masks))


def test_objects_numbered_in_the_first_band_are_one_class():
    masks = number_in_first_band(*map(np.arange, COUNTED[0]))
    meaning = infer_meaning(masks)
    assert (meaning.classes, meaning.background) == (("background", "object"), 0)
    assert meaning.mask["init_args"]["colours"]["object"] == [[number, 0, 0] for number in range(1, 9)]
    masks = number_in_first_band(*map(np.arange, COUNTED[0]), np.arange(99))
    with pytest.raises(MisuseError, match=r"getchannel\(0\)"):
        infer_meaning(masks)


def test_numbers_in_the_first_band_that_may_be_classes_are_asked_back():
    masks = number_in_first_band([0, 1, 2], [0, 2])
    with pytest.raises(MisuseError, match="up to 2 in the first of several bands: they may be numbers of classes or"):
        infer_meaning(masks)
    assert infer_meaning(masks, names=["background", "cell"]).mask["init_args"]["colours"]["cell"] == [
        [1, 0, 0],
        [2, 0, 0],
    ]
    assert infer_meaning(masks, names=["a", "b", "c"]).classes == ("a", "b", "c")
    assert infer_meaning(number_in_first_band([0, 255])).classes == ("background", "colour_ff0000")


def test_colours_become_classes_by_their_table():
    masks = mask_of(np.array([[[0, 0, 0], [255, 0, 0], [0, 0, 255]]]))
    known = table(["other", "tree", "void"], colours=((0, 0, 0), (255, 0, 0), (0, 0, 255)))
    meaning = infer_meaning(masks, known)
    assert meaning.classes == ("other", "tree")
    assert meaning.mask["init_args"]["colours"]["ignore"] == [0, 0, 255]


@pytest.mark.parametrize("bands", [[[0.5, 1]], [[-1.0, 1]]])
def test_fractions_and_negative_numbers_are_no_classes(bands):
    values = MaskValues()
    values.add(np.array(bands, np.float32), "heat.tif")
    with pytest.raises(MisuseError, match=r"heat\.tif"):
        infer_meaning(values)


def test_names_of_another_number_and_mixed_masks_are_refused():
    with pytest.raises(MisuseError, match="--classes has 3 names"):
        infer_meaning(mask_of([[0, 1]]), names=["a", "b", "c"])
    colours = np.array([[[0, 0, 0], [255, 0, 0]]])
    with pytest.raises(MisuseError, match="--classes has 3 names"):
        infer_meaning(mask_of(colours), names=["a", "b", "c"])
    with pytest.raises(MisuseError, match="colours"):
        infer_meaning(mask_of(colours, [[0, 1]]))


@pytest.mark.parametrize("value", [255, 7])
def test_two_values_get_the_two_names_of_a_table_that_counts_from_0(value):
    meaning = infer_meaning(mask_of([[0, 0, value]]), table(["background", "person"]))
    assert (meaning.classes, meaning.background) == (("background", "person"), 0)
    assert meaning.mask["init_args"]["values"] == {0: 0, value: 1}
    assert "classes.txt" in meaning.reason and "ignored" not in meaning.reason


def test_white_is_no_ignored_value_of_a_table_with_more_names():
    meaning = infer_meaning(mask_of([[0, 0, 255]]), table(["background", "person", "cat"]))
    assert meaning.classes == ("background", "object") and meaning.mask["init_args"]["values"] == {0: 0, 255: 1}


def test_a_colour_mask_of_black_and_white_is_no_grey_one():
    colours = np.array([[[0, 0, 0], [255, 0, 0]]])
    meaning = infer_meaning(mask_of(colours, np.array([[[0, 0, 0], [255, 255, 255]]])))
    assert meaning.classes == ("background", "colour_ff0000", "colour_ffffff")


MANY = [f"class {number}" for number in range(100)]


@pytest.mark.parametrize("options", [{"names": MANY}, {"table": table(MANY)}], ids=["names", "table"])
def test_many_classes_with_names_are_no_photographs(options):
    meaning = infer_meaning(mask_of(np.repeat(np.arange(100), 3)[None]), **options)
    assert (meaning.mask, meaning.classes) == (None, tuple(MANY))


def test_many_numbers_of_which_a_mask_holds_few_may_be_classes():
    rng = np.random.default_rng(0)
    masks = mask_of(*([[0] * 9, np.repeat(rng.choice(np.arange(1, 150), 3), 3)] for _ in range(60)))
    with pytest.raises(MisuseError, match="classes or of objects"):
        infer_meaning(masks)
    assert infer_meaning(masks, names=["background", "cell"]).mask["class_path"] == "segapp.datasets.Instances"


def test_objects_are_no_classes_of_a_table_that_lacks_their_numbers():
    objects = mask_of(np.repeat(np.arange(100), 3)[None])
    assert infer_meaning(objects, table(["background", "cell"])).mask == {"class_path": "segapp.datasets.Instances"}


@pytest.mark.parametrize("names", [["cell"], ["cell", "background"], ["a", "b", "c"]])
def test_objects_have_the_two_names_of_the_user_or_none(names):
    assert name_objects(["ground", "cell"], "").classes == ("ground", "cell")
    with pytest.raises(MisuseError, match="--classes background,cell"):
        name_objects(names, "")


def test_values_that_the_user_calls_void_are_ignored():
    meaning = infer_meaning(mask_of([[0, 1, 2]]), names=["void", "road", "car"])
    assert (meaning.classes, meaning.mask["init_args"]["values"]) == (("road", "car"), {0: 255, 1: 0, 2: 1})


def test_several_colours_may_be_void():
    pixels = np.array([[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    meaning = infer_meaning(mask_of(pixels), names=["void", "tree", "car", "Void"])
    assert meaning.mask["init_args"]["colours"] == {
        "tree": [0, 0, 255],
        "car": [0, 255, 0],
        "ignore": [[0, 0, 0], [255, 0, 0]],
    }
    assert "4 colours; 2 are classes and 2 ignored" in meaning.reason


def test_names_of_the_user_are_not_said_to_be_a_table_s():
    other = table(["x", "y"], colours=((0, 0, 1), (255, 0, 1)))
    pixels = mask_of(np.array([[[0, 0, 0], [255, 0, 0]]]))
    assert "classes.txt" not in infer_meaning(pixels, other, ["ground", "tree"]).reason
    assert infer_meaning(pixels, other).reason.endswith("; rename them as you like.")


def test_void_that_the_user_names_is_a_class():
    meaning = infer_meaning(mask_of([[1, 1, 255]]), names=["object", "background"])
    assert (meaning.background, meaning.mask["init_args"]["values"]) == (1, {1: 0, 255: 1})


def test_a_bright_background_of_changed_binary_masks_counts_in_scores():
    meaning = infer_meaning(mask_of(compress(draw_disc(), 60)), names=["mole", "background"])
    assert (meaning.classes, meaning.background) == (("mole", "background"), None)


def test_a_value_255_of_a_table_is_not_said_to_be_ignored():
    meaning = infer_meaning(mask_of([[0, 1, 255]]), table(["sky", "road", "car"], 0, 1, 255))
    assert meaning.mask["init_args"]["values"] == {0: 0, 1: 1, 255: 2} and "ignored" not in meaning.reason


def test_a_folder_of_the_background_is_the_background():
    assert name_folders(["Background", "cell", "dust"], []).classes == ("Background", "cell", "dust")
    assert name_folders(["cell", "dust"], []).classes == ("background", "cell", "dust")


def test_names_choose_the_folders_of_masks_and_their_order():
    assert name_folders(["cell", "dust", "ink"], ["background", "ink", "cell"]).classes == ("background", "ink", "cell")
    with pytest.raises(MisuseError, match="'nucleus' is none of the classes that masks are named after: cell, dust"):
        name_folders(["cell", "dust"], ["nucleus"])


def test_a_value_0_that_a_table_from_1_lacks_is_the_background():
    meaning = infer_meaning(mask_of([[0, 1, 2]]), table(["wall", "sky"], 1, 2))
    assert (meaning.classes, meaning.background, meaning.mask) == (("background", "wall", "sky"), 0, None)
    assert infer_meaning(mask_of([[1, 2, 2]]), table(["wall", "sky"], 1, 2)).classes == ("wall", "sky")


def test_grey_masks_are_named_by_the_grey_colours_of_a_table():
    known = replace(table(["background", "road"], colours=((0, 0, 0), (255, 255, 255))), values=())
    assert infer_meaning(mask_of([[0, 255]]), known).classes == ("background", "road")


def test_black_that_a_table_of_colours_lacks_is_the_background():
    known = table(["tree", "car"], colours=((255, 0, 0), (0, 0, 255)))
    colours = np.array([[[0, 0, 0], [255, 0, 0], [0, 0, 255]]], np.uint8)
    assert infer_meaning(mask_of(colours), known).classes == ("background", "car", "tree")
