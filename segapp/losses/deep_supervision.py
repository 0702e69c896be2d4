"""A loss over several outputs of a network."""

import torch
from torch import Tensor, nn

from segapp.init_args import Recorded
from segapp.losses.partial_labels import PartialLabels


class DeepSupervision(Recorded, nn.Module):
    """A loss over several outputs, finest first, weighted 2⁻ⁱ and normalised; the mask is resized by nearest.

    Args:
        loss: Applied to every output.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Tensor | list[Tensor], mask: Tensor, partial: PartialLabels | None = None) -> Tensor:
        """Compute the scalar loss; a single tensor (as in evaluation) is passed to `loss` unchanged."""
        labels = () if partial is None else (partial,)  # which other libraries' losses do not take
        if isinstance(logits, Tensor):
            return self.loss(logits, mask, *labels)
        weights = [2.0**-level for level in range(len(logits))]
        losses = [
            weight * self.loss(output, _resize_mask(mask, output.shape[-2:]), *labels)
            for weight, output in zip(weights, logits, strict=True)
        ]
        return torch.stack(losses).sum() / sum(weights)


def _resize_mask(mask: Tensor, size: torch.Size) -> Tensor:
    """Resize (N, H, W) → (N, *size), each pixel that of the mask under its centre: class indices and 255 stay."""
    if mask.shape[-2:] == size:
        return mask
    rows, columns = (
        (2 * torch.arange(small, device=mask.device) + 1) * large // (2 * small)
        for large, small in zip(mask.shape[-2:], size, strict=True)
    )
    return mask[:, rows[:, None], columns]
