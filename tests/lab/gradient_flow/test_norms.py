"""Norms and ratios, against PyTorch's own clipping."""

import pytest
import torch
from torch import nn

from segapp.lab.gradient_flow.norms import (
    compute_clip_coefficients,
    compute_norm,
    compute_update_ratio,
    copy_weights,
    list_gradients,
)


def make_parameters():
    generator = torch.Generator().manual_seed(0)
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,), (2, 2))]
    for parameter in parameters[:2]:
        parameter.grad = torch.randn(parameter.shape, generator=generator) * 3
    return parameters


def test_a_norm_is_over_all_entries_in_float32_at_least():
    assert compute_norm([torch.tensor([3.0]), torch.tensor([[0.0, 4.0]])]).item() == 5
    assert compute_norm([]).item() == 0
    half = torch.full((70_000,), 1.0, dtype=torch.bfloat16)
    assert compute_norm([half]).item() == pytest.approx(70_000**0.5, rel=1e-5)
    assert compute_norm([torch.ones(2, dtype=torch.float64)]).dtype == torch.float64


def test_only_parameters_with_a_gradient_have_one():
    parameters = make_parameters()
    assert list_gradients(parameters) == [parameters[0].grad, parameters[1].grad]


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_the_coefficients_of_a_norm_are_those_of_torch(limit):
    parameters = make_parameters()
    gradients = list_gradients(parameters)
    before = [gradient.clone() for gradient in gradients]
    found = compute_clip_coefficients([[one] for one in before], before, limit, by_value=False)
    nn.utils.clip_grad_norm_(parameters, limit)
    for coefficient, full, cut in zip(found, before, gradients, strict=True):
        assert torch.allclose(full * coefficient, cut)


def test_the_coefficients_by_value_are_the_ratios_of_norms():
    parameters = make_parameters()
    gradients = list_gradients(parameters)
    groups = [[gradient.clone()] for gradient in gradients] + [[torch.zeros(3)], []]
    found = compute_clip_coefficients(groups, [], 1.0, by_value=True)
    nn.utils.clip_grad_value_(parameters, 1.0)
    expected = [cut.norm() / group[0].norm() for cut, group in zip(gradients, groups, strict=False)]
    assert [value.item() for value in found] == pytest.approx([*map(float, expected), 1.0, 1.0])


@pytest.mark.parametrize("limit", [None, 0])
def test_without_clipping_coefficients_are_one(limit):
    assert [value.item() for value in compute_clip_coefficients([[torch.ones(2)], []], [], limit, by_value=True)] == [
        1,
        1,
    ]


def test_an_update_is_measured_against_the_weights_before_it():
    weights = [nn.Parameter(torch.tensor([3.0, 4.0]))]
    before = copy_weights(weights)
    weights[0].data += torch.tensor([0.3, 0.4])
    assert compute_update_ratio(before, weights).item() == pytest.approx(0.1)
    assert compute_update_ratio([torch.zeros(2)], [torch.zeros(2)]).isnan()
    assert compute_update_ratio([torch.zeros(2)], [torch.ones(2)]).isinf()
