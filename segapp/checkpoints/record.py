"""What a checkpoint says of itself when it was saved by a Trainer in Python, without the command line."""

import warnings
from typing import Any

from segapp.checkpoints.version import VERSION
from segapp.errors import MisuseError
from segapp.init_args import describe

LINKED = ("in_channels", "num_classes")
"""Arguments of a network that the command line takes from the data."""


def record_of(module: Any) -> dict[str, Any]:
    """Return the checkpoint's `segapp` entry of a SegmentationModule in training, of plain types.

    With `net`, `segapp predict` and `export` can use the checkpoint; with `config`, which holds what scoring needs and
    nothing of the optimiser, also `segapp test` and `validate`. What has no description is left out, with a warning.
    """
    net = _described("segapp cannot use this checkpoint by itself", module.net) or {}
    data = getattr(module.trainer, "datamodule", None)
    scores = {name: float(value) for name, value in module.trainer.callback_metrics.items() if name.startswith("val/")}
    return {
        "version": VERSION,
        "spec": module.spec.to_dict(),
        "net": net,
        "config": _config(module, data, net),
        "splits": {} if data is None or not hasattr(data, "split_names") else data.split_names(),
        "scores": scores,
    }


def _config(module: Any, data: Any, net: dict[str, Any]) -> dict[str, Any]:
    """Return what `segapp test` needs; empty where something of it cannot be said."""
    arguments = net.get("init_args", {})
    if not hasattr(data, "source") or not arguments.keys() >= {*LINKED}:
        return {}
    described = _described("segapp test cannot use this checkpoint", {"source": data.source, "loss": module.loss})
    if described is None:
        return {}
    own = {name: value for name, value in arguments.items() if name not in LINKED}
    spec = module.spec.to_dict()
    windows = {name: spec[name] for name in ("resize", "window", "overlap", "blend")}
    return {
        "seed_everything": data.sampling.seed,
        "model": {"net": {**net, "init_args": own}, "loss": described["loss"]},
        "data": {"source": described["source"], **windows},
    }


def _described(consequence: str, value: Any) -> Any:
    try:
        return describe(value)
    except MisuseError as error:
        warnings.warn(f"{consequence}: {error}", stacklevel=2)
        return None
