"""What others' code raises becomes an error that the user can act on, or stays what it is."""

from pathlib import Path

import pytest
from jsonargparse import Namespace

from segapp.cli.run_failures import explain_failure
from segapp.errors import MisuseError

SETTINGS = Namespace(ckpt_path="a.ckpt", data=Namespace(window=64))


def explain(error: Exception, old: dict | None = None, new: dict | None = None):
    return explain_failure(error, "test", SETTINGS, Path("runs"), (old, new or {}), processes=1)


def test_settings_that_lightning_checks_late_are_usage_errors():
    found = explain(ValueError("`val_check_interval`\n (9) is too large"))
    assert isinstance(found, MisuseError) and "val_check_interval` (9)" in str(found)


def test_weights_of_another_network_are_told_by_what_differs():
    error = RuntimeError("Error(s) in loading state_dict for UNet:\n\tsize mismatch")
    found = explain(error, {"net": {"init_args": {"depth": 3}}}, {"net": {"init_args": {"depth": 4}}})
    assert isinstance(found, MisuseError)
    assert "a.ckpt" in str(found) and "model.net.init_args.depth was 3 and is 4" in str(found)


@pytest.mark.parametrize("error", [ValueError("nobody knows"), KeyError("x")])
def test_what_nobody_knows_keeps_its_traceback(error):
    assert explain(error) is None
