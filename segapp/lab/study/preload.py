"""Imported by the server of a study's jobs: the modules that every job uses, imported once."""

from importlib import import_module

from segapp.system.garbage import pause_collection
from segapp.system.unused_imports import defer_scipy_signal

MODULES = [
    "lightning.pytorch.cli",
    "segapp.callbacks",
    "segapp.loading.datamodule",
    "segapp.training.module",
    "segapp.models",
    "segapp.cli.trainer_commands",
    "segapp.lab.study.run_variant",
    "torch.utils.tensorboard",
]
"""With these a variant starts in a fraction of a second instead of ten."""

with pause_collection(), defer_scipy_signal():
    for name in MODULES:
        import_module(name)
