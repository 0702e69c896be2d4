"""The contract of what computes logits, and its implementation by torch."""

import os
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from segapp.errors import MisuseError
from segapp.spec import Precision
from segapp.system.limits import count_usable_cores

Array = Any
"""A numpy array or a torch tensor on any device: whatever the runtime's logits are.

The engine only slices, multiplies, adds and sums, which both understand.
"""

AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


AT_ONCE = 4
"""Windows that are computed at once on a CPU: each needs memory for its features."""

STATISTICS = (nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)
POOLED = ("SqueezeExcite", "SEModule", "GlobalResponseNorm", "GlobalResponseNormMlp")
"""Names of timm's and segmentation-models-pytorch's modules that average over the whole window."""


class Runtime(Protocol):
    """A network in evaluation, whatever executes it."""

    window_statistics: bool
    """Whether it normalises or pools over the whole window, so that every logit depends on all its pixels."""

    parallel: int
    """Calls that may run at once, each in a separate thread that called `share_cores` first."""

    temperature: float
    """What logits are divided by before the softmax (Guo et al. 2017): the engine does it, so that classes stay."""

    def share_cores(self) -> None:
        """Leave the other parallel calls their fraction of the cores."""

    def __call__(self, images: np.ndarray) -> Array:
        """Compute (B, C, h, w) uint8, or float32 in [0, 1] → logits (B, K, h, w) float32."""

    def zeros(self, shape: tuple[int, ...]) -> Array:
        """Return float32 zeros on the device of the logits."""

    def array(self, values: np.ndarray) -> Array:
        """Return a copy of float32 values on the device of the logits."""

    def to_numpy(self, array: Array) -> np.ndarray:
        """Return the same values in main memory."""

    def compute_indices(self, logits: Array) -> np.ndarray:
        """Return (K, h, w) → (h, w) uint8: the class of the largest logit, the first of several equal ones."""

    def compute_probabilities(self, logits: Array) -> Array:
        """Compute softmax over the classes, (B, K, h, w) → (B, K, h, w)."""

    def log(self, probabilities: Array) -> Array:
        """Compute the natural logarithm, finite also of 0."""

    def sum_confidence(self, logits: Array) -> float:
        """Return the sum over all pixels of (K, h, w) logits of the largest probability."""


class TorchRuntime:
    """A torch network on one device; `net` is in evaluation mode and is moved there, not copied.

    `parallel` calls at once divide the cores: several small teams wait less for each other than one large team.
    """

    def __init__(
        self,
        net: nn.Module,
        device: torch.device | str = "cpu",
        precision: Precision = "32-true",
        channels_last: bool = True,
        parallel: int = 1,
        temperature: float = 1.0,
    ) -> None:
        self.device = torch.device(device)
        self.temperature = temperature
        self.precision = precision
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = net.to(self.device).to(memory_format=self._format)
        self.window_statistics = has_window_statistics(net)
        self.parallel = parallel
        self._threads = max(1, min(torch.get_num_threads(), count_usable_cores()) // parallel)

    def share_cores(self) -> None:
        """Share the cores: limit this thread's operations and those of threads that start later.

        Earlier threads keep theirs.
        """
        torch.set_num_threads(self._threads)

    def __call__(self, images: np.ndarray) -> Tensor:
        """Compute (B, C, h, w) uint8, or float32 in [0, 1] → logits (B, K, h, w) float32 on the device."""
        batch = torch.from_numpy(images).to(self.device, memory_format=self._format)
        try:
            with torch.inference_mode(), self._make_autocast():
                return self.net(batch).float()
        except torch.OutOfMemoryError as error:
            raise MisuseError(
                f"the GPU's memory is too small for windows of {tuple(images.shape)}; "
                "use a smaller --window or --batch_size, or --device cpu."
            ) from error

    def zeros(self, shape: tuple[int, ...]) -> Tensor:
        """Return float32 zeros on the device."""
        return torch.zeros(shape, device=self.device)

    def array(self, values: np.ndarray) -> Tensor:
        """Return a float32 copy on the device."""
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def to_numpy(self, array: Tensor) -> np.ndarray:
        """Return the same values in main memory."""
        return array.cpu().numpy()

    def compute_indices(self, logits: Tensor) -> np.ndarray:
        """Return (K, h, w) → (h, w) uint8."""
        best = logits.max(dim=0).indices  # on a CPU ten times faster than argmax
        return best.to(torch.uint8).cpu().numpy()

    def compute_probabilities(self, logits: Tensor) -> Tensor:
        """Compute softmax over the classes, (B, K, h, w)."""
        return logits.softmax(dim=1)

    def log(self, probabilities: Tensor) -> Tensor:
        """Compute the natural logarithm, at least that of the smallest normal number."""
        return probabilities.clamp(min=torch.finfo(torch.float32).tiny).log()

    def sum_confidence(self, logits: Tensor) -> float:
        """Return the sum over all pixels; only this number leaves the device."""
        return float(logits.softmax(dim=0).amax(dim=0).sum(dtype=torch.float64))

    def _make_autocast(self) -> torch.autocast:
        # The cache of cast weights lives for one call only, so it would save nothing.
        dtype = AUTOCAST.get(self.precision)
        return torch.autocast(self.device.type, dtype=dtype, enabled=dtype is not None, cache_enabled=False)


def has_window_statistics(net: nn.Module) -> bool:
    """Return whether a network in evaluation computes statistics over its complete input.

    Instance norms (but those that keep running statistics) and group norms do, squeeze-and-excitation, and global
    average pooling inside the network. Batch norms use what they learnt.
    """
    return any(_takes_statistics(module) for module in net.modules())


def _takes_statistics(module: nn.Module) -> bool:
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return module.output_size in (1, (1, 1))
    if isinstance(module, STATISTICS):
        return getattr(module, "running_mean", None) is None
    return type(module).__name__ in POOLED


def choose_device(wanted: str) -> torch.device:
    """Choose the device: `auto` is the GPU if there is one, each process its own.

    Raise MisuseError where it is missing.
    """
    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        raise MisuseError("--device cuda: torch finds no GPU; use --device cpu or leave the option out.")
    if not present or wanted == "cpu":
        return torch.device("cpu")
    local_rank = os.environ.get("LOCAL_RANK")
    return torch.device("cuda" if local_rank is None else f"cuda:{int(local_rank) % torch.cuda.device_count()}")


def count_parallel_calls(device: torch.device) -> int:
    """Choose how many windows are computed at once: a GPU's queue takes one after the other, cores up to `AT_ONCE`."""
    return 1 if device.type != "cpu" else min(torch.get_num_threads(), AT_ONCE)


def has_native_bf16(device: torch.device) -> bool:
    """Return whether the device computes bf16 natively: AVX512-bf16 or AMX, or CUDA compute capability ≥ 8.0."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def choose_usable_precision(wanted: Precision, device: torch.device) -> Precision:
    """Choose `wanted` where the device computes it natively, else fp32: emulated, it is slower and less exact."""
    native = device.type == "cuda" if wanted == "16-mixed" else has_native_bf16(device)
    return wanted if native else "32-true"
