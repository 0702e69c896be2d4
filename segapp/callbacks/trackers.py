"""Send the settings, sample images and report of a run to Lightning's loggers, each in the way that it takes them.

Scores need no help: a module's `log` reaches every logger.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.loggers import CometLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from segapp.errors import MisuseError
from segapp.terminal.text import for_terminal

BEST = "best/dice/dataset"
"""The name under which loggers get the score of `best.ckpt`."""

PACKAGES = {
    "WandbLogger": ("wandb", "wandb"),
    "MLFlowLogger": ("mlflow", "mlflow"),
    "CometLogger": ("comet_ml", "comet-ml"),
}
"""Lightning's loggers that need a package of their own: the module, and the name to install."""

_NOT_IN_MLFLOW = re.compile(r"[^a-zA-Z0-9_/. -]+")
"""Letters that MLflow takes in no name: Lightning drops them from those of scores."""


def refuse_missing_packages(loggers: Iterable[Any]) -> None:
    """Raise MisuseError for a logger of Lightning whose package is not installed.

    Args:
        loggers: Their settings; `true` and `false` are none.
    """
    for logger in loggers:
        package, _, name = str(getattr(logger, "class_path", "")).rpartition(".")
        module, distribution = PACKAGES.get(name, ("", ""))
        if module and package.split(".")[0] in ("lightning", "pytorch_lightning") and find_spec(module) is None:
            raise MisuseError(
                f"trainer.logger: {name} needs the package {distribution}, which is not installed: "
                f"pip install {distribution}"
            )


def refuse_lost_names(loggers: Any, scores: Sequence[str]) -> None:
    """Raise MisuseError for classes whose scores MLflow could not tell apart.

    Args:
        loggers: The user's: one, several, or a boolean.
        scores: The names of the values that a validation logs.
    """
    if not any(isinstance(one, MLFlowLogger) for one in (loggers if isinstance(loggers, list) else [loggers])):
        return
    kept = {name: _NOT_IN_MLFLOW.sub("", name) for name in scores}
    counts = Counter(kept.values())
    lost = [name for name, rest in kept.items() if counts[rest] > 1 or rest.endswith("/")]
    if lost:
        raise MisuseError(
            f"MLFlowLogger keeps a-z, A-Z, 0-9, _, ., - and spaces of the names of classes, so {lost[0]!r} would be "
            "lost: rename the class, or use another logger."
        )


def log_settings(logger: Logger, config: dict[str, Any]) -> None:
    """Log the settings of a run as hyper-parameters.

    Those of the loggers are left out: they may hold a key.

    Args:
        logger: Any logger of Lightning.
        config: The complete configuration, in plain types.
    """
    trainer = {key: value for key, value in (config.get("trainer") or {}).items() if key != "logger"}
    settings = _simplify({**config, "trainer": trainer})
    if isinstance(logger, TensorBoardLogger):  # it lists a run by a score, which `log_best` replaces
        logger.log_hyperparams(settings, {BEST: 0.0})
    else:
        logger.log_hyperparams(settings)


def log_best(logger: Logger, score: float, step: int) -> None:
    """Log the score of `best.ckpt`, by which runs are sorted."""
    logger.log_metrics({BEST: score}, step)


def log_image(logger: Logger, name: str, image: np.ndarray, step: int) -> None:
    """Log an image (H, W, 3) uint8 to a logger that takes images.

    Their names are UTF-8, and in MLflow ASCII; those of files are bytes, and may be anything.
    """
    name = for_terminal(name)
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, image, step, dataformats="HWC")
    elif isinstance(logger, WandbLogger):
        logger.log_image(name, [image], step=step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, image, key=_NOT_IN_MLFLOW.sub("_", name), step=step)
    elif isinstance(logger, CometLogger):
        logger.experiment.log_image(image, name=name, step=step)


def log_report(logger: Logger, page: Path, step: int) -> None:
    """Log a page to a logger that takes files; TensorBoard and CSV files take none."""
    if isinstance(logger, WandbLogger):
        logger.log_metrics({page.stem: import_module("wandb").Html(str(page), inject=False)}, step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_artifact(logger.run_id, str(page))
    elif isinstance(logger, CometLogger):
        logger.experiment.log_asset(str(page), file_name=page.name, overwrite=True, step=step)


def _simplify(value: Any) -> Any:
    """Return settings as mappings of plain values, whose keys are names that every logger takes.

    A list of classes becomes a mapping by number; what has other keys, such as colours, becomes text.
    """
    if isinstance(value, dict) and value and all(str(key).isidentifier() for key in value):
        return {str(key): _simplify(inner) for key, inner in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return {str(number): _simplify(one) for number, one in enumerate(value)}
    if value is None or isinstance(value, bool | int | float):
        return value
    return for_terminal(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
