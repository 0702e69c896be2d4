"""Names are read from source text without importing it."""

from segapp.cli.early_checks import SECTION_SOURCES, TOP_LEVEL
from segapp.cli.source_text import find_file, list_parameters, list_public_names


def test_names_read_from_source_are_those_that_python_sees():
    import inspect
    from importlib import import_module

    for path, name in SECTION_SOURCES.values():
        kind = getattr(import_module(path), name)
        assert list_parameters(path, name) == list(inspect.signature(kind).parameters)
    for room in ("segapp.models", "segapp.losses", "segapp.datasets", "segapp.transforms", "segapp.callbacks"):
        assert {*(list_public_names(room) or [])} <= {*dir(import_module(room))}
    assert "name" in TOP_LEVEL


def test_what_the_text_does_not_contain_is_not_assumed():
    assert find_file("segapp.nowhere") is None and find_file("nowhere") is None
    assert list_parameters("segapp.models", "Nothing") is None
    assert list_public_names("segapp.nowhere") is None
