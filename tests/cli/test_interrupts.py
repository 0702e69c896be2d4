"""Ctrl-C and SIGTERM while libraries are imported."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SWALLOWED = """
import os, signal, sys, time
from segapp.cli import entry_point
def load(name):
    try:
        os.kill(os.getpid(), signal.{name})
        time.sleep(5)
    except BaseException:  # as some libraries do while they are imported
        pass
    os._exit(1)
entry_point.import_module, sys.argv = load, ["segapp", "doctor"]
sys.exit(entry_point.main())
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_libraries_are_imported_ends_with_its_code(name, code):
    words = [sys.executable, "-c", SWALLOWED.format(name=name)]
    heard = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    }  # ignored where a shell starts us behind
    done = subprocess.run(words, capture_output=True, cwd=ROOT, **heard)
    assert done.returncode == code
    assert done.stderr.count(b"\n") == 1
