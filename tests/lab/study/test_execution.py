"""Jobs run where the user wants them, until the user interrupts them."""

from pathlib import Path

from segapp.lab.study import execution
from segapp.lab.study.processes import Processes


def test_jobs_run_on_this_machine_without_a_cluster(monkeypatch):
    ran = []
    monkeypatch.setattr(execution, "run_all", lambda jobs, folder, executor: ran.append((jobs, folder, executor)))
    assert execution.run_jobs(["job"], Path("runs/x"), 2, None)
    ((jobs, folder, executor),) = ran
    assert (jobs, folder) == (["job"], Path("runs/x")) and isinstance(executor, Processes) and len(executor.slots) == 2


def test_an_interruption_is_reported_and_not_raised(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(execution, "run_all", interrupt)
    assert not execution.run_jobs([], Path("runs/x"), 1, None)
    assert "resume" in capsys.readouterr().out
