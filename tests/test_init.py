"""`import segapp` is light and offers, lazily, what scripts use."""

import subprocess
import sys
from importlib import import_module

import pytest

import segapp


def test_importing_segapp_imports_no_library() -> None:
    code = "import sys; before = set(sys.modules); import segapp; print(*sorted(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {name.split(".")[0] for name in ran.stdout.split()} <= {"segapp", "importlib", "typing", "__future__"} | set(
        sys.stdlib_module_names
    )


@pytest.mark.parametrize("name", segapp.__all__)
def test_every_public_name_is_that_of_its_module(name: str) -> None:
    assert name in dir(segapp)
    assert getattr(segapp, name) is getattr(import_module(segapp._HOMES[name]), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        segapp.lod  # noqa: B018
