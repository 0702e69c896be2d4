"""Counts of images and of sets by hand."""

import torch

from segapp.metrics.tools.set_counts import SetCounts, count_image

TARGET = torch.tensor([[0, 1, 255], [1, 1, 255]])
PREDICTION = torch.tensor([[0, 0, 1], [1, 1, 0]])


def test_ignored_pixels_are_counted_apart_and_become_errors_on_request() -> None:
    image = count_image("a", PREDICTION, TARGET, 2)
    assert image.counts.tolist() == [[1, 2], [1, 0], [0, 1]] and image.ignored.tolist() == [1, 1]
    counts = SetCounts.collect([image], ["ground", "cell"], 0)
    assert counts.target.tolist() == [[1, 3]] and counts.predicted.tolist() == [[2, 2]]
    assert counts.foreground == [1]
    assert counts.count_ignored_as_errors().predicted.tolist() == [[3, 3]]


def test_slices_of_one_name_are_one_image() -> None:
    one, other = count_image("v", PREDICTION, TARGET, 2), count_image("u", PREDICTION, TARGET, 2)
    counts = SetCounts.collect([one, one, other], ["ground", "cell"], None)
    assert counts.names == ("u", "v")
    assert counts.counts[1].tolist() == (2 * one.counts).tolist() and counts.foreground == [0, 1]
    empty = SetCounts.collect([], ["ground", "cell"], None)
    assert empty.counts.shape == (0, 3, 2) and empty.ignored.shape == (0, 2)
