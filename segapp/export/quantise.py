"""A network in int8: its weights and features rounded to 256 steps, which real images have measured out."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

HEAVY = ["Conv", "ConvTranspose", "MatMul", "Gemm", "Add", "MaxPool", "Relu", "Resize"]
"""Operations that run in int8; the normalisation, which takes the image's own values, stays float32.

So does what joins a long skip: in int8 both features would have one scale, and the smaller of them few of its steps.
"""


def quantise(source: Path, path: Path, windows: Sequence[np.ndarray], scratch: Path, symmetric: bool) -> None:
    """Write a float32 `.onnx` in int8, as pairs of QuantizeLinear and DequantizeLinear.

    Weights are rounded per output channel, features between the smallest and largest value that they take over
    `windows`, each (1, C, h, w); where `symmetric`, up to their largest magnitude on either side of zero. ONNX Runtime
    computes such a file in int8, and so does OpenVINO: the first is faster where it is not symmetric, the second then
    gives other classes. `scratch` is a folder for files on the way.
    """
    prepared = scratch / "prepared.onnx"
    logging.getLogger().addFilter(_filter_advice)
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)  # batch norms become part of convolutions
        quantize_static(
            prepared,
            path,
            _Windows(windows),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=HEAVY,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": symmetric},
        )
    finally:
        logging.getLogger().removeFilter(_filter_advice)


class _Windows(CalibrationDataReader):
    """One window after the other, as ONNX Runtime asks for them."""

    def __init__(self, windows: Sequence[np.ndarray]) -> None:
        bar = tqdm(windows, desc="calibrating", unit="image", leave=False, disable=None)
        self._left: Iterator[np.ndarray] = iter(bar)

    def get_next(self) -> Any:
        window = next(self._left, None)
        return None if window is None else {"images": np.ascontiguousarray(window)}


def _filter_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()
