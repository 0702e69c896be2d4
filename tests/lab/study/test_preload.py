"""The server of a study's jobs, which is silent about imports that fail, has what the jobs use."""

import sys
from importlib import import_module

from segapp.lab.study.processes import PRELOAD


def test_what_the_server_imports_is_there():
    for name in PRELOAD:
        import_module(name)
    assert {"segapp.cli.segmentation_cli", "segapp.lab.study.run_variant", "lightning"} <= sys.modules.keys()
