"""Runs exported networks without torch: through ONNX Runtime or OpenVINO; logits are numpy arrays."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from segapp.errors import FatalError, MisuseError
from segapp.inference.exported_checks import (
    BRANCHES,
    LARGEST_CONSTANT,
    explain_damaged,
    import_library,
    require_ends,
    require_known_end,
    require_plain_graph,
    require_small_constants,
    require_xml,
)
from segapp.spec import Precision
from segapp.system.limits import count_usable_cores

HINTS = {"32-true": "f32", "bf16-mixed": "bf16", "16-mixed": "f16"}
"""OpenVINO's names; left alone it chooses bf16 by itself where the processor has it."""

FOLDED = "optimization.constant_folding_max_output_size_in_bytes"
"""ONNX Runtime computes constants while it loads a network, but none beyond so many bytes."""


class NumpyRuntime:
    """The base class of runtimes whose logits are numpy arrays."""

    window_statistics = False  # unknown from the graph; a bundle records it
    parallel = 1
    temperature = 1.0

    def share_cores(self) -> None:
        """Do nothing: one call at a time has all cores."""

    def zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return float32 zeros."""
        return np.zeros(shape, np.float32)

    def array(self, values: np.ndarray) -> np.ndarray:
        """Return a float32 copy."""
        return np.array(values, np.float32)

    def to_numpy(self, array: np.ndarray) -> np.ndarray:
        """Return the array itself."""
        return array

    def compute_indices(self, logits: np.ndarray) -> np.ndarray:
        """Return (K, h, w) → (h, w) uint8, the first of equal logits; class by class, five times faster than argmax."""
        best, largest = np.zeros(logits.shape[1:], np.uint8), logits[0].copy()
        for index in range(1, len(logits)):
            better = logits[index] > largest
            best[better] = index
            np.maximum(largest, logits[index], out=largest)
        return best

    def compute_probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Compute softmax over the classes, (B, K, h, w)."""
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    def log(self, probabilities: np.ndarray) -> np.ndarray:
        """Compute the natural logarithm, at least that of the smallest normal number."""
        return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))

    def sum_confidence(self, logits: np.ndarray) -> float:
        """Return the sum over all pixels of (K, h, w) logits of the largest probability."""
        return float(self.compute_probabilities(logits[None])[0].max(axis=0).sum(dtype=np.float64))


