"""`segapp export`: writes a checkpoint as a bundle that predicts without its training code."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from segapp.checkpoints.bundle import Dtype, Format, is_bundle
from segapp.checkpoints.checkpoint import load_checkpoint
from segapp.checkpoints.number_limits import read_temperature
from segapp.errors import MisuseError
from segapp.export.sample_images import generate_images, select_images
from segapp.export.write import ExportRequest, TrainedNetwork, write_bundle
from segapp.inference.open import check_alike
from segapp.inference.options import Augmentation, apply_options, format_summary
from segapp.spec import Average, Spec
from segapp.terminal.text import for_terminal


def export(
    ckpt_path: list[str] | str,
    format: Format,
    output: str,
    dtype: Dtype = "fp32",
    images: str | None = None,
    max_delta: float | None = None,
    max_changed: float | None = None,
    augment: list[Augmentation] = [],  # noqa: B006 - only read; a list is what the command line gives and shows
    scales: list[float] = [],  # noqa: B006
    average: Average | None = None,
    min_object: list[str] = [],  # noqa: B006
    min_hole: list[str] = [],  # noqa: B006
    allow: list[str] = [],  # noqa: B006
) -> int:
    """Write a trained network as a bundle that predicts without its training code.

    A bundle is a folder: the network with its normalisation inside, for any batch and image size, and spec.json
    with its classes and how images are read. `segapp predict` and `segapp test` accept it like a checkpoint.
    The bundle is always compared with the checkpoint; if they differ too much, nothing is written and the exit code
    is 1.

    Args:
        ckpt_path: Checkpoint of `segapp fit`; repeated, the bundle is an ensemble, whose predictions are averaged.
        format: onnx and openvino run without torch; weights: safetensors and the network's settings, for torch;
            pt2: for other programs, segapp does not load it again.
        output: Folder to create; it must not exist.
        dtype: How weights are stored. fp16: half the size, computed as before. int8: a quarter, and faster on CPUs;
            half of --images calibrate it, the other half verify it.
        images: Folder of images like those to predict, for verification and for the calibration of int8. Default:
            generated images.
        max_delta: Largest difference of a logit, as a fraction of the largest logit. Default: by dtype.
        max_changed: Largest fraction of pixels whose class changes. Default: by dtype.
        augment: Saved in the bundle: see every window also flipped (horizontal, vertical) or turned (rotations), in
            all combinations, and average; repeat it for several.
        scales: Saved in the bundle: see every window at these sizes, 1 being its own; repeat it.
        average: Saved in the bundle: what is averaged, at first probabilities.
        min_object: Saved in the bundle: PIXELS or CLASS=PIXELS, smaller objects go to what surrounds them; repeat it.
        min_hole: Saved in the bundle: PIXELS or CLASS=PIXELS, smaller holes are filled; repeat it.
        allow: Class or package outside segapp that the checkpoint may use, for user-defined networks.
    """
    target = Path(output)
    if target.exists():
        raise MisuseError(f"output {target} exists already; choose another name. Nothing was overwritten.")
    paths = [ckpt_path] if isinstance(ckpt_path, str) else ckpt_path
    opened = [_load(path, allow) for path in paths]
    for path, (other, _) in zip(paths[1:], opened[1:], strict=True):
        check_alike(paths[0], opened[0][0], path, other)
    spec = apply_options(opened[0][0], augment, scales, average, min_object, min_hole)
    verify, calibrate = select_images(Path(images), spec, dtype == "int8") if images else (generate_images(spec), [])
    request = ExportRequest(format, dtype, verify, calibrate, images is not None, max_delta, max_changed, allow)
    write_bundle([network for _, network in opened], spec, request, target, print)
    better = for_terminal(format_summary(spec, len(opened)))
    print(f"written: {target}{f' ({better})' if better else ''}")
    if format != "pt2":
        print(f"next:    segapp predict --ckpt_path {shlex.quote(str(target))} --images FOLDER --output masks")
    return 0


def _load(path: str, allow: Sequence[str]) -> tuple[Spec, TrainedNetwork]:
    if is_bundle(path):
        raise MisuseError(f"{path} is a bundle already; name the checkpoint from which it was made.")
    spec, net, record = load_checkpoint(path, allow)
    return spec, TrainedNetwork(net, record["net"], read_temperature(path, record.get("temperature")))
