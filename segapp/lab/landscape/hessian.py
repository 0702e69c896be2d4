"""Find the largest eigenvalues of a loss's Hessian, from products with vectors only."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from segapp.errors import MisuseError

Product = Callable[[Tensor], Tensor]
"""v (P,) → H v (P,), for a symmetric H."""


@dataclass(frozen=True)
class Eigenvalues:
    """`largest` in descending order; the distance of each to a true eigenvalue is at most its `residual`."""

    largest: list[float]
    residual: list[float]
    iterations: int


def make_hessian_product(loss: Tensor, parameters: Sequence[Tensor]) -> Product:
    """Make a function that multiplies with the Hessian of a scalar `loss`, whose graph is kept.

    The vector holds the parameters' entries one after the other, in their order. Those on which the loss does not
    depend (heads that only training uses) have rows and columns of 0.
    """
    gradients = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    gradient = torch.cat([part.reshape(-1) for part in gradients])

    def multiply(vector: Tensor) -> Tensor:
        parts = torch.autograd.grad(gradient, parameters, vector, retain_graph=True, materialize_grads=True)
        return torch.cat([part.reshape(-1) for part in parts])

    return multiply


def find_largest_eigenvalues(
    product: Product, like: Tensor, count: int = 3, tolerance: float = 1e-4, limit: int = 100, seed: int = 0
) -> Eigenvalues:
    """Find the largest eigenvalues by Lanczos with full reorthogonalisation.

    Ends when `count` residuals are below `tolerance` · the largest |value|.

    `like` (P,) gives size, dtype and device; at most `limit` iterations, each of which keeps one vector of P.
    Raises MisuseError unless 1 ≤ count ≤ P.
    """
    if not 1 <= count <= len(like):
        raise MisuseError(f"count is 1 … {len(like)}, the number of parameters, got {count}.")
    generator = torch.Generator().manual_seed(seed)
    vector = torch.randn(len(like), generator=generator, dtype=torch.float64).to(like)
    basis = [vector / vector.norm()]
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    while True:
        image = product(basis[-1])
        diagonal.append(float(image @ basis[-1]))
        for _ in range(2):  # twice is enough (Parlett 1998): rounding would otherwise bring found values back
            for known in basis:
                image = image - (image @ known) * known
        rest = float(image.norm())
        values, vectors = torch.linalg.eigh(_build_tridiagonal(diagonal, off_diagonal))
        residual = rest * vectors[-1].abs()
        scale = float(values.abs().max())
        exhausted = rest <= 10 * torch.finfo(like.dtype).eps * scale or len(diagonal) >= min(limit, len(like))
        if exhausted or (len(diagonal) >= count and float(residual[-count:].max()) <= tolerance * scale):
            found = values[-count:].flip(0), residual[-count:].flip(0)
            return Eigenvalues(found[0].tolist(), found[1].tolist(), len(diagonal))
        off_diagonal.append(rest)
        basis.append(image / rest)


def _build_tridiagonal(diagonal: list[float], off_diagonal: list[float]) -> Tensor:
    off = torch.diag(torch.tensor(off_diagonal, dtype=torch.float64), 1)
    return torch.diag(torch.tensor(diagonal, dtype=torch.float64)) + off + off.T
