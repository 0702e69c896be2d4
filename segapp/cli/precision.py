"""The fastest safe arithmetic of a device, when the person left it open."""

import torch


def fastest_safe_precision(accelerator: str) -> str:
    """Lightning's name of the precision to train in, for `auto`, `cpu`, `gpu`, `cuda` or `mps`.

    bf16 where the processor computes it natively (AVX512-bf16 or AMX; CUDA compute capability ≥ 8.0), else fp32:
    fp16 needs loss scaling and bf16 emulated in software is slower than fp32.
    """
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        native = torch.cuda.get_device_capability() >= (8, 0)
    elif accelerator == "cpu" or (accelerator == "auto" and not torch.backends.mps.is_available()):
        capabilities = torch.cpu.get_capabilities()
        native = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    else:
        native = False
    return "bf16-mixed" if native else "32-true"
