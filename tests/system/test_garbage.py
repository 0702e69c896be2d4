"""No garbage is collected while libraries are imported, and it is from when the command itself runs."""

import gc
from types import SimpleNamespace

from segapp.cli import entry_point, main
from segapp.system.garbage import pause_collection


def test_a_program_collects_no_garbage_until_its_command_runs(monkeypatch):
    seen = []

    def doctor() -> int:
        """Record the state of the collector."""
        seen.append(gc.isenabled())
        return 0

    def load(name):
        seen.append(gc.isenabled())
        return SimpleNamespace(doctor=doctor)

    monkeypatch.setattr(entry_point, "import_module", load)
    monkeypatch.setattr("sys.argv", ["segapp", "doctor"])
    assert main() == 0
    assert seen == [False, True]
    assert main(["doctor"]) == 0  # called by a script: its collector is left alone
    assert seen[2:] == [True, True]


def test_a_collector_that_the_caller_stopped_stays_stopped():
    gc.disable()
    try:
        with pause_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
