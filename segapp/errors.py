"""Errors meant for users: one clear message, no traceback.

A message names the file or setting, what was found, what was expected and what to do.
`segapp.cli.main` prints it and exits with the class's `exit_code`.
"""

import difflib
from collections.abc import Iterable

OTHER_NAMES = {
    "epochs": "max_epochs",
    "num_epochs": "max_epochs",
    "steps": "max_steps",
    "iterations": "max_steps",
    "learning_rate": "lr",
    "lr": "lr",
    "bs": "batch_size",
    "batch": "batch_size",
    "workers": "num_workers",
    "gpus": "devices",
    "num_gpus": "devices",
    "seed": "seed_everything",
    "random_seed": "seed_everything",
    "checkpoint": "ckpt_path",
    "weights": "ckpt_path",
    "resume": "ckpt_path",
    "patch_size": "crop",
    "crop_size": "crop",
    "image_size": "resize",
    "img_size": "resize",
    "grad_clip": "gradient_clip_val",
    "amp": "precision",
    "out": "output",
    "input": "images",
    "tta": "augment",
}


class SegappError(Exception):
    """Work that was asked for correctly and failed (a broken file, a full disk): exit code 1."""

    exit_code = 1


class MisuseError(SegappError):
    """A request that cannot be carried out as it stands (a wrong setting, a missing folder): exit code 2."""

    exit_code = 2


class FatalError(SegappError):
    """Work that cannot go on for a reason that is no image's, as too little memory or a full disk: it ends the run."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class StoppedError(SegappError):
    """Work that ended early because it was asked to: exit code 130 after Ctrl-C, 143 after SIGTERM."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def _find_meant(word: str, words: list[str]) -> str | None:
    """Return the known word whose last part is, or commonly is called, that of `word`."""
    last = word.lstrip("-").replace("-", "_").split(".")[-1].lower()
    wanted = (last, OTHER_NAMES.get(last, last))
    found = [known for known in words if known != word and known.lstrip("-").split(".")[-1] in wanted]
    if not found and wanted[1] == "lr" and "--model" in words:
        return "--model.optimizer.init_args.lr"  # of a class, which the parser knows once it is named
    return min(found, key=lambda known: (known.split(".")[0] != word.split(".")[0], len(known)), default=None)


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the nearest known word, or nothing."""
    words = list(known)
    bare = {name.lstrip("-"): name for name in words}  # dashes are alike in all options
    near = difflib.get_close_matches(word.lstrip("-"), bare, n=1, cutoff=0.6)
    nearest = _find_meant(word, words) or (bare[near[0]] if near else None)
    return f" (did you mean {nearest!r}?)" if nearest else ""
