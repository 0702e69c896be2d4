"""Make checkpoints and the run folder self-contained: spec, configuration and split."""

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from segapp import __version__
from segapp.callbacks.trackers import log_settings
from segapp.checkpoints.version import VERSION
from segapp.errors import MisuseError
from segapp.io import write_atomically
from segapp.io.yaml_comments import format_setting, keep_comments
from segapp.spec import Spec
from segapp.system.text_files import read_text
from segapp.system.yaml_files import LARGEST, parse_yaml


class RunRecord(Callback):
    """Puts the spec, the resolved config and the split into every checkpoint and the run folder, as plain types.

    Loggers get the config as hyper-parameters.

    Args:
        folder: The run folder.
        config: The resolved configuration: model, data, trainer, seed, name.
        comments: Reasons of settings, by dotted keys, which are written above them.
    """

    def __init__(
        self, folder: Path, config: dict[str, Any], comments: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.folder = folder
        self.config = config
        self.comments = comments
        self._validated_step = -1

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Log the config, before Lightning has loggers write what they were given."""
        if stage == "fit" and trainer.is_global_zero:
            for logger in trainer.loggers:
                log_settings(logger, self.config)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write config.yaml and split.yaml, after all checks."""
        if trainer.is_global_zero:
            splits = trainer.datamodule.split_names()  # type: ignore[attr-defined]
            path = self.folder / "config.yaml"
            header = f"# segapp {__version__}; again with: segapp fit --config {shlex.quote(str(path))}"
            comments = {**self._read_former_comments(path), **self.comments}
            settings = [
                line for key, value in self.config.items() for line in format_setting(key, value, key, comments)
            ]
            _write_lines(path, [header, *settings])
            names = yaml.safe_dump(splits, sort_keys=False)
            _write_lines(self.folder / "split.yaml", ["# The images of each split, as they were used.", names.rstrip()])

    def _read_former_comments(self, path: Path) -> dict[str, str]:
        """Return the comments of the config that a resumed run had, as far as they still concern it."""
        if not path.is_file():
            return {}
        try:
            text = read_text(path, LARGEST)
            return keep_comments(text, parse_yaml(text, str(path)), self.config)
        except MisuseError as error:  # the file is replaced anyway
            rank_zero_info(f"{error} Its comments are not kept.")
            return {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the step that the scores belong to."""
        self._validated_step = trainer.global_step

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Move the paths of callbacks' files into this run's folder: Lightning deletes files that are not best."""
        for state in _copy_file_states(checkpoint):
            _change_paths(state, lambda path: str(self.folder.resolve() / _make_relative(path, self.folder)))

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the one key that `segapp predict`, `test` and a resumed `fit` read."""
        spec: Spec = pl_module.spec  # type: ignore[assignment]
        net = _copy(self.config["model"]["net"])
        net.setdefault("init_args", {}).update(in_channels=spec.channels, num_classes=spec.num_classes)
        scored = trainer.global_step == self._validated_step
        metrics = trainer.callback_metrics.items() if scored else ()
        scores = {name: float(value) for name, value in metrics if name.startswith("val/")}
        for state in _copy_file_states(checkpoint):
            _change_paths(state, lambda path: str(_make_relative(path, self.folder)))
        checkpoint["segapp"] = {
            "version": VERSION,
            "spec": spec.to_dict(),
            "net": net,
            "config": _copy(self.config),
            "splits": trainer.datamodule.split_names(),  # type: ignore[attr-defined]
            "scores": scores,
        }


PATHS = ("dirpath", "best_model_path", "kth_best_model_path", "last_model_path")
"""Keys of a callback's state that are paths of its files, beside `best_k_models`."""


def _copy_file_states(checkpoint: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the states of the callbacks that keep files, as copies that replace them in the checkpoint.

    One of these keys is enough: Lightning takes the others' defaults, and deletes what they name.
    """
    states = checkpoint.get("callbacks", {})
    names = {*PATHS, "best_k_models"}
    keeping = {key: dict(state) for key, state in states.items() if isinstance(state, dict) and state.keys() & names}
    states.update(keeping)
    return list(keeping.values())


def _change_paths(state: dict[str, Any], change: Callable[[str], str]) -> None:
    for key in PATHS:
        if state.get(key):
            state[key] = change(str(state[key]))
    if "best_k_models" in state:
        state["best_k_models"] = {change(str(path)): score for path, score in (state["best_k_models"] or {}).items()}


def _make_relative(path: str, folder: Path) -> Path:
    """Return a path relative to the run's folder; of one outside it, or an address, the name."""
    real = os.path.realpath(folder.resolve() / path)  # a link in the run may lead out of it
    inside = Path(os.path.relpath(real, folder.resolve()))
    is_elsewhere = ".." in inside.parts or any(mark in path for mark in ("://", "::"))
    return Path(inside.name.replace(":", "_")) if is_elsewhere else inside


def _copy(config: Any) -> Any:
    """Copy a config deeply, which also proves that its types are plain."""
    return yaml.safe_load(yaml.safe_dump(config, sort_keys=False))


def _write_lines(path: Path, lines: list[str]) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text("\n".join([*lines, ""]), encoding="utf-8")
