"""Counts against a loop over pixels; what cannot be counted is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segapp.errors import SegappError
from segapp.metrics import count_confusion, split_confusion
from segapp.metrics.counts import _CHUNK


def loop(prediction: np.ndarray, mask: np.ndarray, k: int) -> np.ndarray:
    counts = np.zeros((k, k), np.int64)
    for index in np.ndindex(*mask.shape):
        if mask[index] != 255:
            counts[mask[index], prediction[index]] += 1
    return counts


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 5, 254, 255]),
    st.sampled_from([0.0, 0.4, 1.0]),
    st.sampled_from([(0, 3), (1, 1), (7, 9), (2, 3, 4)]),
    st.sampled_from([(np.uint8, np.uint8), (np.int64, np.uint8), (np.uint8, np.int32), (np.int16, np.int64)]),
)
@settings(deadline=None, max_examples=80)
def test_confusion_is_a_loop_over_pixels(
    seed: int, k: int, ignored: float, shape: tuple[int, ...], dtypes: tuple[type, type]
) -> None:
    rng = np.random.default_rng(seed)
    prediction, mask = rng.integers(0, k, shape).astype(dtypes[0]), rng.integers(0, k, shape).astype(dtypes[1])
    mask[rng.random(shape) < ignored] = 255
    counts = count_confusion(torch.from_numpy(prediction), torch.from_numpy(mask), k)
    assert counts.dtype == torch.int64
    np.testing.assert_array_equal(counts.numpy(), loop(prediction, mask, k))


def test_rows_are_the_truth_by_hand() -> None:
    mask, prediction = torch.tensor([[0, 0, 1], [2, 255, 1]]), torch.tensor([[0, 2, 1], [2, 0, 0]])
    counts = count_confusion(prediction, mask, 3)
    assert counts.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 1]]
    assert split_confusion(counts).tolist() == [[1, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_an_image_larger_than_one_piece_is_counted_whole() -> None:
    rng = np.random.default_rng(0)
    shape = (2, _CHUNK // 2 + 333)
    prediction, mask = rng.integers(0, 3, shape), rng.integers(0, 3, shape)
    mask[:, -5:] = 255
    expected = [[int(((mask == i) & (prediction == j)).sum()) for j in range(3)] for i in range(3)]
    assert count_confusion(torch.from_numpy(prediction), torch.from_numpy(mask), 3).tolist() == expected


def test_transposed_and_sliced_tensors_are_counted_as_they_look() -> None:
    rng = np.random.default_rng(0)
    prediction, mask = torch.from_numpy(rng.integers(0, 4, (2, 12, 10)))
    for view in (lambda t: t.T, lambda t: t[1::2, ::3], lambda t: t[:0]):
        expected = loop(view(prediction).numpy(), view(mask).numpy(), 4)
        np.testing.assert_array_equal(count_confusion(view(prediction), view(mask), 4).numpy(), expected)


def test_inputs_are_left_as_they_were() -> None:
    prediction, mask = torch.tensor([[1, 7]]), torch.tensor([[1, 255]])
    count_confusion(prediction, mask, 2)
    assert prediction.tolist() == [[1, 7]] and mask.tolist() == [[1, 255]]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int64])
def test_what_is_predicted_of_ignored_pixels_does_not_matter(dtype: torch.dtype) -> None:
    mask = torch.tensor([[255, 1]])
    for guess in (2, 200, 255, *((-1, 300, 256) if dtype != torch.uint8 else ())):
        assert count_confusion(torch.tensor([[guess, 1]], dtype=dtype), mask, 2).tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize("k", [2, 255])
@pytest.mark.parametrize("wrong", [255, 256, 300, -1, -300, 2**40, 511])
def test_a_class_outside_is_refused_by_its_number(k: int, wrong: int) -> None:
    right, outside = torch.tensor([[0, 1, 1]]), torch.tensor([[0, wrong, 1]])
    with pytest.raises(SegappError, match=rf"prediction holds class {wrong}; expected 0 … {k - 1}"):
        count_confusion(outside, right, k)
    if wrong != 255:
        with pytest.raises(SegappError, match=rf"mask holds class {wrong}; expected 0 … {k - 1}"):
            count_confusion(right, outside, k)


def test_every_class_outside_is_named() -> None:
    with pytest.raises(SegappError, match=r"mask holds class 2, 3, 4, 5, 6, …;"):
        count_confusion(torch.zeros(1, 9, dtype=torch.uint8), torch.arange(9, dtype=torch.uint8)[None], 2)


@pytest.mark.parametrize(
    "prediction, mask",
    [
        (torch.zeros(4, 3, dtype=torch.uint8), torch.zeros(3, 4, dtype=torch.uint8)),
        (torch.zeros(1, 3, 4, dtype=torch.uint8), torch.zeros(3, 4, dtype=torch.uint8)),
        (torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.uint8)),
        (torch.zeros(3, 4, dtype=torch.uint8), torch.zeros(3, 4)),
    ],
)
def test_shapes_and_probabilities_that_cannot_be_scored_are_refused(
    prediction: torch.Tensor, mask: torch.Tensor
) -> None:
    with pytest.raises(SegappError, match="class indices of one shape"):
        count_confusion(prediction, mask, 2)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(3, 3), (2, 5, 5), (2, 3, 4, 4)]))
@settings(deadline=None)
def test_true_and_false_positives_and_negatives_are_a_loop(seed: int, shape: tuple[int, ...]) -> None:
    counts = np.random.default_rng(seed).integers(0, 10, shape)
    result = split_confusion(torch.from_numpy(counts)).numpy()
    assert result.shape == (*shape[:-2], 3, shape[-1])
    for index in np.ndindex(*shape[:-2]):
        for c in range(shape[-1]):
            others = [other for other in range(shape[-1]) if other != c]
            expected = [counts[index][c, c], sum(counts[index][others, c]), sum(counts[index][c, others])]
            assert result[index][:, c].tolist() == expected
