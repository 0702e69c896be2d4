"""Pauses the search for garbage while libraries are imported, which would take a fifth of the start.

Importing torch and Lightning makes a million objects that stay, and Python would search them again and again.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_is_paused = False


@contextmanager
def pause_collection() -> Iterator[None]:
    """Collect no garbage until `resume_collection` or the end."""
    global _is_paused
    if gc.isenabled():
        _is_paused = True
        gc.disable()
    try:
        yield
    finally:
        resume_collection()


def resume_collection() -> None:
    """Collect garbage again if `pause_collection` stopped it; what exists now is never searched."""
    global _is_paused
    if _is_paused:
        _is_paused = False
        gc.freeze()
        gc.enable()
