"""Reads and writes checkpoints and builds their networks, without running their code and without downloads."""

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segapp.checkpoints.bounds import check_content, check_plain
from segapp.checkpoints.building import build_filled_network
from segapp.checkpoints.missing import describe_missing_checkpoint
from segapp.checkpoints.number_limits import read_temperature
from segapp.checkpoints.training_state import require_training_state
from segapp.checkpoints.version import read_spec, require_version
from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.spec import Spec
from segapp.system.pickle_content import check_attributes, check_pickle
from segapp.system.torch_files import MOST_METADATA, ZIP, check_archive

RECORD_KEYS = ("spec", "net", "config", "splits", "scores")
"""What a checkpoint's `segapp` entry holds, and `temperature` where `segapp validate --calibrate` fitted one."""


def load_checkpoint(path: str | Path, allowed: Sequence[str] = ()) -> tuple[Spec, nn.Module, dict[str, Any]]:
    """Load the spec, the network in evaluation mode on the CPU, and the checkpoint's own record.

    Nothing is unpickled but plain data, nothing is downloaded, and only the package's own parts and those under
    `allowed` (what the user named: classes or packages) are imported. Raises MisuseError with one message.
    """
    checkpoint = read_checkpoint(path)
    record = checkpoint["segapp"]
    return read_spec(path, record["spec"]), build_trained_network(path, checkpoint, allowed), record


def build_trained_network(path: str | Path, checkpoint: dict[str, Any], allowed: Sequence[str] = ()) -> nn.Module:
    """Build the network of a checkpoint that has been read, as `load_checkpoint` does."""
    if not checkpoint["segapp"]["net"]:
        raise MisuseError(
            f"{path}: holds no description of its network. It was saved by a Trainer in Python, with a network that "
            "does not record its arguments: make that by segapp.init_args.construct(Class, ...), and train again."
        )
    return build_filled_network(path, checkpoint["segapp"]["net"], select_weights("net.", checkpoint), allowed)


def select_weights(prefix: str, checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    """Select the weights of a checkpoint whose names begin with the prefix, by the rest of their names."""
    weights = checkpoint["state_dict"].items()
    return {name.removeprefix(prefix): value for name, value in weights if name.startswith(prefix)}


def write_checkpoint(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint so that always the old file or the new one exists; SegappError when the disk is full."""
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        torch.save(checkpoint, file)
        file.flush()
        os.fsync(file.fileno())


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read the checkpoint's content on the CPU, plain types and tensors only.

    `segapp` holds the keys of `RECORD_KEYS`.

    Raises MisuseError for a URL, a missing file, one that is no checkpoint, holds code, or is not segapp's.
    """
    _refuse_url(path)
    file = Path(path)
    if not file.is_file():
        raise MisuseError(describe_missing_checkpoint(file))
    try:
        with file.open("rb") as opened:
            if opened.read(len(ZIP)) != ZIP:  # segapp writes no other format
                opened.seek(0)
                check_pickle(file, opened.read(MOST_METADATA))
                raise MisuseError(_explain_damaged(file))
        metadata_bytes = check_archive(file)
        with warnings.catch_warnings(action="ignore"):  # about foreign files, which are refused anyway
            checkpoint = torch.load(file, map_location="cpu", weights_only=True)
        check_attributes(file, checkpoint)
    except MisuseError:
        raise
    except PermissionError as error:
        raise MisuseError(f"{file}: may not be read ({error.strerror}).") from error
    except Exception as error:  # a truncated or altered file fails anywhere in torch
        raise MisuseError(_explain_damaged(file)) from error
    return _check_checkpoint(file, checkpoint, metadata_bytes)


def _refuse_url(path: str | Path) -> None:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", str(path)):
        raise MisuseError(f"{path}: checkpoints are read from this machine only; download it first.")


def _check_checkpoint(file: Path, checkpoint: Any, metadata_bytes: int) -> dict[str, Any]:
    record = checkpoint.get("segapp") if isinstance(checkpoint, dict) else None
    if record is None:
        raise MisuseError(
            f"{file}: not written by segapp (it lacks the 'segapp' entry that describes the network); "
            "give a checkpoint of `segapp fit`, as runs/<name>/<time>/checkpoints/best.ckpt."
        )
    require_version(file, "checkpoint", record if isinstance(record, dict) else {}, "install the segapp that wrote it")
    _check_content(file, checkpoint, metadata_bytes)
    sections = [*(record.get(name) for name in RECORD_KEYS), checkpoint.get("state_dict")]
    if not all(isinstance(section, dict) for section in sections):
        raise MisuseError(f"{file}: a damaged checkpoint, one of {', '.join(RECORD_KEYS)}, state_dict is missing.")
    if not isinstance(record["net"].get("init_args", {}), dict):
        raise MisuseError(f"{file}: a damaged checkpoint, the init_args of its network are no settings.")
    names = [name for split in record["splits"].values() for name in (split if isinstance(split, list) else [split])]
    if not all(isinstance(name, str) for name in (*checkpoint["state_dict"], *record["splits"], *names)):
        raise MisuseError(f"{file}: a damaged checkpoint, its weights or images have names that are not text.")
    if not all(isinstance(value, Tensor) for value in checkpoint["state_dict"].values()):
        raise MisuseError(f"{file}: a damaged checkpoint, its state_dict holds more than tensors.")
    read_temperature(file, record.get("temperature"))
    require_training_state(file, checkpoint)
    return checkpoint


def _check_content(file: Path, checkpoint: dict[str, Any], metadata_bytes: int) -> None:
    """Raise MisuseError for content that is not plain data, or costs more memory or time than its size allows."""
    try:
        check_content(checkpoint, file.stat().st_size, metadata_bytes)
        for section in ("spec", "net", "config"):
            check_plain(checkpoint["segapp"].get(section))
    except MisuseError as error:
        raise MisuseError(f"{file}: {error} It was refused.") from error


def _explain_damaged(file: Path) -> str:
    return (
        f"{file}: no checkpoint, or a damaged or incomplete one ({file.stat().st_size:,} bytes): "
        "copy the complete file again, or give another checkpoint."
    )
