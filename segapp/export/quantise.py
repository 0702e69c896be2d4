"""Quantise a network to int8: weights and features rounded to 256 steps, calibrated on real images."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

INT8_OPERATIONS = ["Conv", "ConvTranspose", "MatMul", "Gemm", "Add", "MaxPool", "Relu", "Resize"]
"""Operations that run in int8; the normalisation, which takes the image's values, stays float32.

So does the operation that joins a long skip: in int8 both features would share one scale, which leaves the smaller one
few steps.
"""


def quantise(source: Path, path: Path, windows: Sequence[np.ndarray], scratch: Path, symmetric: bool) -> None:
    """Write a float32 `.onnx` in int8, as pairs of QuantizeLinear and DequantizeLinear.

    Weights are rounded per output channel, features between the smallest and largest value that they take over
    `windows`, each (1, C, h, w); where `symmetric`, up to their largest magnitude on either side of zero. ONNX Runtime
    computes such a file in int8, and so does OpenVINO: the first is faster where it is not symmetric, the second then
    gives other classes. `scratch` is a folder for intermediate files.
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
            op_types_to_quantize=INT8_OPERATIONS,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": symmetric},
        )
    finally:
        logging.getLogger().removeFilter(_filter_advice)


class _Windows(CalibrationDataReader):
    """Gives ONNX Runtime one window after the other."""

    def __init__(self, windows: Sequence[np.ndarray]) -> None:
        bar = tqdm(windows, desc="calibrating", unit="image", leave=False, disable=None)
        self._left: Iterator[np.ndarray] = iter(bar)

    def get_next(self) -> Any:
        window = next(self._left, None)
        return None if window is None else {"images": np.ascontiguousarray(window)}


def _filter_advice(record: logging.LogRecord) -> bool:
    return "pre-processing before quantization" not in record.getMessage()
