"""segapp: train, understand and ship U-Nets, with one command each.

`import segapp` imports nothing heavy; the names below are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segapp.api.evaluate import evaluate
    from segapp.api.model import Model, load
    from segapp.api.prediction import Prediction
    from segapp.api.training import make_callbacks
    from segapp.datasets import Folder
    from segapp.loading.datamodule import SegmentationDataModule
    from segapp.models import UNet
    from segapp.training.module import SegmentationModule

__version__ = "0.1.0"

__all__ = [
    "Folder",
    "Model",
    "Prediction",
    "SegmentationDataModule",
    "SegmentationModule",
    "UNet",
    "evaluate",
    "load",
    "make_callbacks",
]

_HOMES = {
    "Folder": "segapp.datasets",
    "Model": "segapp.api.model",
    "Prediction": "segapp.api.prediction",
    "SegmentationDataModule": "segapp.loading.datamodule",
    "SegmentationModule": "segapp.training.module",
    "UNet": "segapp.models",
    "evaluate": "segapp.api.evaluate",
    "load": "segapp.api.model",
    "make_callbacks": "segapp.api.training",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, those not yet imported too."""
    return sorted({*globals(), *__all__})
