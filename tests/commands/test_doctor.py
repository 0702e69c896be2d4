"""`segapp doctor` prints one line per check and tells by its exit code."""

import pytest

from segapp.cli import main
from segapp.commands import doctor as command
from segapp.system.checks import CHECKS
from tests.system.test_checks import LAPTOP, replace


@pytest.fixture
def machine(monkeypatch):
    """Puts a machine that was never there in the place of this one."""
    return lambda facts: monkeypatch.setattr(command, "gather", lambda runs, has_native_bf16: facts)


def test_a_sound_machine(machine, capsys):
    machine(LAPTOP)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CHECKS) + 1
    assert lines[-1].startswith("all well; next: segapp fit")


def test_a_warning_is_no_failure(machine, capsys):
    machine(replace(LAPTOP, shared_memory=64 * 2**20))
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "warning  shared memory 64 MiB in /dev/shm: batches pass through it" in printed
    assert printed.endswith("0 problems, 1 warning\n")


def test_a_problem_is(machine, capsys):
    machine(replace(LAPTOP, nvidia_card=True, open_files=(100, 100)))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.endswith("2 problems, 0 warnings\n")


def test_the_folder_asked_about_is_the_one_looked_at(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["doctor", "--runs", str(tmp_path / "file")]) == 1
    assert f"problem  runs          {tmp_path / 'file'} cannot be written" in capsys.readouterr().out
