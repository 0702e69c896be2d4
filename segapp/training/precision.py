"""Choose the fastest safe precision of a device, and refuse precisions that lose information."""

from typing import get_args

import torch

from segapp.errors import MisuseError
from segapp.inference.runtime import choose_device, has_native_bf16
from segapp.spec import Precision

ROUNDED = ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16")


def refuse_rounded_weights(precision: object) -> None:
    """Raise MisuseError for arithmetic in which the weights themselves are rounded."""
    if precision in ROUNDED:
        raise MisuseError(
            f"trainer.precision {precision} rounds the weights themselves, so small updates, averaged weights and "
            f"sums over pixels lose their precision; use {' or '.join(get_args(Precision))}."
        )


def refuse_mixed_under_fsdp(precision: object, strategy: object) -> None:
    """Raise MisuseError for FSDP's own mixed precision, which rounds the running statistics of batch norms."""
    if "fsdp" in str(strategy).lower() and str(precision).endswith("-mixed"):
        raise MisuseError(
            f"trainer.precision {precision} under trainer.strategy fsdp rounds the running statistics of batch norms, "
            "and training fails: use --trainer.precision 32-true, or --trainer.strategy ddp."
        )


def choose_precision(accelerator: str, strategy: object = "auto") -> str:
    """Choose the precision to train in, by Lightning's name, for its accelerator `auto`, `cpu`, `gpu`, `cuda` or `mps`.

    bf16 where the processor computes it natively, else fp32: fp16 needs loss scaling, and bf16 emulated in software
    is slower than fp32. FSDP gets fp32: see `refuse_mixed_under_fsdp`.
    """
    if "fsdp" in str(strategy).lower():
        return "32-true"
    device = torch.device(accelerator) if accelerator in ("cpu", "mps") else choose_device("auto")
    return "bf16-mixed" if has_native_bf16(device) else "32-true"
