"""Lanczos finds what the dense Hessian holds."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian

from segapp.errors import MisuseError
from segapp.lab.landscape.hessian import find_largest_eigenvalues, make_hessian_product


# torch scripts its own forward-mode decompositions when torch.func.hessian first asks for them
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_the_top_three_are_those_of_the_dense_hessian():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Conv2d(3, 2, 1)).double()
    images, mask = torch.randn(4, 1, 6, 6, dtype=torch.float64), torch.randint(0, 2, (4, 4, 4))
    shapes = {name: value.shape for name, value in net.named_parameters()}
    flat = torch.cat([value.detach().reshape(-1) for value in net.parameters()])

    def loss(vector):
        parts = vector.split([shape.numel() for shape in shapes.values()])
        named = {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        return nn.functional.cross_entropy(functional_call(net, named, images), mask)

    truth = torch.linalg.eigvalsh(hessian(loss)(flat)).flip(0)[:3]
    parameters = list(net.parameters())
    product = make_hessian_product(nn.functional.cross_entropy(net(images), mask), parameters)
    found = find_largest_eigenvalues(product, flat, count=3, tolerance=1e-9)
    assert found.largest == pytest.approx(truth.tolist(), rel=1e-6)
    assert found.iterations < len(flat) + 1


def test_what_the_loss_does_not_hang_on_has_no_curvature():
    used, unused = torch.tensor([2.0], requires_grad=True), torch.ones(3, requires_grad=True)
    product = make_hessian_product((used**3).sum(), [used, unused])
    assert product(torch.ones(4)).tolist() == [12, 0, 0, 0]


def test_a_matrix_worked_by_hand():
    matrix = torch.diag(torch.tensor([5.0, -7.0, 2.0, 1.0], dtype=torch.float64))
    found = find_largest_eigenvalues(lambda vector: matrix @ vector, matrix[0], count=2)
    assert found.largest == pytest.approx([5, 2], rel=1e-9)


@pytest.mark.parametrize("count", [0, 5])
def test_as_many_eigenvalues_as_parameters(count):
    with pytest.raises(MisuseError, match=r"1 … 4"):
        find_largest_eigenvalues(lambda vector: vector, torch.zeros(4), count=count)
