"""Spares the start an import that nothing here uses: a sixth of its time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_NAME = "scipy.signal"


class _StandIn(ModuleType):
    """A stand-in for scipy.signal that imports it when anything but `hamming` is used."""

    __file__ = None  # what inspect asks every module
    hamming = None

    def __getattr__(self, name: str) -> Any:
        sys.modules.pop(_NAME)
        return getattr(import_module(_NAME), name)


@contextmanager
def defer_scipy_signal() -> Iterator[None]:
    """Let torchmetrics, which Lightning imports, look for `scipy.signal.hamming` without importing scipy.signal.

    torchmetrics adds this name where it is missing, for a score of speech. scipy.signal imports scipy.stats and more.
    """
    if _NAME in sys.modules:
        yield
        return
    stand_in = sys.modules[_NAME] = _StandIn(_NAME)
    try:
        yield
    finally:
        if sys.modules.get(_NAME) is stand_in:
            del sys.modules[_NAME]
