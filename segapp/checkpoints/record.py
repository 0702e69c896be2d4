"""Makes the `segapp` entry of a checkpoint that a Trainer in Python saves, without the command line."""

import warnings
from typing import Any

from segapp.checkpoints.version import VERSION
from segapp.errors import MisuseError
from segapp.init_args import describe

LINKED = ("in_channels", "num_classes")
"""Arguments of a network that the command line takes from the data."""


def make_record(module: Any) -> dict[str, Any]:
    """Return the checkpoint's `segapp` entry of a SegmentationModule in training, of plain types.

    With `net`, `segapp predict` and `export` can use the checkpoint; with `config`, which holds what scoring needs and
    nothing of the optimiser, also `segapp test` and `validate`. A part without a description is left out, with a
    warning.
    """
    net = _describe("segapp cannot use this checkpoint by itself", module.net) or {}
    data = getattr(module.trainer, "datamodule", None)
    scores = {name: float(value) for name, value in module.trainer.callback_metrics.items() if name.startswith("val/")}
    return {
        "version": VERSION,
        "spec": module.spec.to_dict(),
        "net": net,
        "config": _make_config(module, data, net),
        "splits": {} if data is None or not hasattr(data, "split_names") else data.split_names(),
        "scores": scores,
    }


def _make_config(module: Any, data: Any, net: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that `segapp test` needs; empty where one of them has no description."""
    arguments = net.get("init_args", {})
    if not hasattr(data, "source") or not arguments.keys() >= {*LINKED}:
        return {}
    described = _describe("segapp test cannot use this checkpoint", {"source": data.source, "loss": module.loss})
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


def _describe(consequence: str, value: Any) -> Any:
    try:
        return describe(value)
    except MisuseError as error:
        warnings.warn(f"{consequence}: {error}", stacklevel=2)
        return None
