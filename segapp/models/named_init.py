"""Initial weights that depend on the seed and the parameter's name, and on nothing else.

Ordinarily every random initial value comes from one stream, in the order in which layers are made: a network with one
layer more starts with other values in all later layers, and a comparison of the two varies more than that layer.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True)
class _Fill:
    """One in-place operation on a complete tensor of a shape, with plain arguments."""

    operation: Callable[..., Any]
    shape: torch.Size
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    random: bool


class NamedInit(TorchDispatchMode):
    """Watches networks being made, so that their random initial values can be sampled again, each by its name.

    What an initialiser does to a parameter is recorded below Python (`normal_`, or `uniform_`, `erfinv_`, `mul_`,
    `add_`, `clamp_` for a truncated normal), then done again with the parameter's own generator. So every
    initialiser keeps its distribution, and none has to know about names: PyTorch's, timm's, or any other library's.

        with NamedInit() as initial:
            net = UNet(3, 2)
        initial.resample(net, seed=0)

    Constants, and values copied from elsewhere (pretrained weights; also `orthogonal_`, which computes them), stay.
    """

    def __init__(self) -> None:
        super().__init__()
        self._fills: dict[int, list[_Fill] | None] = {}  # storage → how it was filled; None: not to be repeated
        self._alive: list[torch.UntypedStorage] = []  # so that no address is used twice

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation, and record it where it sets initial values."""
        options = kwargs or {}
        result = func(*args, **options)
        if not args or not isinstance(args[0], Tensor) or args[0].device.type == "meta":
            return result
        if func._schema.is_mutable:
            self._record(func, args, options)
        elif isinstance(result, Tensor) and func.overloadpacket in (torch.ops.aten.clone, torch.ops.aten._to_copy):
            known = self._fills.get(_get_key(args[0]), [])
            if known != [] and _is_whole(args[0]):
                self._remember(result, known)
        return result

    def _record(self, func: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        target, others = args[0], [*args[1:], *options.values()]
        random = torch.Tag.nondeterministic_seeded in func.tags
        whole = _is_whole(target)
        plain = not any(isinstance(value, Tensor) for value in others)
        fill = _Fill(func, target.shape, args[1:], options, random)
        key = _get_key(target)
        if random and whole and plain:
            self._remember(target, [fill])
        elif not random and whole and func.overloadpacket in _CONSTANT:
            self._fills.pop(key, None)
        elif not random and key not in self._fills:
            return
        else:
            before = self._fills.get(key)
            self._remember(target, [*before, fill] if before and whole and plain and not random else None)

    def _remember(self, tensor: Tensor, fills: list[_Fill] | None) -> None:
        self._fills[_get_key(tensor)] = fills
        self._alive.append(tensor.untyped_storage())

    def resample(self, net: nn.Module, seed: int) -> list[str]:
        """Sample every random initial value of `net` again, from a generator seeded by (seed, the parameter's name).

        Returns the names of the parameters that were filled in parts and therefore keep the values they had.
        """
        kept = []
        for name, parameter in net.named_parameters():
            fills = self._fills.get(_get_key(parameter), [])
            if fills is None:
                kept.append(name)
            elif fills:
                _resample_parameter(parameter, fills, torch.Generator().manual_seed(derive_seed(seed, name)))
        self._fills.clear()
        self._alive.clear()
        return kept


_CONSTANT = (torch.ops.aten.zero_, torch.ops.aten.fill_, torch.ops.aten.copy_)
"""Operations that overwrite everything that was sampled before."""


def derive_seed(seed: int, name: str) -> int:
    """Return a generator's seed for one parameter: 63 bits of a hash, the same on every machine."""
    digest = hashlib.blake2b(f"{seed},{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


@torch.no_grad()
def _resample_parameter(parameter: Tensor, fills: list[_Fill], generator: torch.Generator) -> None:
    """Sample in contiguous memory on the CPU, so that the values do not depend on the parameter's layout."""
    values = torch.empty(fills[0].shape, dtype=parameter.dtype)
    for fill in fills:
        options = fill.options | ({"generator": generator} if fill.random else {})
        fill.operation(values.view(fill.shape), *fill.arguments, **options)
    parameter.copy_(values.view(parameter.shape))


def _get_key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _is_whole(tensor: Tensor) -> bool:
    return tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes()
