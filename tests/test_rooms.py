"""Tests mirror the package: a module that does something has a test file of its name."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [path for path in sorted((ROOT / "segapp").rglob("*.py")) if not path.name.startswith("__")]

DECLARED = {"batch.py"}
"""Modules that only declare names and types."""


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT / "segapp")))
def test_a_module_that_does_something_has_a_test_file_of_its_name(module):
    inside = module.relative_to(ROOT / "segapp")
    test = ROOT / "tests" / inside.parent / f"test_{inside.name}"
    if inside.as_posix() in DECLARED:
        found = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.FunctionDef)]
        assert not found, f"{inside} does something by now: write {test.relative_to(ROOT)}"
    else:
        assert test.is_file() and "def test_" in test.read_text(), f"write {test.relative_to(ROOT)}"
