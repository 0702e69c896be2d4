"""Words in names of files, by which masks are told from images."""

import pytest

from segapp.planning.layout_words import IMAGE_WORDS, MASK_WORDS, rank_masks


def test_masks_of_numbers_come_before_those_of_colours_and_objects():
    names = ["a_gtFine_color", "a_gtFine_labelIds", "a_gtFine_instanceIds", "a_b", "a_mask"]
    assert sorted(names, key=rank_masks) == [
        "a_gtFine_labelIds",
        "a_mask",
        "a_b",
        "a_gtFine_color",
        "a_gtFine_instanceIds",
    ]


@pytest.mark.parametrize("name", ["_mask", "-GT", "ann/", "_manual1", "tissue_lab"])
def test_words_for_masks_are_found(name):
    assert MASK_WORDS.search(name)
    assert rank_masks(name) == 1


@pytest.mark.parametrize("name", ["planning", "collaboration", "heroic"])  # hold ann, lab and roi within a word
def test_letters_within_a_word_are_no_words(name):
    assert not MASK_WORDS.search(name)
    assert rank_masks(name) == 2


def test_words_for_images_are_found():
    assert all(IMAGE_WORDS.search(name) for name in ("_rgb", "IMG_1", "photo", "_training"))
    assert not IMAGE_WORDS.search("strain")
