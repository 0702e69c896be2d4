"""Class weights: given, balanced, stored."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel

from segapp.errors import MisuseError
from segapp.losses import (
    ClassWeights,
    CrossEntropy,
    DiceCrossEntropy,
)
from tests.losses.reference import CLASS_WEIGHTS, LOSSES, pair


def unset() -> nn.Module:
    return CrossEntropy("balanced")


def test_balanced_weights_by_hand() -> None:
    weights = ClassWeights("balanced")
    weights.set_counts(torch.tensor([600, 0, 300, 100]))
    assert weights(torch.zeros(1, 4, 1, 1)).tolist() == pytest.approx([1000 / 1800, 1, 1000 / 900, 1000 / 300])


def test_a_handful_of_pixels_does_not_steer_a_batch() -> None:
    weights = ClassWeights("balanced")
    weights.set_counts(torch.tensor([10**12, 1]))
    assert weights(torch.zeros(1, 2, 1, 1)).tolist() == [0.5, 100.0]


@given(st.lists(st.one_of(st.just(0), st.integers(10**10, 10**12)), min_size=1, max_size=255).filter(any))
def test_balanced_weights_weigh_a_pixel_by_one_on_average(counts: list[int]) -> None:
    weights = ClassWeights("balanced")
    weights.set_counts(torch.tensor(counts))
    values = weights(torch.zeros(1, len(counts), 1, 1)).double().numpy()
    assert np.isfinite(values).all() and (values > 0).all()
    assert (values[np.array(counts) == 0] == 1).all()
    assert np.average(values, weights=counts) == pytest.approx(1, rel=1e-5)


def test_balanced_weights_are_asked_for_before_they_are_known() -> None:
    logits, mask = pair()
    with pytest.raises(MisuseError, match="when training starts"):
        CrossEntropy("balanced")(logits, mask)


@pytest.mark.parametrize("before", [None, [5, 5], [1, 2, 3, 4, 5, 6], [7, 1, 1, 1]])
def test_balanced_weights_travel_with_the_state(before: list[int] | None) -> None:
    logits, mask = pair()
    trained, fresh = DiceCrossEntropy(class_weights="balanced"), DiceCrossEntropy(class_weights="balanced")
    trained.cross_entropy.class_weights.set_counts(torch.tensor([10, 0, 30, 400]))
    if before is not None:
        fresh.cross_entropy.class_weights.set_counts(torch.tensor(before))
    fresh.load_state_dict(copy.deepcopy(trained.state_dict()))
    assert float(fresh(logits, mask)) == float(trained(logits, mask))
    again = DiceCrossEntropy(class_weights="balanced")
    again.load_state_dict(fresh.state_dict())
    assert float(again(logits, mask)) == float(trained(logits, mask))


def test_what_is_typed_beats_what_was_stored() -> None:
    trained = CrossEntropy("balanced")
    trained.class_weights.set_counts(torch.tensor([10, 20, 30, 400]))
    logits, mask = pair()
    for weights in (None, CLASS_WEIGHTS):
        typed = CrossEntropy(weights)
        typed.load_state_dict(trained.state_dict())
        assert float(typed(logits, mask)) == float(CrossEntropy(weights)(logits, mask))


def test_a_state_without_weights_leaves_those_of_the_data() -> None:
    logits, mask = pair()
    for state in (CrossEntropy().state_dict(), CrossEntropy([1, 2, 3, 4]).state_dict(), unset().state_dict()):
        loss = CrossEntropy("balanced")
        loss.class_weights.set_counts(torch.tensor([10, 20, 30, 400]))
        before = float(loss(logits, mask))
        loss.load_state_dict(state)
        assert float(loss(logits, mask)) == before


def test_a_moving_average_copied_before_training_does_not_lose_the_weights() -> None:
    """Lightning copies the model for the average, then lets it learn the class weights; validation swaps buffers."""
    logits, mask = pair()
    loss = CrossEntropy("balanced")
    average = AveragedModel(loss, use_buffers=True)
    loss.class_weights.set_counts(torch.tensor([10, 20, 30, 400]))
    expected = float(loss(logits, mask))
    for _ in range(3):
        for ours, theirs in zip(average.module.buffers(), loss.buffers(), strict=True):
            saved = ours.clone()
            ours.copy_(theirs)
            theirs.copy_(saved)
            assert float(loss(logits, mask)) == expected
            theirs.copy_(ours)
            ours.copy_(saved)
        average.update_parameters(loss)
        restored = CrossEntropy("balanced")
        restored.load_state_dict(average.module.state_dict())
        assert float(restored(logits, mask)) == expected


def test_unweighted_losses_add_nothing_to_a_checkpoint() -> None:
    for make in LOSSES.values():
        assert not make().state_dict()


def test_integer_and_single_weights_are_numbers_too() -> None:
    logits, mask = pair()
    assert float(CrossEntropy([1, 1, 1, 1])(logits, mask)) == pytest.approx(float(CrossEntropy()(logits, mask)))


def test_the_fraction_of_a_class_is_that_in_the_images_in_which_it_was_looked_for() -> None:
    """Of 1000 labelled pixels, class 1 was looked for in 200: its 50 are a quarter, as the 250 of class 2."""
    weights = ClassWeights("balanced")
    weights.set_counts(torch.tensor([700, 50, 250]), torch.tensor([1000, 200, 1000]))
    found = weights(torch.zeros(1, 3, 1, 1))
    assert found is not None and found.tolist() == pytest.approx([1000 / 2100, 200 / 150, 1000 / 750])
