"""Names are read from source text without importing it."""

from segapp.cli.early_checks import PLAIN, SECTION_SOURCES
from segapp.cli.source_text import file_of, parameters_of, public_names


def test_names_read_from_source_are_those_that_python_sees():
    import inspect
    from importlib import import_module

    for path, name in SECTION_SOURCES.values():
        kind = getattr(import_module(path), name)
        assert parameters_of(path, name) == list(inspect.signature(kind).parameters)
    for room in ("segapp.models", "segapp.losses", "segapp.datasets", "segapp.transforms", "segapp.callbacks"):
        assert {*(public_names(room) or [])} <= {*dir(import_module(room))}
    assert "name" in PLAIN


def test_what_the_text_does_not_tell_is_not_guessed():
    assert file_of("segapp.nowhere") is None and file_of("nowhere") is None
    assert parameters_of("segapp.models", "Nothing") is None
    assert public_names("segapp.nowhere") is None
