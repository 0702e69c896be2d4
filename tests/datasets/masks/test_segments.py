"""Values that the mask's file names: those named as classes are these classes."""

from pathlib import Path

import numpy as np
import pytest

from segapp.datasets import Indices
from segapp.datasets.masks.encoding import Labels, MaskFile
from segapp.errors import MisuseError
from segapp.io import MaskPixels

LABELS = Labels(("background", "liver", "spleen"), 0)
FILES = [MaskFile(Path("a.dcm"), None)]
STORED = np.array([[0, 1, 2]], np.uint8)


def decode(names, stored=STORED, labels=LABELS, **settings):
    return Indices(**settings).decode(FILES, [MaskPixels(stored[..., None], 255, names=names)], labels).tolist()


def test_names_of_classes_are_these_classes_whatever_their_numbers():
    assert decode({1: "Spleen", 2: " LIVER"}) == [[0, 2, 1]]
    assert decode({1: "liver", 7: "spleen"}, np.array([[0, 7, 1]], np.uint8)) == [[0, 2, 1]]
    assert decode({1: "a", 2: "b"}, labels=Labels(("b", "x", "a"), 1)) == [[1, 2, 0]]


def test_numbers_are_classes_where_no_name_is_one():
    assert decode({1: "Leber", 2: "Milz"}) == [[0, 1, 2]]


def test_values_map_numbers_whatever_the_names():
    assert decode({1: "spleen", 2: "other"}, values={1: 1, 2: 255}) == [[0, 1, 255]]


def test_some_names_of_no_class_are_reported():
    with pytest.raises(MisuseError, match=r"a\.dcm.*2 'kidney'.*liver.*\{2: 255\}"):
        decode({1: "liver", 2: "kidney"})
    with pytest.raises(MisuseError, match=r"\[2\]"):
        decode({1: "liver"})
