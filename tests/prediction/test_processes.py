"""Processes that share the images of a folder end together, and say a thing once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segapp.errors import MisuseError
from segapp.prediction.processes import run_in_processes


def wait_long(folder: str, deaf: bool) -> int:
    """Says that it has begun, and that it unwound."""
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    me = Path(folder) / os.environ["RANK"]
    me.with_suffix(".begun").write_text(str(os.getpid()))
    try:
        time.sleep(100)
    finally:
        me.with_suffix(".unwound").touch()
    return 0


def refuse(two_ways: bool) -> int:
    raise MisuseError("the same." if not two_ways or os.environ["RANK"] == "0" else "another.")


PARENT = """
import sys
from segapp import cli
from segapp.prediction import processes as shares
from tests.prediction.test_processes import wait_long

shares.PATIENCE_SECONDS = 1.0
settings = {"folder": sys.argv[1], "deaf": sys.argv[2] == "deaf"}
cli._dispatch = lambda arguments: shares.run_in_processes(wait_long, settings, 2)
sys.exit(cli.main([]))
"""


@pytest.mark.parametrize("hearing", ["hears", "deaf"])
def test_sigterm_to_the_first_ends_all_within_seconds(hearing, tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), hearing], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.begun"))) < 2 or not all(path.read_text() for path in tmp_path.glob("*.begun")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = time.monotonic()
    parent.terminate()
    assert parent.wait(timeout=30) == 128 + signal.SIGTERM
    assert time.monotonic() - told < 10
    for path in tmp_path.glob("*.begun"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.read_text()), 0)
    assert len(list(tmp_path.glob("*.unwound"))) == (2 if hearing == "hears" else 0)


@pytest.mark.parametrize("two_ways", [False, True])
def test_what_all_refuse_is_said_once(two_ways, capsys, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # the processes import this file
    assert run_in_processes(refuse, {"two_ways": two_ways}, 2) == 2
    said = capsys.readouterr().err.splitlines()
    assert sorted(said) == (["segapp: another.", "segapp: the same."] if two_ways else ["segapp: the same."])
