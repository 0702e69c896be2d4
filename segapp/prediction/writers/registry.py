"""The kinds of output that `segapp predict --save` offers."""

from collections.abc import Iterable

from segapp.errors import MisuseError, suggest
from segapp.prediction.writers.coco import CocoWriter
from segapp.prediction.writers.contours import ContourWriter
from segapp.prediction.writers.geopackage import GeoPackageWriter
from segapp.prediction.writers.mask import MaskWriter
from segapp.prediction.writers.overlay import OverlayWriter
from segapp.prediction.writers.probability import ProbabilityWriter
from segapp.prediction.writers.uncertainty import UncertaintyWriter
from segapp.prediction.writers.writer import Writer

WRITERS: dict[str, type[Writer]] = {
    writer.name: writer
    for writer in (
        MaskWriter,
        OverlayWriter,
        ProbabilityWriter,
        ContourWriter,
        GeoPackageWriter,
        CocoWriter,
        UncertaintyWriter,
    )
}
"""Every kind by its name; a new kind of output is one class and one line here."""


def find_writers(names: Iterable[str]) -> list[type[Writer]]:
    """Return the writers of these names, each once, in the order given.

    Raises MisuseError for an unknown name, and where the library of a writer is not installed.
    """
    writers = []
    for name in dict.fromkeys(names):
        if name not in WRITERS:
            known = ", ".join(WRITERS)
            raise MisuseError(f"--save: there is no output {name!r}{suggest(name, WRITERS)}; choose from {known}.")
        WRITERS[name].require_library()
        writers.append(WRITERS[name])
    if not writers:
        raise MisuseError(f"--save names no output; choose from {', '.join(WRITERS)}.")
    return writers


def describe_writers() -> str:
    """Return the names and what they stand for, as one line of help."""
    return " ".join(f"{name}: {writer.help}." for name, writer in WRITERS.items())
