"""Explain errors from other libraries during training and scoring, in one message with a remedy."""

import errno
import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from segapp.callbacks.keep_checkpoints import format_resume
from segapp.errors import MisuseError, SegappError
from segapp.io import write_atomically
from segapp.io.write import explain_full_disk

_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|Cannot allocate memory|std::bad_alloc")
_JSONARGPARSE = ("Parser key", "Does not validate", "Subtypes:", "Errors:", "Expected a", "Given value", "Not a valid")
_RAISED_BY = "Problem with given class_path"
_BYTES = re.compile(r"tried to allocate (\d+) bytes")
_NO_SHARED_MEMORY = re.compile(r"shared memory|unable to (?:mmap|write to file) </torch_|unable to open shared")


def explain_known_failure(error: Exception, verb: str, settings: Any, folder: Path) -> SegappError | None:
    """Explain a failure that the user can do something about, or return None: then it is a bug of segapp.

    Args:
        error: The exception; its causes are examined too.
        verb: fit, validate or test.
        settings: The verb's configuration, for its batch size.
        folder: The run folder, for the checkpoint to resume from.
    """
    for cause in _iterate_causes(error):
        message = _find_message(cause, _suggest_smaller(verb, settings), folder)
        if message is not None:
            return SegappError(f"{message}{_explain_resume(folder, settings.trainer)}")
    return None


def explain_refusal(error: Exception) -> SegappError:
    """Explain settings that a constructor refused, by segapp's message where there is one, else by the library's."""
    for cause in _iterate_causes(error):
        if isinstance(cause, SegappError):
            return cause
    _, named, inner = str(error).rpartition(_RAISED_BY)  # the last is the innermost: the message of its constructor
    lines = [line.strip().removeprefix("- ") for line in inner.splitlines()[bool(named) :]]
    messages = [line for line in lines if line and not line.startswith(_JSONARGPARSE)]
    return MisuseError(f"a setting is refused: {(messages or lines)[0].rstrip('.')}.")


def keep_traceback(error: Exception, folder: Path) -> Path | None:
    """Write the traceback of `error` to `<folder>/error.log`, processes after the first to `error-<rank>.log`.

    None where that fails too, as on a full disk.
    """
    rank = os.environ.get("LOCAL_RANK", "0")
    path = folder / ("error.log" if rank == "0" else f"error-{rank}.log")
    try:
        with write_atomically(path) as temporary:
            temporary.write_text("".join(traceback.format_exception(error)))
    except (OSError, SegappError):
        return None
    return path


def _iterate_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _find_message(error: BaseException, smaller: str, folder: Path) -> str | None:
    message = str(error)
    if (full := explain_full_disk(error, folder / "checkpoints")) is not None:
        return str(full)
    if isinstance(error, torch.OutOfMemoryError):
        return f"the GPU's memory ran out ({_explain_device_memory()}). {smaller}"
    if isinstance(error, RuntimeError) and _NO_SHARED_MEMORY.search(message):
        return (
            "shared memory ran out (/dev/shm), through which workers hand over batches. Enlarge it (docker run "
            "--shm-size 8g), or set data.num_workers to fewer (0 needs none)."
        )
    if isinstance(error, MemoryError) or _is_memory(error, message):
        wanted = _BYTES.search(message)
        size = f" for {int(wanted[1]) / 1e9:.3g} GB more" if wanted else ""
        return f"the machine's memory does not suffice{size}. {smaller}"
    if isinstance(error, ModuleNotFoundError):
        return f"a package is missing: {' '.join(message.split()).rstrip('. ')}."
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return "too many files are open. Raise the limit (ulimit -n 65536), or set data.num_workers to fewer."
    return None


def _is_memory(error: BaseException, message: str) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(message))


def _explain_device_memory() -> str:
    if not torch.cuda.is_available():
        return "as PyTorch reports"
    free, total = torch.cuda.mem_get_info()
    return f"{(total - free) / 2**30:.1f} of {total / 2**30:.1f} GiB are in use, {torch.cuda.get_device_name()}"


def _suggest_smaller(verb: str, settings: Any) -> str:
    """Suggest what needs less memory: a smaller batch for training, smaller windows for scoring."""
    data = settings.data
    if verb != "fit":
        return "Set --data.window to less (now " + str(data.get("window") or "that of a training sample") + ")."
    half = max(data.batch_size // 2, 1)
    steps = 2 * (settings.trainer.accumulate_grad_batches or 1)
    options = [f"--data.batch_size {half} (now {data.batch_size})"] if data.batch_size > 1 else []
    options += [f"a smaller --data.crop (now {data.crop})" if data.crop else "--data.crop, e.g. '[256, 256]'"]
    same = f" --trainer.accumulate_grad_batches {steps} keeps the size of an optimiser's step." if options[1:] else ""
    return f"Set {', or '.join(options)}.{same}"


def _explain_resume(folder: Path, trainer: Any) -> str:
    last = folder / "checkpoints" / "last.ckpt"
    if not last.is_file():
        return ""
    strategy = trainer.strategy if isinstance(trainer.strategy, str) else "auto"  # a class: the user sets it again
    return f" Then resume with: {format_resume(last, trainer.devices, trainer.num_nodes, strategy)}"
