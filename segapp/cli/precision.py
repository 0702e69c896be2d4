"""The fastest safe arithmetic of a device, when the person left it open."""

import torch

from segapp.inference import chosen_device, computes_bf16


def fastest_safe_precision(accelerator: str) -> str:
    """Lightning's name of the precision to train in, for its accelerator `auto`, `cpu`, `gpu`, `cuda` or `mps`.

    bf16 where the processor computes it natively, else fp32: fp16 needs loss scaling, and bf16 emulated in software
    is slower than fp32.
    """
    device = torch.device(accelerator) if accelerator in ("cpu", "mps") else chosen_device("auto")
    return "bf16-mixed" if computes_bf16(device) else "32-true"