class OnnxRuntime(NumpyRuntime):
    """A `.onnx` file on the CPU.

    Raises MisuseError when it is damaged, reaches for files beside its folder, or could compute without end.

    Arithmetic is that of the file: float32, or int8 where it was quantised.
    """

    def __init__(self, path: Path, window_statistics: bool = False, temperature: float = 1.0) -> None:
        self.window_statistics, self.temperature = window_statistics, temperature
        onnxruntime = import_library("onnxruntime", "onnx")
        require_plain_graph(path)
        self._make_options = onnxruntime.RunOptions
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _count_threads()
        options.log_severity_level = 3
        options.add_session_config_entry(FOLDED, str(LARGEST_CONSTANT))
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no base class of their own
            raise explain_damaged(path, error) from error
        self._path = path
        inputs, outputs = (
            [one.name for one in ends()] for ends in (self._session.get_inputs, self._session.get_outputs)
        )
        require_ends(path, inputs, outputs)
        self._dtype = {"tensor(uint8)": "uint8", "tensor(float)": "float32"}.get(self._session.get_inputs()[0].type)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute logits (B, K, h, w) float32.

        Images are (B, C, h, w) uint8, or float32 in [0, 1], as the network was trained.
        """
        _check_dtype(self._path, images, self._dtype)
        try:
            return self._run(np.ascontiguousarray(images))
        except Exception as error:
            raise _explain_failure(self._path, error) from error

    def _run(self, images: np.ndarray) -> np.ndarray:
        """Compute in another thread, so that Ctrl-C and SIGTERM are noticed here and end it after one operator."""
        options = self._make_options()
        with ThreadPoolExecutor(1) as pool:
            try:
                answer = pool.submit(self._session.run, None, {"images": images}, options)
                logits: np.ndarray = answer.result()[0]
            except BaseException:
                options.terminate = True
                raise
        return logits


class OpenVinoRuntime(NumpyRuntime):
    """An OpenVINO `.xml` with its `.bin` beside it, on the CPU, in the arithmetic that is asked for."""

    def __init__(
        self,
        path: Path,
        precision: Precision = "32-true",
        window_statistics: bool = False,
        temperature: float = 1.0,
    ) -> None:
        self.window_statistics, self.temperature = window_statistics, temperature
        openvino = import_library("openvino", "openvino")
        core = openvino.Core()
        settings = {"INFERENCE_PRECISION_HINT": HINTS[precision], "INFERENCE_NUM_THREADS": _count_threads()}
        try:
            require_xml(path)  # OpenVINO reads ONNX and other formats too, whatever the name
            model = core.read_model(path, path.with_suffix(".bin"))
            require_known_end(path, {one.get_type_name() for one in model.get_ops()} & BRANCHES)
            require_small_constants(path, model)
            self._model = core.compile_model(model, "CPU", settings)
        except MisuseError:
            raise
        except Exception as error:
            raise explain_damaged(f"{path} with {path.stem}.bin", error) from error
        self._path = path
        inputs, outputs = (
            [name if name in one.names or not many else one.any_name for one in ends]
            for name, ends, many in (
                ("images", self._model.inputs, len(self._model.inputs) > 1),
                ("logits", self._model.outputs, len(self._model.outputs) > 1),
            )
        )  # in int8 the only input may have lost its name
        require_ends(path, inputs, outputs)
        self._dtype = {"u8": "uint8", "f32": "float32"}.get(self._model.input(0).get_element_type().get_type_name())

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute logits (B, K, h, w) float32.

        Images are (B, C, h, w) uint8, or float32 in [0, 1], as the network was trained.
        """
        _check_dtype(self._path, images, self._dtype)
        try:
            logits = self._model({0: np.ascontiguousarray(images)})[0]
        except Exception as error:
            raise _explain_failure(self._path, error) from error
        return np.array(logits, np.float32)  # a copy: the request's own memory is overwritten by the next call


def _explain_failure(path: Path, error: Exception) -> FatalError:
    return FatalError(f"{path}: the exported network cannot compute ({' '.join(str(error).split())[:300]}).")


def choose_onnx_precision(wanted: Precision | None) -> Precision:
    """Choose the precision of ONNX Runtime on a CPU; raise MisuseError when the user asks for another one."""
    if wanted not in (None, "32-true"):
        raise MisuseError(
            f"precision {wanted}: ONNX Runtime computes in 32-true on a CPU (int8 where the bundle is quantised); "
            "leave --precision out, or export --format openvino, which computes in bf16 too."
        )
    return "32-true"


def choose_openvino_precision(wanted: Precision | None, saved: Precision) -> Precision:
    """Choose the precision asked for, or the saved one where this processor computes it natively, else fp32.

    Raises MisuseError for one that the processor lacks: OpenVINO would compute in another without a word.
    """
    core = import_library("openvino", "openvino").Core()
    native = {"32-true"} | {
        name
        for name, ability in (("bf16-mixed", "BF16"), ("16-mixed", "FP16"))
        if ability in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    }
    if wanted is not None and wanted not in native:
        raise MisuseError(f"precision {wanted}: OpenVINO computes in {', '.join(sorted(native))} on this processor.")
    chosen = wanted or saved
    return chosen if chosen in native else "32-true"


def _count_threads() -> int:
    """Return the number of usable cores, or OMP_NUM_THREADS if that is fewer."""
    cores, wanted = count_usable_cores(), os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(wanted))) if wanted.isdecimal() else cores


def _check_dtype(path: Path, images: np.ndarray, dtype: str | None) -> None:
    if images.dtype != dtype:
        raise MisuseError(f"{path}: the network needs {dtype} images, got {images.dtype}; set the data's intensity.")
