"""The mean of a value over the samples of an epoch, also after an interruption."""

from torch import Tensor, zeros
from torchmetrics import Metric


class EpochMean(Metric):
    """The mean of values weighted by their numbers of samples; its sums can be stored and restored."""

    full_state_update = False
    total: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", zeros(()), dist_reduce_fx="sum")
        self.add_state("samples", zeros(()), dist_reduce_fx="sum")

    def update(self, value: Tensor, samples: int) -> None:
        """Add a mean over so many samples."""
        self.total += value.detach() * samples
        self.samples += samples

    def compute(self) -> Tensor:
        """Return the mean so far."""
        return self.total / self.samples

    @property
    def sums(self) -> list[float]:
        """The weighted sum of this process's values, and its number of samples."""
        return [float(self.total), float(self.samples)]

    def restore(self, sums: list[float]) -> None:
        """Continue from `sums`."""
        self.reset()
        self.update(zeros((), device=self.device), 0)
        self.total += sums[0]
        self.samples += sums[1]
